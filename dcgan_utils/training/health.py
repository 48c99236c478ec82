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
LEAST_VARIETY = 0.1  # of the real images'; below, all generated images look the same

ALIKE = (
    "The generator draws nearly the same image for every latent vector (mode collapse). Try "
    "another seed or learning rate, and check that the data differ from one another."
)
DIVERGED = (
    "A loss or a weight became NaN or infinite, from which no run recovers. Lower the learning "
    "rate, or set precision to float32."
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

    Parameters
    ----------
    metrics
        The objective's: each says where its value belongs, and what to say if it stays outside.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._watched = [metric for metric in metrics if metric.advice]
        self._reports_with = dict.fromkeys([*(m.advice for m in self._watched), ALIKE], 0)

    def check(self, values: Mapping[str, float], real: Look, fake: Look) -> list[str]:
        """Take one report's metrics and return the warnings that it is time to give.

        Parameters
        ----------
        values
            One step's metrics, by key.
        real, fake
            The step's batches.

        Raises
        ------
        Diverged
            If a number is NaN or infinite.
        """
        if not all(map(math.isfinite, (*values.values(), *real, *fake))):
            raise Diverged(DIVERGED)
        alike = real.variety > 0 and fake.variety < LEAST_VARIETY * real.variety
        present = {ALIKE: alike}
        for metric in self._watched:
            least, most = metric.healthy
            present[metric.advice] = not least <= values[metric.key] <= most
        warnings = []
        for symptom in self._reports_with:
            count = self._reports_with[symptom] + 1 if present[symptom] else 0
            self._reports_with[symptom] = count
            if count == PATIENCE:
                warnings.append(symptom)
        return warnings


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
