"""Checkers of notebook 13, from DCGAN to today."""

import torch
from torch import Tensor

from dcgan_utils import exercises as ex

CAUSES = ("no create_graph", "γ too large", "γ too small", "mean in place of sum")
FITTING = {  # by run: the mistake, and the key of what speaks against another
    "A": ("no create_graph", "not_constant"),
    "B": ("γ too large", "not_flat"),
    "C": ("mean in place of sum", "not_of_the_batch"),
}


@ex.exercise("13.1")
def check_power_iteration(function: ex.Function) -> None:
    """Check exercise 13.1: the estimate of a kernel's largest singular value after some turns."""
    random = torch.Generator().manual_seed(0)
    for shape, times in (
        ((3, 2, 2, 2), 1),
        ((6, 6, 1, 1), 2),
        ((5, 4, 3, 3), 3),
        ((8, 3, 2, 2), 9),
    ):
        weight = torch.randn(shape, generator=random)
        u = torch.randn(shape[0], generator=random)
        matrix = weight.flatten(1)
        right = _power(matrix, u, times)
        mistakes = {
            "length_of_all": weight.norm(),
            "squared": right**2,
            "other_count": _power(matrix, u, times + 1),
            "too_few": _power(matrix, u, times - 1),
            "exact": torch.linalg.svdvals(matrix)[0],
        }
        case = ex.text("for_shape", shape=shape, times=times)
        ex.require_close(function(weight, u, times), right, case, mistakes, "which_way")


def _power(matrix: Tensor, u: Tensor, times: int) -> Tensor:
    """Return the length of W v, v being the direction after some turns of power iteration."""
    v = u  # a direction that W.T u replaces at once
    for _ in range(times):
        v = matrix.T @ u
        v = v / v.norm()
        u = matrix @ v
    return u.norm()


@ex.exercise("13.2")
def check_r1(function: ex.Function) -> None:
    """Check exercise 13.2: R1 and its gradient, for a line by hand and for a curved network."""
    random = torch.Generator().manual_seed(0)
    for size, batch, gamma in ((1, 1, 2.0), (2, 3, 0.1), (4, 8, 1.0)):
        weights = torch.randn(size * size, generator=random).requires_grad_()
        images = torch.randn(batch, 1, size, size, generator=random)

        def discriminate(x: Tensor, weights: Tensor = weights) -> Tensor:
            return (x.flatten(1) ** 2 @ weights) / 2  # whose slope at a pixel is weight times x

        squares = (images.flatten(1) * weights).square().sum(1)
        right = gamma / 2 * squares.mean()
        mistakes = {
            "no_half": 2 * right,
            "not_squared": gamma / 2 * squares.sqrt().mean(),
            "of_the_mean": right / batch**2,
            "summed": right * batch,
            "over_pixels": right / size**2,
        }
        case = ex.text("for_batch", size=size, batch=batch, gamma=gamma)
        got = function(discriminate, images, gamma)
        ex.require_close(got, right.detach(), case, mistakes, "steps")
        if not (isinstance(got, Tensor) and got.requires_grad):
            raise ex.Wrong("no_graph")
        (slope,) = torch.autograd.grad(got, weights, allow_unused=True)
        (expected,) = torch.autograd.grad(right, weights)
        if slope is None or not torch.allclose(slope, expected, rtol=1e-4, atol=1e-5):
            raise ex.Wrong("no_graph")


@ex.exercise("13.3")
def check_pairing(function: ex.Function) -> None:
    """Check exercise 13.3: derivatives of two losses of G, and of D's, worked out by hand."""
    sigma = torch.tensor([3.0, 2.0, -2.0]).sigmoid().tolist()
    rows = [
        (-0.5, "no_gap", {"sign": 0.5, "nothing": 0.0, "one_logit": sigma[0] - 1}),
        (sigma[0] - 1, "one_logit", {"sign": 1 - sigma[0], "other_side": -sigma[0]}),
        (-sigma[1], "the_gap", {"sign": sigma[1], "other_side": -sigma[2]}),
        (-sigma[2], "of_d", {"sign": sigma[2], "other_side": -sigma[1]}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("13.4")
def check_diagnosis(function: ex.Function) -> None:
    """Check exercise 13.4: which mistake in a penalty fits what three runs show."""
    answer = ex.require_parts(function(), len(FITTING), "results")
    for (run, (right, hint)), said in zip(FITTING.items(), answer):
        if not isinstance(said, str) or said not in CAUSES:
            raise ex.Wrong("not_listed", said=said, listed=", ".join(CAUSES))
        if said != right:
            raise ex.Wrong(hint, run=run, said=said)
