"""What D and G minimize: one `Objective` each, with the names and healthy ranges of its metrics.

Training, history, health, curves and progress take all that depends on the loss from here. Another
objective is one more entry in `OBJECTIVES`, made here or anywhere else:

    OBJECTIVES["least squares"] = lambda config: Objective(
        discriminator_loss=lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(),
        generator_loss=lambda fake: ((fake - 1) ** 2).mean(),
    )
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from .config import Config, UserError


@dataclass(frozen=True)
class Quantity:
    """What an axis shows; metrics of one quantity share a picture."""

    name: str  # with its unit
    guide: tuple[float, str] | None = None  # a line to compare with, and its name in the legend
    limits: tuple[float, float] | None = None  # of the axis; None: as far as the values go


@dataclass(frozen=True)
class Metric:
    """One number of each step: what it is called, how it is drawn, and when it is healthy."""

    key: str  # its column in metrics.csv
    label: str  # its name in curves and progress
    quantity: Quantity  # what its axis shows
    color: str  # its name in `drawing.plots.COLORS`
    healthy: tuple[float, float] = (-math.inf, math.inf)  # where its value belongs
    advice: str = ""  # what to say if it stays outside


D_WINS = (
    "The discriminator's loss is at its least and stays there: it tells real from fake without "
    "effort, and the generator learns nothing from it. If it comes early, try a higher learning "
    "rate (0.0008 where 0.0002 fails) or a wider network; if late, end the run sooner (--steps)."
)
MARGIN = 0.03  # nats above the least Loss_D there is; so sure a discriminator teaches nothing
GUESSING = 2 * math.log(2)  # Loss_D, in nats, of a D that says 1/2 to everything


def step_metrics(
    loss: Quantity, output: Quantity, names: tuple[str, str] = ("D(x)", "D(G(z))")
) -> tuple[Metric, ...]:
    """Return the five metrics that each step reports, in the order in which it reports them.

    Parameters
    ----------
    loss, output
        What Loss_D and Loss_G, and what D's answers are.
    names
        Of D's mean answers to real and to generated images.
    """
    real, fake = names
    return (
        Metric("loss_d", "Loss_D", loss, "discriminator"),
        Metric("loss_g", "Loss_G", loss, "generator"),
        Metric("d_real", real, output, "real"),
        Metric("d_fake_before", f"{fake} before D's step", output, "fake"),
        Metric("d_fake_after", f"{fake} after", output, "fake after"),
    )


@dataclass(frozen=True)
class Objective:
    """What D and G minimize, and how to read what D says.

    D's outputs come as (B,) float32, straight from the network: there is no sigmoid in it.
    """

    discriminator_loss: Callable[[Tensor, Tensor], Tensor]  # of D's outputs for real and for fake
    generator_loss: Callable[[Tensor], Tensor]  # of D's outputs for fake
    score: Callable[[Tensor], Tensor] = lambda outputs: outputs  # D's outputs as they are reported
    metrics: tuple[Metric, ...] = step_metrics(Quantity("loss"), Quantity("mean output of D"))
    steps_of_d: int = 1  # D's steps, each on new images, for one of G's
    constrain: Callable[[nn.Module], object] = lambda discriminator: None  # after each of D's steps


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Return the mean binary cross-entropy of logits (B,) against one label, in nats."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def non_saturating(config: Config) -> Objective:
    """Return the usual objective: cross-entropy, and for G that of generated images called real.

    Loss_D is -log D(x) - log(1 - D(G(z))) and Loss_G is -log D(G(z)), with D the sigmoid of the
    network's output. Goodfellow et al. (2014), arXiv:1406.2661, section 3. With `real_label` below
    1, real images get that label: one-sided label smoothing, Salimans et al. (2016),
    arXiv:1606.03498, section 3.4.
    """
    label = config.real_label
    least = -sum(p * math.log(p) for p in (label, 1 - label) if p > 0)  # the label's entropy
    loss_d, *others = step_metrics(
        Quantity("loss [nats]", guide=(GUESSING, "Loss_D of pure guessing")),
        Quantity("mean probability of “real”", guide=(0.5, ""), limits=(0, 1.15)),
    )
    loss_d = dataclasses.replace(loss_d, healthy=(least + MARGIN, math.inf), advice=D_WINS)
    return Objective(
        lambda real, fake: cross_entropy(real, label) + cross_entropy(fake, 0.0),
        lambda fake: cross_entropy(fake, 1.0),
        score=torch.sigmoid,
        metrics=(loss_d, *others),
    )


def saturating(config: Config) -> Objective:
    """Return the game as it was first written: G minimizes log(1 - D(G(z))), which is negative.

    Goodfellow et al. (2014), equation 1.
    """
    return dataclasses.replace(
        non_saturating(config), generator_loss=lambda fake: -cross_entropy(fake, 0.0)
    )


OBJECTIVES: dict[str, Callable[[Config], Objective]] = {
    "non-saturating": non_saturating,
    "saturating": saturating,
}


def objective_for(config: Config) -> Objective:
    """Return the objective that the settings name.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if config.objective not in OBJECTIVES:
        raise UserError(
            f"objective is {config.objective!r}; allowed: {', '.join(OBJECTIVES)}. Choose one of "
            f"them, or add yours to dcgan_utils.losses.OBJECTIVES before the run."
        )
    return OBJECTIVES[config.objective](config)
