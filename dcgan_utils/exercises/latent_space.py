"""Checkers of notebook 09, latent space."""

import math

import torch
from torch import Tensor, nn

from dcgan_utils import exercises as ex

PRIOR = 0.02  # what exercise 9.3 lets the squared norm of z cost


@ex.exercise("9.1")
def check_norms(function: ex.Function) -> None:
    """Check exercise 9.1: where sums and averages of latent vectors lie, worked out by hand."""
    rows = [
        (2, "of_a_mean", {"lengths_add_up": 0.4}),
        (math.sqrt(300), "of_a_sum", {"cancels": 10, "directions_agree": 30}),
        (3, "over_n", {"that_is_b": 1, "no_root": 9}),
        (math.sqrt(75), "triangle", {"right_angle": math.sqrt(50), "great_circle": 10}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("9.2")
def check_clean_direction(function: ex.Function) -> None:
    """Check exercise 9.2: a direction without its part along some others."""
    random = torch.Generator().manual_seed(0)
    for size, count in ((6, 1), (100, 4), (5, 3)):
        wanted, others = (torch.randn(n, size, generator=random) for n in (1, count))
        wanted = 3 * wanted[0] + others.sum(0)
        others = others + 0.7 * others[:1]  # not at right angles to one another
        got = ex.require_tensor(function(wanted, others), (size,)).float()
        if abs(got.norm() - 1) > 1e-3:
            raise ex.Wrong("length", length=got.norm())

        basis = torch.linalg.qr(others.T).Q  # (size, count), at right angles
        along = basis @ (basis.T @ wanted)
        units = others / others.norm(dim=1, keepdim=True)
        one_by_one = wanted
        for unit in units:
            one_by_one = one_by_one - (one_by_one @ unit) * unit
        mistakes = {
            "other_part": _unit(along),
            "brought_back": _unit(one_by_one),
            "first_only": _unit(wanted - (units[0] @ wanted) * units[0]),
        }
        case = ex.text("directions", count=count, size=size)
        ex.require_close(got, _unit(wanted - along), case, mistakes, "right_angles", tolerance=1e-3)


def _unit(direction: Tensor) -> Tensor:
    return direction / direction.norm()


@ex.exercise("9.3")
def check_completion(function: ex.Function) -> None:
    """Check exercise 9.3 with a linear generator, whose best z is that of ridge regression."""
    random = torch.Generator().manual_seed(0)
    for count, latent_size, side in ((3, 4, 6), (2, 7, 4)):
        linear = nn.Linear(latent_size, side**2, bias=False)
        linear.weight.data.normal_(0, 1 / side, generator=random)
        weight = linear.weight.detach().clone()  # (pixels, latent_size)
        images = torch.randn(count, 1, side, side, generator=random)
        visible = torch.zeros(side, side, dtype=torch.bool)
        visible[: side // 2 + 1] = True
        start = torch.randn(count, latent_size, generator=random)
        generator = nn.Sequential(linear, nn.Unflatten(1, (1, side, side)))
        got = function(generator, images, visible, start)
        if not torch.equal(linear.weight, weight):
            raise ex.Wrong("weights_changed")

        def best(images: Tensor, counts: Tensor, prior: float = PRIOR) -> Tensor:
            """Return the z with the least cost, counting pixels as `counts` says."""
            weighted = weight.T * counts.flatten()  # (latent_size, pixels)  # noqa: B023
            square = weighted @ weight + prior * torch.eye(len(weighted))  # noqa: B023
            return torch.linalg.solve(square, weighted @ images.flatten(1).T).T

        seen, every = visible.float(), torch.ones(side, side)
        mistakes = {
            "all_pixels": best(images, every),
            "zeros_asked": best(images * seen, every),
            "no_prior": best(images, seen, 0.0),
            "mean": best(images, seen, PRIOR * count * int(visible.sum())),
        }
        ex.require_close(got, best(images, seen), "", mistakes, "cost_or_steps", tolerance=0.02)
