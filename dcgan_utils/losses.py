"""What D and G minimize; another objective is one more entry, made here or anywhere else:

OBJECTIVES["least squares"] = lambda config: Objective(
    discriminator_loss=lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(),
    generator_loss=lambda fake: ((fake - 1) ** 2).mean(),
)
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from .config import Config, UserError

D_WINS = (
    "The discriminator's loss is at its least and stays there: it tells real from fake without "
    "effort, and the generator learns nothing from it. If it comes early, try a higher learning "
    "rate (0.0008 where 0.0002 fails) or a wider network; if late, use more images."
)


@dataclass(frozen=True)
class Range:
    """Where a reported number belongs while a run is healthy, and what to say if it stays out."""

    least: float
    most: float
    advice: str


@dataclass(frozen=True)
class Objective:
    """What D and G minimize, and what the two steps report; D's outputs are logits (B,) float32."""

    discriminator_loss: Callable[[Tensor, Tensor], Tensor]  # of D's outputs for real, for fake
    generator_loss: Callable[..., Tensor]  # of D's outputs for fake; if `relativistic`, also real
    relativistic: bool = False  # G's loss compares with D's outputs for real images
    # Of a function from images to D's outputs, real and fake images (B, C, S, S), and a generator.
    penalty: Callable[[Any, Tensor, Tensor, Any], Tensor] | None = None
    penalty_every: int = 1  # D's steps between two penalties, each counted that many times
    score: Callable[[Tensor], Tensor] = lambda outputs: outputs  # D's outputs, as reported
    probability: bool = False  # the score is D's probability of "real", and losses are in nats
    # Further numbers to report, by name, each of D's outputs for real and for fake.
    reports: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = field(default_factory=dict)
    healthy: Mapping[str, Range] = field(default_factory=dict)  # by the reported number's name
    steps_of_d: int = 1  # D's steps, each on new images, for one of G's
    constrain: Callable[[nn.Module], object] = lambda discriminator: None  # after each of D's steps


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Return the mean binary cross-entropy of logits (B,) against one label, in nats."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def non_saturating(config: Config) -> Objective:
    """Return the usual objective: Loss_D is -log D(x) - log(1 - D(G(z))), Loss_G is -log D(G(z)).

    D is the output's sigmoid. Goodfellow et al. (2014), arXiv:1406.2661, section 3. `real_label`
    below 1 is one-sided label smoothing: Salimans et al. (2016), arXiv:1606.03498.
    """
    label = config.real_label
    least = -sum(p * math.log(p) for p in (label, 1 - label) if p > 0)  # the label's entropy
    return Objective(
        lambda real, fake: cross_entropy(real, label) + cross_entropy(fake, 0.0),
        lambda fake: cross_entropy(fake, 1.0),
        score=torch.sigmoid,
        probability=True,
        healthy={"loss_d": Range(least + 0.03, math.inf, D_WINS)},
    )


def saturating(config: Config) -> Objective:
    """Return the game of Goodfellow et al. (2014), equation 1: G minimizes log(1 - D(G(z)))."""
    usual = non_saturating(config)
    return dataclasses.replace(usual, generator_loss=lambda fake: -cross_entropy(fake, 0.0))


def squared_slopes(discriminate: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return ‖∇D(x)‖² of D's output at each of images (B, C, S, S): (B,), with its graph."""
    images = images.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(discriminate(images).sum(), images, create_graph=True)
    return slopes.square().sum((1, 2, 3))


def r1(config: Config) -> Objective:
    """Return the usual objective and, in every fourth step of D, R1: γ/2 E‖∇D(x)‖², γ = 0.1.

    Mescheder et al. (2018), arXiv:1801.04406, equation 9; notebook 13 tries it.
    """
    return dataclasses.replace(
        non_saturating(config),
        penalty=lambda d, real, fake, random: 0.05 * squared_slopes(d, real).mean(),
        penalty_every=4,
    )


def lazy_r1(config: Config) -> Objective:
    """Return R1 in every sixteenth step of D, at a quarter of its cost.

    "Lazy regularization": Karras et al. (2019), arXiv:1912.04958, section 3.1.
    """
    return dataclasses.replace(r1(config), penalty_every=16)


OBJECTIVES = {"non-saturating": non_saturating, "saturating": saturating}
OBJECTIVES |= {"R1": r1, "lazy R1": lazy_r1}


def objective_for(config: Config) -> Objective:
    """Return the objective that the settings name; raise `UserError` if there is none."""
    if config.objective not in OBJECTIVES:
        known = ", ".join(OBJECTIVES)
        raise UserError(f"objective is {config.objective!r}; allowed: {known}. Choose one of them.")
    return OBJECTIVES[config.objective](config)
