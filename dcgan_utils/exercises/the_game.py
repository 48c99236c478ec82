"""Checkers of notebook 00, the game."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from dcgan_utils import exercises as ex


@ex.exercise("0.1")
def check_best_discriminator(function: ex.Function) -> None:
    """Check exercise 0.1: the best D over some bins, and its loss, also where a share is 0."""
    for real, made in (
        ([0.5, 0.3, 0.2], [0.1, 0.3, 0.6]),
        ([0.25, 0.25, 0.5], [0.5, 0.25, 0.25]),
        ([0.5, 0.5, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0]),  # only real, both, only made, neither
        ([0.4, 0.6, 0.0], [0.4, 0.6, 0.0]),
    ):
        p, q = torch.tensor(real), torch.tensor(made)
        answers, loss = ex.require_parts(function(p, q), 2)
        case = ex.text("case", p=real, q=made)
        best = torch.where(p + q > 0, p / (p + q), 0.5)
        mistakes = {
            "exchanged": 1 - best,
            "empty_bins": torch.where(p + q > 0, best, 0.0),
            "verdict": (p > q).float(),
        }
        ex.require_close(answers, best, case, mistakes, "slope")
        right = -(torch.special.xlogy(p, best) + torch.special.xlogy(q, 1 - best)).sum()
        mistakes = {
            "climbed": -right,
            "mean": right / len(p),
            "halved": right / 2,
        }
        ex.require_close(loss, right, ex.text("loss", case=case), mistakes, "loss_is_a_sum")


@ex.exercise("0.2")
def check_dirac_step(function: ex.Function) -> None:
    """Check exercise 0.2: a step of each player of the Dirac-GAN, in turn and together."""
    starts = [(-0.7, 1.3, 0.5), (1.0, 1.0, 0.2), (2.0, -0.4, 0.1)]
    for (theta, psi, rate), together in itertools.product(starts, (True, False)):
        got = torch.tensor(ex.require_numbers(function(theta, psi, rate, together), 2))
        right = _dirac_step(theta, psi, rate, together)
        case = ex.text("case", theta=theta, psi=psi, rate=rate, together=together)
        mistakes = {
            "order": right.flip(0),
            "which_psi": _dirac_step(theta, psi, rate, not together),
            "saturating": _dirac_step(theta, psi, rate, together, saturating=True),
            "uphill": _dirac_step(theta, psi, -rate, together),
        }
        otherwise = "theta_wrong" if abs(got[1] - right[1]) < 1e-5 else "psi_wrong"
        ex.require_close(got, right, case, mistakes, otherwise, tolerance=1e-5)


def _dirac_step(
    theta: float, psi: float, rate: float, together: bool, saturating: bool = False
) -> Tensor:
    """Return both weights after a step of each, by autograd on the losses as they are written."""
    t, s = (torch.tensor(v, dtype=torch.double, requires_grad=True) for v in (theta, psi))
    (slope_d,) = torch.autograd.grad(-logsigmoid(-s * t), s)
    new_psi = psi - rate * slope_d
    logit = (psi if together else new_psi) * t
    loss_g = logsigmoid(-logit) if saturating else -logsigmoid(logit)
    (slope_g,) = torch.autograd.grad(loss_g, t)
    return torch.stack([theta - rate * slope_g, new_psi])


@ex.exercise("0.3")
def check_penalty(function: ex.Function) -> None:
    """Check exercise 0.3: R1 and its gradient, on a D whose slope is known in closed form."""
    for shape, gamma in (((5, 2), 1.0), ((4, 1, 3, 3), 0.3)):
        random = torch.Generator().manual_seed(len(shape))
        network = _Bowl(torch.randn(shape[1:], generator=random))
        real = torch.randn(shape, generator=random)
        got = function(network, real, gamma)
        slopes = (network.weight * real).flatten(1)  # (B, D)
        squares, half = slopes.square().sum(1), gamma / 2
        right = half * squares.mean()
        mistakes = {
            "no_half": 2 * right,
            "sum_over_batch": half * squares.sum(),
            "mean_over_inputs": half * slopes.square().mean(),
            "length": half * squares.sqrt().mean(),
            "mean_first": right / len(real) ** 2,
            "toward_one": half * (squares.sqrt() - 1).square().mean(),
        }
        case = ex.text("case", shape=shape, gamma=gamma)
        ex.require_close(got, right, case, mistakes, "what_is_summed")
        if network.weight.grad is not None or real.grad is not None:
            raise ex.Wrong("left_in_grad")
        try:
            (gradient,) = torch.autograd.grad(got, network.weight)
        except (AttributeError, IndexError, RuntimeError, TypeError) as error:
            raise ex.Wrong("no_way_back") from error
        (expected,) = torch.autograd.grad(right, network.weight)
        ex.require_close(gradient, expected, ex.text("gradient"))


class _Bowl(nn.Module):
    """A discriminator with logit sum(w x^2) / 2, so that its slope at x is w x."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x.square()).flatten(1).sum(1) / 2
