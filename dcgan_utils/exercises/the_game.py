"""Checkers of notebook 00, the game."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .common import Wrong, judge, require_answer, require_equal, require_scalar, require_tensor


def check_best_discriminator(function: Callable[[Tensor, Tensor], Any]) -> bool:
    """Check exercise 0.1: the best D over some bins, and its loss, also where a share is 0."""

    def check() -> None:
        cases = [
            ([0.5, 0.3, 0.2], [0.1, 0.3, 0.6]),
            ([0.25, 0.25, 0.5], [0.5, 0.25, 0.25]),
            ([0.5, 0.5, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0]),  # only real, both, only made, neither
            ([0.4, 0.6, 0.0], [0.4, 0.6, 0.0]),
        ]
        for real, made in cases:
            p, q = torch.tensor(real), torch.tensor(made)
            got = function(p.clone(), q.clone())
            require_answer(got, (tuple, list), "two things, D's answers and its loss")
            if len(got) != 2:
                raise Wrong(f"Expected D's answers and its loss, got {len(got)} things.")
            case = f"for p = {real} and q = {made}"
            answers = require_tensor(got[0], (len(real),), "There is one answer for each bin.")
            both = p + q > 0
            best = torch.where(both, p / (p + q).clamp(min=1e-9), torch.tensor(0.5))
            if not answers.isfinite().all():
                raise Wrong(f"An answer of D is not a number {case}. What is 0 / 0?")
            mistakes = [
                (1 - best, "Which of the two does D call real?"),
                (torch.where(both, best, torch.tensor(0.0)), "What of bins with neither?"),
                ((p > q).float(), "That is a verdict. D says how sure it is."),
            ]
            require_equal(answers, best, case, mistakes, "Where is the derivative of its loss 0?")
            loss = require_scalar(torch.as_tensor(got[1]))
            if not math.isfinite(loss):
                raise Wrong(f"Loss_D is {loss} {case}. What is 0 times the logarithm of 0?")
            _require_loss(loss, p, q, best, case)

    return judge("0.1", check, function)


def _require_loss(loss: float, p: Tensor, q: Tensor, best: Tensor, case: str) -> None:
    """Refuse a loss that is not the best D's."""
    right = sum(
        -a * math.log(d) if a else 0.0
        for share, says in ((p, best), (q, 1 - best))
        for a, d in zip(share.tolist(), says.tolist())
    )
    if math.isclose(loss, right, abs_tol=1e-4):
        return
    hint = "It is the sum over the bins of -p log D - q log(1 - D)."
    if math.isclose(loss, -right, abs_tol=1e-4):
        hint = "That is what D climbs. A loss is minimized."
    elif math.isclose(loss, right / len(p), abs_tol=1e-4):
        hint = "The shares already say how often each bin counts. Is a mean needed?"
    elif math.isclose(loss, right / 2, abs_tol=1e-4):
        hint = "Loss_D is the sum of two terms, not their mean."
    elif math.isclose(loss, right / math.log(2), abs_tol=1e-4):
        hint = "That is in bits. The natural logarithm gives nats."
    elif math.isclose(loss, math.log(2) - right / 2, abs_tol=1e-4):
        hint = "That is the Jensen-Shannon divergence. The loss was asked for."
    raise Wrong(f"Expected a Loss_D of {right:.4f} {case}, got {loss:.4f}. {hint}")


def check_dirac_step(function: Callable[[float, float, float, bool], Any]) -> bool:
    """Check exercise 0.2: a step of each player of the Dirac-GAN, in turn and together."""

    def check() -> None:
        starts = [(-0.7, 1.3, 0.5), (1.0, 1.0, 0.2), (2.0, -0.4, 0.1)]
        for (theta, psi, rate), together in itertools.product(starts, (True, False)):
            got = function(theta, psi, rate, together)
            require_answer(got, (tuple, list), "two numbers, theta and psi")
            if len(got) != 2:
                raise Wrong(f"Expected theta and psi, got {len(got)} numbers.")
            mine = (float(got[0]), float(got[1]))
            right = _dirac_step(theta, psi, rate, together)
            if _close(mine, right):
                continue
            how = "together" if together else "in turn"
            named = "(theta, psi) = ({:.4f}, {:.4f})"
            raise Wrong(
                f"From {named.format(theta, psi)} with a rate of {rate:g}, {how}: expected "
                f"{named.format(*right)}, got {named.format(*mine)}. "
                f"{_dirac_hint(mine, right, theta, psi, rate, together)}"
            )

    return judge("0.2", check, function)


def _dirac_step(
    theta: float, psi: float, rate: float, together: bool, g: str = "non-saturating"
) -> tuple[float, float]:
    """Return both weights after a step of each, by autograd on the losses as they are written."""
    t, s = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (theta, psi))
    loss_d = -torch.log(1 - torch.sigmoid(s * t))
    new_psi = psi - rate * torch.autograd.grad(loss_d, s)[0].item()
    seen = psi if together else new_psi
    says = torch.sigmoid(seen * t)
    loss_g = -torch.log(says) if g == "non-saturating" else torch.log(1 - says)
    return theta - rate * torch.autograd.grad(loss_g, t)[0].item(), new_psi


def _dirac_hint(
    mine: tuple[float, float],
    right: tuple[float, float],
    theta: float,
    psi: float,
    rate: float,
    together: bool,
) -> str:
    """Return where to look, from what usual mistakes would have given."""
    if _close(mine, right[::-1]):
        return "Theta comes first."
    if _close(mine, _dirac_step(theta, psi, rate, not together)):
        return "Which psi does G see, the old one or the new one?"
    if _close(mine, _dirac_step(theta, psi, rate, together, "saturating")):
        return "That is the saturating loss of G."
    if _close(mine, _dirac_step(theta, psi, -rate, together)):
        return "Both walk uphill. A loss is minimized."
    if not math.isclose(mine[1], right[1], abs_tol=1e-5):
        return "Begin with psi: it is not right yet."
    return "Psi is right; theta is not."


def _close(mine: tuple[float, ...], right: tuple[float, ...]) -> bool:
    """Say whether two pairs of numbers agree."""
    return all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(mine, right))


def check_penalty(function: Callable[[nn.Module, Tensor, float], Any]) -> bool:
    """Check exercise 0.3: R1 and its gradient, on a D whose slope is known in closed form."""

    def check() -> None:
        for shape, gamma in (((5, 2), 1.0), ((4, 1, 3, 3), 0.3)):
            random = torch.Generator().manual_seed(len(shape))
            network = _Bowl(shape[1:], random)
            real = torch.randn(shape, generator=random)
            got = function(network, real, gamma)
            value = require_scalar(got)
            slopes = network.slope(real).flatten(1)  # (B, D)
            case = f"for a batch of shape {shape} and a gamma of {gamma:g}"
            _require_penalty(value, slopes.detach(), gamma, case)
            if network.weight.grad is not None or real.grad is not None:
                raise Wrong(
                    "Something is left in a `.grad`, where D's step would find it. Does "
                    "`torch.autograd.grad` leave anything there?"
                )
            if not got.requires_grad:
                raise Wrong("The penalty has no way back to D's weights. What keeps the graph?")
            (gradient,) = torch.autograd.grad(got, network.weight, allow_unused=True)
            right = gamma / 2 * slopes.square().sum(1).mean()
            (expected,) = torch.autograd.grad(right, network.weight)
            if gradient is None:
                raise Wrong("The penalty has no way back to D's weights. What keeps the graph?")
            require_equal(gradient, expected, "as its gradient by D's weights")

    return judge("0.3", check, function)


class _Bowl(nn.Module):
    """A discriminator with logit sum(w x^2) / 2, so that its slope at x is w x."""

    def __init__(self, shape: tuple[int, ...], random: torch.Generator):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape, generator=random))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x.square()).flatten(1).sum(1) / 2

    def slope(self, x: Tensor) -> Tensor:
        return self.weight * x


def _require_penalty(value: float, slopes: Tensor, gamma: float, case: str) -> None:
    """Refuse a value that is not R1 of these slopes (B, D)."""
    squares = slopes.square().sum(1)
    right = (gamma / 2 * squares.mean()).item()
    if math.isclose(value, right, rel_tol=1e-4):
        return
    usual = {
        gamma * squares.mean().item(): "Where is the half?",
        squares.mean().item() / 2: "Where is gamma?",
        gamma / 2 * squares.sum().item(): "Is that a sum over the batch? R1 is a mean.",
        gamma / 2 * slopes.square().mean().item(): "That is a mean over the inputs, too. The "
        "squared length of a gradient is a sum.",
        gamma / 2 * squares.sqrt().mean().item(): "That is the length. R1 squares it.",
        gamma / 2 * squares.mean().item() / len(squares) ** 2: "Each input's gradient is too "
        "small by the size of the batch. Was D's output averaged before the gradient was taken?",
        gamma / 2 * slopes.sum(0).square().sum().item(): "Gradients of different inputs were "
        "added before they were squared.",
        gamma / 2 * (squares.sqrt() - 1).square().mean().item(): "That pulls the length toward 1, "
        "as WGAN-GP does. R1 pulls it toward 0.",
    }
    near = [hint for number, hint in usual.items() if math.isclose(value, number, rel_tol=1e-4)]
    look = "What is squared, what is summed, and over what is the mean?"
    raise Wrong(f"Expected {right:.4f} {case}, got {value:.4f}. {near[0] if near else look}")
