"""Checkers of notebook 13, from DCGAN to today."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, softplus

from dcgan_utils import exercises as ex

CAUSES = ("no create_graph", "γ too large", "γ too small", "mean in place of sum")
FITTING = {  # by run: the mistake, and the key of what speaks against another
    "A": ("no create_graph", "not_constant"),
    "B": ("γ too large", "not_flat"),
    "C": ("mean in place of sum", "not_of_the_batch"),
}


@ex.exercise("13.1")
def check_power_iteration(function: ex.Function) -> None:
    """Check exercise 13.1: the largest singular value of a convolution after some iterations."""
    random = torch.Generator().manual_seed(0)
    for shape, size, times in (((2, 1, 2, 2), 2, 1), ((3, 2, 4, 4), 6, 2), ((4, 3, 4, 4), 8, 7)):
        weight = torch.randn(shape, generator=random)
        x = torch.randn(1, shape[1], size, size, generator=random)
        units = torch.eye(x.numel()).view(-1, *x.shape[1:])
        matrix = conv2d(units, weight, stride=2, padding=1).flatten(1).T  # of the convolution
        right = _power(matrix, x.flatten(), times)
        mistakes = {
            "of_the_kernel": torch.linalg.svdvals(weight.flatten(1))[0],
            "squared": right**2,
            "other_count": _power(matrix, x.flatten(), times + 1),
            "too_few": _power(matrix, x.flatten(), times - 1),
            "exact": torch.linalg.svdvals(matrix)[0],
        }
        case = ex.text("for_shape", shape=shape, size=size, times=times)
        ex.require_close(function(weight, x, times), right, case, mistakes, "which_way")


def _power(matrix: Tensor, x: Tensor, times: int) -> Tensor:
    """Return the length of the matrix times x, a direction after some turns of power iteration."""
    for _ in range(times):
        x = matrix.T @ (matrix @ x)
        x = x / x.norm()
    return (matrix @ x).norm()


@ex.exercise("13.2")
def check_r1_r2(function: ex.Function) -> None:
    """Check exercise 13.2: R1 + R2 and its gradient, of a curved network whose slope is known."""
    random = torch.Generator().manual_seed(0)
    for size, batch, gamma in ((1, 1, 2.0), (2, 3, 0.1), (4, 8, 1.0)):
        weights = torch.randn(size * size, generator=random).requires_grad_()
        real, z = torch.randn(2, batch, 1, size, size, generator=random)
        fake = z.requires_grad_() * 2  # a generator of one line

        def discriminate(x: Tensor, weights: Tensor = weights) -> Tensor:
            return (x.flatten(1) ** 2 @ weights) / 2  # whose slope at a pixel is weight times x

        squares = [(x.detach().flatten(1) * weights).square().sum(1) for x in (real, fake)]
        each = [gamma / 2 * of.mean() for of in squares]
        right = sum(each, torch.zeros(()))
        mistakes = {
            "only_r1": each[0],
            "only_r2": each[1],
            "no_half": 2 * right,
            "not_squared": gamma / 2 * sum(of.sqrt().mean() for of in squares),
            "of_the_mean": right / batch**2,
            "summed": right * batch,
            "over_pixels": right / size**2,
        }
        case = ex.text("for_batch", size=size, batch=batch, gamma=gamma)
        got = function(discriminate, real, fake, gamma)
        ex.require_close(got, right.detach(), case, mistakes, "steps")
        if not (isinstance(got, Tensor) and got.requires_grad):
            raise ex.Wrong("no_graph")
        slope, of_g = torch.autograd.grad(got, [weights, z], retain_graph=True, allow_unused=True)
        (expected,) = torch.autograd.grad(right, weights)
        if slope is None or not torch.allclose(slope, expected, rtol=1e-4, atol=1e-5):
            raise ex.Wrong("no_graph")
        if of_g is not None:
            raise ex.Wrong("reaches_g")


@ex.exercise("13.3")
def check_pairs(function: ex.Function) -> None:
    """Check exercise 13.3: the relativistic loss of pairs, and two derivatives, by hand."""
    of_0, of_4, of_minus_4 = softplus(torch.tensor([0.0, 4.0, -4.0])).tolist()
    sigma, other = torch.tensor([2.0, -2.0]).sigmoid().tolist()
    rows = [
        (of_0, "equal", {"summed": 2 * of_0, "nothing": 0.0}),
        ((of_4 + of_minus_4) / 2, "exchanged", {"as_before": of_0, "summed": of_4 + of_minus_4}),
        (-sigma, "the_gap", {"sign": sigma, "other_side": -other}),
        (-other, "of_d", {"sign": other, "other_side": -sigma}),
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
