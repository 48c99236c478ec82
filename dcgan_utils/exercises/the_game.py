"""Checkers of notebook 00, the game."""

import itertools
import math

import torch
from torch import Tensor
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
        mistakes = {"climbed": -right, "mean": right / len(p), "halved": right / 2}
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
def check_growth(function: ex.Function) -> None:
    """Check exercise 0.3: what a step together, and a turn, do to the distance from (0, 0)."""
    for rate in (0.2, 0.05, 1.0):
        step, turn = ex.require_numbers(function(rate), 2)
        case, right = ex.text("case", rate=rate), math.hypot(1, rate / 2)
        mistakes = {"squared": right**2, "no_half": math.hypot(1, rate), "straight": 1 + rate / 2}
        ex.require_close(step, right, ex.text("step", case=case), mistakes, "sides")
        steps = 2 * math.pi / math.atan(rate / 2)
        mistakes = {"small_angle": right ** (4 * math.pi / rate), "half_turn": right ** (steps / 2)}
        mistakes["added"] = 1 + (right - 1) * steps
        ex.require_close(turn, right**steps, ex.text("turn", case=case), mistakes, "many_steps")


@ex.exercise("0.4")
def check_replies(function: ex.Function) -> None:
    """Check exercise 0.4: each of G's replies to the best D, given those before it."""
    for shares, remember in itertools.product(([0.5, 0.3, 0.2], [0.2, 0.45, 0.35]), (False, True)):
        p = torch.tensor(shares)
        bins = ex.require_numbers(function(p.clone(), 12, remember), 12)
        for place, got in enumerate(bins):
            case = ex.text("case", p=shares, remember=remember, before=[*map(int, bins[:place])])
            if got not in range(len(p)):
                raise ex.Wrong("no_bin", case, got=got)
            now, other = (_best_d(p, bins[:place], how) for how in (remember, not remember))
            if now[int(got)] < now.max() - 1e-6:
                key = "other_memory" if other[int(got)] > other.max() - 1e-6 else "not_best"
                raise ex.Wrong("where_now", case, got=int(got), hint=ex.text(key))


def _best_d(p: Tensor, bins: list[float], remember: bool) -> Tensor:
    """Return what the best D says of each bin, after G's choices so far."""
    seen = torch.tensor(bins if remember else bins[-1:], dtype=torch.long)
    return p / (p + seen.bincount(minlength=len(p)) / max(1, len(seen)))
