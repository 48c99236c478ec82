"""How a run stands, and noticing while it is under way that it is going wrong."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from .config import UserError
from .language import say
from .losses import Range

PATIENCE = 4  # reports in a row that must show a symptom: early training passes through it briefly
LONG = 12  # the same, for what takes longer to go away in a healthy run

ALIKE = (
    "The generator draws nearly the same image for every latent vector (mode collapse). Check β₁ "
    "(0.5), try a lower learning rate, and check that the data differ."
)
COPIES = (
    "Many generated images are near copies of one another: the generator draws only a few kinds "
    "(partial mode collapse). Try another seed or learning rate; check β₁ (0.5) and that nothing "
    "fully connected stands between z and the first convolution."
)
PALE = (
    "The generated images do not reach the darkest or the brightest values of the real ones. Check "
    "that the data lie in [-1, 1] as Tanh's output does, and that D's input has no batch norm."
)
EVALUATION = (
    "A network is in evaluation mode while it trains, so its batch norm does not normalize by the "
    "batch. Call train() on both networks before the next step."
)
BY_HEART = (
    "The discriminator can learn so few images by heart, and then tells them from all others. "
    "Compare what it says of images that it never saw; use more, or let it see them moved a little."
)
DIVERGED = (
    "A loss or a weight became NaN or infinite, from which no run recovers. Lower the learning "
    "rate, compute the loss from logits, or set precision to float32."
)


class Diverged(UserError):
    """The run's numbers are no longer finite; it cannot recover."""


class BatchStatistics(NamedTuple):
    """What can be measured of a batch of images without knowing what they show."""

    variety: float  # standard deviation over the images, averaged over the pixels
    nearest: float  # root mean square difference of an image to the most similar other one, mean
    darkest: float  # of all pixels
    brightest: float


@dataclass(frozen=True)
class Report:
    """How a run stands, given to `on_report` every `REPORT_EVERY` steps and at the end."""

    step: int  # finished steps
    total: int  # steps when the run is done
    seconds: float  # training time so far
    seconds_left: float  # estimated from the pace so far
    metrics: dict[str, float]  # what this step reported, by name
    real: BatchStatistics  # of this step's batches
    fake: BatchStatistics
    warnings: list[str] = field(default_factory=list)  # what has begun to go wrong, in words


class Monitor:
    """Watches a run and says, once for each onset, what is wrong and what to try; see notebook 08.

    `healthy` is the objective's; `images` is how many the run learns from.
    """

    def __init__(self, healthy: Mapping[str, Range], images: int) -> None:
        self._healthy, self._images = healthy, images
        self._reports_with: dict[str, int] = {}  # by symptom, in a row until now

    def check(
        self,
        values: Mapping[str, float],
        real: BatchStatistics,
        fake: BatchStatistics,
        in_training: bool = True,
    ) -> list[str]:
        """Take what one step reported, by name, and its batches; return what it is time to say.

        Raises `Diverged` if a number is NaN or infinite.
        """
        if not all(map(math.isfinite, (*values.values(), *real, *fake))):
            raise Diverged(say(DIVERGED))
        symptoms = [  # name, whether it is there, reports in a row until it is said, advice
            ("few images", self._images < 2000, 1, BY_HEART),
            ("evaluation mode", not in_training, 1, EVALUATION),
            ("alike", fake.variety < 0.1 * real.variety, PATIENCE, ALIKE),
            ("copies", fake.nearest < 0.4 * real.nearest, LONG, COPIES),
            ("pale", reach(real, fake) < 0.8, LONG, PALE),
        ]
        for name, range in self._healthy.items():
            if name in values:
                outside = not range.least <= values[name] <= range.most
                symptoms.append((f"number {name}", outside, PATIENCE, range.advice))
        warnings = []
        for name, present, patience, advice in symptoms:
            self._reports_with[name] = self._reports_with.get(name, 0) + 1 if present else 0
            if self._reports_with[name] == patience:
                warnings.append(advice)
        return warnings


def reach(real: BatchStatistics, fake: BatchStatistics) -> float:
    """Return which share of the real range generated images reach, from its other end."""
    span = real.brightest - real.darkest
    up, down = fake.brightest - real.darkest, real.brightest - fake.darkest
    return min(up, down) / span if span > 0 else 1.0


def variety(images: Tensor) -> Tensor:
    """Return how much images (B, C, S, S) differ: standard deviation, averaged over pixels."""
    return images.detach().float().std(dim=0, correction=0).mean()


def batch_statistics(images: Tensor) -> Tensor:
    """Return the `BatchStatistics` of images (B, C, S, S), as a tensor (4,) on their device."""
    flat = images.detach().float().flatten(1)  # (B, C S S)
    apart = torch.cdist(flat, flat) / flat.shape[1] ** 0.5  # (B, B)
    apart.fill_diagonal_(math.inf)
    nearest = apart.amin(1).mean() if len(flat) > 1 else flat.new_zeros(())
    return torch.stack([variety(images), nearest, flat.min(), flat.max()])
