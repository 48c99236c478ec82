"""Checkers of notebook 09, latent space."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .common import Wrong, judge, require_answer, require_equal, require_tensor

PRIOR = 0.02  # what exercise 9.3 lets the squared norm of z cost


def check_norms(function: Callable[[], Sequence[float]]) -> bool:
    """Check exercise 9.1: where sums and averages of latent vectors lie, worked out by hand."""

    def check() -> None:
        got = function()
        require_answer(got, (list, tuple), "a list of four numbers")
        if len(got) != 4:
            raise Wrong(f"Expected four numbers, got {len(got)}.")
        angles = "Draw the triangle: two sides of 10, and 60 degrees between them."
        usual: dict[str, tuple[float, dict[float, str]]] = {
            "a": (
                2.0,
                {
                    0.4: "Lengths do not add up where directions differ. What does the variance of "
                    "one number become?",
                    10: "That would be so if all 25 were the same.",
                    50: "That is the norm of the sum.",
                },
            ),
            "b": (
                math.sqrt(300),
                {
                    10: "Plus and minus do not cancel: the three are independent.",
                    30: "Lengths add up only where directions agree.",
                    math.sqrt(200): "There are three vectors in a - b + c.",
                },
            ),
            "c": (
                3.0,
                {
                    1: "That is (b).",
                    9: "What is divided by n is the variance, and the norm is its root.",
                    math.sqrt(3): "It is a number of vectors. What is divided by n?",
                },
            ),
            "d": (
                10 * math.cos(math.pi / 6),
                {
                    math.sqrt(50): "That is for a right angle.",
                    5: "That is for an angle of 120 degrees.",
                    10: "That is the great circle's. The line cuts through.",
                },
            ),
        }
        look = {
            "a": "What is the variance of the mean of 25 independent numbers?",
            "b": "What is the variance of a difference, and of a sum?",
            "c": "The variance of a - b + c is 3/n. When is it 1?",
            "d": angles,
        }
        for (letter, (right, hints)), mine in zip(usual.items(), got):
            mine = float(mine)
            if math.isclose(mine, right, rel_tol=0.006):
                continue
            near = [
                hint for value, hint in hints.items() if math.isclose(mine, value, rel_tol=0.01)
            ]
            raise Wrong(
                f"For ({letter}) you expect {mine:g}; that is not it. "
                f"{near[0] if near else look[letter]}"
            )

    return judge("9.1", check, function)


def check_clean_direction(function: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Check exercise 9.2: a direction without its part along some others."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for size, count in ((6, 1), (100, 4), (5, 3)):
            wanted, others = (torch.randn(n, size, generator=random) for n in (1, count))
            wanted = 3 * wanted[0] + others.sum(0)
            others = others + 0.7 * others[:1]  # not at right angles to one another
            given = wanted.clone(), others.clone()
            got = require_tensor(
                function(*given), (size,), "One direction, as long as a latent vector."
            )
            basis = torch.linalg.qr(others.T.double()).Q  # (size, count), at right angles
            left = wanted.double() - basis @ (basis.T @ wanted.double())
            one_by_one, units = wanted.clone(), others / others.norm(dim=1, keepdim=True)
            for unit in units:
                one_by_one = one_by_one - (one_by_one @ unit) * unit
            at_once = wanted - (units @ wanted) @ units
            first = wanted - (units[0] @ wanted) * units[0]
            length = "Its length is not 1. Divide by the norm at the end."
            turn = (
                "It is not at right angles to all of them. Taking away the part along the second "
                "can bring back some of the first."
            )
            hints = [
                (left, length),
                (basis @ (basis.T @ wanted.double()), "That is the other part."),
            ]
            for value, hint in ((one_by_one, turn), (at_once, turn), (first, "And the others?")):
                hints += [(value, hint), (value / value.norm(), hint)]
            hints += [(wanted / wanted.norm(), "Nothing has been taken away.")]
            require_equal(
                got,
                left / left.norm(),
                f"for {count} other direction{'s' * (count > 1)} in {size} dimensions",
                [*hints, (-left / left.norm(), "It points the other way.")],
                "Is it at right angles to all the others, and is its norm 1?",
                tolerance=1e-3,
            )
            if not (torch.equal(given[0], wanted) and torch.equal(given[1], others)):
                raise Wrong("Your function changed what it was given. Make new tensors.")

    return judge("9.2", check, function)


class _Linear(nn.Module):
    """A generator whose images are linear in z, so that the best z can be computed."""

    def __init__(self, latent_size: int, side: int, random: torch.Generator):
        super().__init__()
        self.latent_size, self.side = latent_size, side
        self.weight = nn.Parameter(torch.randn(latent_size, side * side, generator=random) / side)

    def forward(self, z: Tensor) -> Tensor:
        """Return images (B, 1, side, side)."""
        return (z @ self.weight).reshape(-1, 1, self.side, self.side)

    def best(self, images: Tensor, counts: Tensor, prior: float = PRIOR) -> Tensor:
        """Return the z (N, latent_size) with the least cost, counting pixels as `counts` says."""
        weighted = self.weight.detach().double() * counts.flatten()  # (latent_size, pixels)
        square = weighted @ self.weight.detach().double().T
        square += prior * torch.eye(self.latent_size, dtype=torch.float64)
        return torch.linalg.solve(square, weighted @ images.flatten(1).double().T).T


def check_completion(function: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]) -> bool:
    """Check exercise 9.3 with a generator whose best z is known: ridge regression."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for count, latent_size, side in ((3, 4, 6), (2, 7, 4)):
            generator = _Linear(latent_size, side, random)
            images = torch.randn(count, 1, side, side, generator=random)
            visible = torch.zeros(side, side, dtype=torch.bool)
            visible[: side // 2 + 1] = True
            start = torch.randn(count, latent_size, generator=random)
            weight, begun = generator.weight.detach().clone(), start.clone()
            got = function(generator, images.clone(), visible.clone(), start)
            got = require_tensor(got, (count, latent_size), "One z for each image.")
            if not torch.equal(generator.weight, weight):
                raise Wrong("The generator's weights have changed. What does your optimizer move?")
            if not torch.equal(start, begun):
                raise Wrong("The start has changed. Search from a copy of it.")
            seen, all_pixels = visible.double(), torch.ones(side, side, dtype=torch.float64)
            best = generator.best
            pixels = int(visible.sum())
            require_equal(
                got,
                best(images, seen),
                f"for {count} images of {side}x{side} pixels, {pixels} of them visible",
                [
                    (
                        best(images, all_pixels),
                        "The hidden pixels count, too. Do you use `visible`?",
                    ),
                    (best(images * seen, all_pixels), "You ask for zeros where pixels are hidden."),
                    (best(images, 1 - seen), "You compare the pixels that are hidden."),
                    (best(images, seen, 0.0), "A large z costs nothing. Where is the prior?"),
                    (best(images, seen, PRIOR * pixels), "Is it the mean of the squares? The sum."),
                    (
                        best(images, seen, PRIOR * side**2),
                        "Is it the mean of the squares? The sum.",
                    ),
                    (best(images, seen, count * PRIOR * pixels), "Is it the mean? The sum."),
                    (start, "That is where the search began."),
                ],
                "Are the cost and the number of steps as asked?",
                tolerance=0.02,
            )

    return judge("9.3", check, function)
