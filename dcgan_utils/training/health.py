"""Noticing, while a run is under way, that it is going wrong."""

import math
from collections.abc import Mapping, Sequence

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

    def check(
        self, values: Mapping[str, float], variety_real: float, variety_fake: float
    ) -> list[str]:
        """Take one report's metrics and return the warnings that it is time to give.

        Parameters
        ----------
        values
            One step's metrics, by key.
        variety_real, variety_fake
            Standard deviation over the images of a batch, averaged over the pixels.

        Raises
        ------
        Diverged
            If a number is NaN or infinite.
        """
        if not all(map(math.isfinite, (*values.values(), variety_real, variety_fake))):
            raise Diverged(DIVERGED)
        alike = variety_real > 0 and variety_fake < LEAST_VARIETY * variety_real
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
