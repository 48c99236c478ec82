"""How a run stands, and noticing while it is under way that it is going wrong."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..config import UserError
from ..losses import Metric

PATIENCE = 4  # reports in a row that must show a symptom: early training passes through it briefly
LONG = 12  # the same, for what takes longer to go away in a healthy run
LEAST_VARIETY = 0.1  # of the real images'; below, all generated images look the same
LEAST_NEAREST = 0.4  # of the real images'; below, generated images come in near copies
LEAST_RANGE = 0.8  # of the real images' range, measured from its other end
FEWEST = 2000  # images; D can learn fewer by heart

ALIKE = (
    "The generator draws nearly the same image for every latent vector (mode collapse). Try "
    "another seed or learning rate, and check that the data differ from one another."
)
COPIES = (
    "Many generated images are near copies of one another: the generator draws only a few kinds "
    "(partial mode collapse). Try another seed or learning rate; check β₁ (0.5) and that nothing "
    "fully connected stands between z and the first convolution."
)
PALE = (
    "The generated images do not reach the darkest or the brightest values of the real ones. Check "
    "that the data lie in [-1, 1] as Tanh's output does, and that no batch norm at the "
    "discriminator's input hides the difference from it."
)
EVALUATION = (
    "A network is in evaluation mode while it trains, so that its batch norm does not normalize by "
    "the batch. Call train() on both networks before the next step."
)
BY_HEART = (
    "The discriminator can learn so few images by heart, and then tells them from all others. "
    "Compare what it says of images that it never saw; use more images, or end the run sooner."
)
DIVERGED = (
    "A loss or a weight became NaN or infinite, from which no run recovers. Lower the learning "
    "rate, compute the loss from logits, or set precision to float32."
)


class Diverged(UserError):
    """The run's numbers are no longer finite; it cannot recover."""


class Look(NamedTuple):
    """What can be told of a batch without knowing what it shows."""

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
    metrics: dict[str, float]  # this step's, by the keys of the objective's metrics
    real: Look  # this step's batches
    fake: Look
    warnings: list[str]  # what has begun to go wrong, in words


class Monitor:
    """Watches a run's metrics and says, once for each onset, what is wrong and what to try.

    What it notices in which recorded runs, notebook 08 shows.

    Parameters
    ----------
    metrics
        The objective's: each says where its value belongs, and what to say if it stays outside.
    images
        How many the run learns from.
    """

    def __init__(self, metrics: Sequence[Metric], images: int) -> None:
        self._watched = [metric for metric in metrics if metric.advice]
        own = {BY_HEART: 1, EVALUATION: 1, ALIKE: PATIENCE, COPIES: LONG, PALE: LONG}
        self._patience = own | dict.fromkeys([m.advice for m in self._watched], PATIENCE)
        self._reports_with = dict.fromkeys(self._patience, 0)
        self._images = images

    def check(
        self, values: Mapping[str, float], real: Look, fake: Look, in_training: bool = True
    ) -> list[str]:
        """Take one report's metrics and return the warnings that it is time to give.

        Parameters
        ----------
        values
            One step's metrics, by key.
        real, fake
            The step's batches.
        in_training
            Whether both networks are in training mode.

        Raises
        ------
        Diverged
            If a number is NaN or infinite.
        """
        if not all(map(math.isfinite, (*values.values(), *real, *fake))):
            raise Diverged(DIVERGED)
        present = {
            BY_HEART: self._images < FEWEST,
            EVALUATION: not in_training,
            ALIKE: real.variety > 0 and fake.variety < LEAST_VARIETY * real.variety,
            COPIES: real.nearest > 0 and fake.nearest < LEAST_NEAREST * real.nearest,
            PALE: reach(real, fake) < LEAST_RANGE,
        }
        for metric in self._watched:
            least, most = metric.healthy
            present[metric.advice] = not least <= values[metric.key] <= most
        warnings = []
        for symptom, patience in self._patience.items():
            count = self._reports_with[symptom] + 1 if present[symptom] else 0
            self._reports_with[symptom] = count
            if count == patience:
                warnings.append(symptom)
        return warnings


def reach(real: Look, fake: Look) -> float:
    """Return how far generated images reach into the real ones' range, 1 for all of it.

    Measured twice, from the darkest real value up and from the brightest down; the lesser counts.
    """
    span = real.brightest - real.darkest
    up, down = fake.brightest - real.darkest, real.brightest - fake.darkest
    return min(up, down) / span if span > 0 else 1.0


def variety(images: Tensor) -> Tensor:
    """Return how much images (B, C, S, S) differ: standard deviation, averaged over pixels."""
    return images.detach().float().std(dim=0, correction=0).mean()


def look(images: Tensor) -> Tensor:
    """Return the numbers of a `Look` at images (B, C, S, S), as a tensor (4,) on their device."""
    flat = images.detach().float().flatten(1)  # (B, C S S)
    apart = torch.cdist(flat, flat) / flat.shape[1] ** 0.5  # (B, B)
    apart.fill_diagonal_(math.inf)
    nearest = apart.amin(1).mean() if len(flat) > 1 else flat.new_zeros(())
    return torch.stack([variety(images), nearest, flat.min(), flat.max()])
