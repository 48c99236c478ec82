"""What a run recorded: one row of metrics for each recorded step."""

import csv
import io
from collections.abc import Sequence

import torch
from torch import Tensor

from ..losses import Metric


class History:
    """The recorded metrics, by column.

    `step` counts finished steps and `seconds` the training time until then. The other columns are
    those of the run's objective: for the usual one, `loss_d` and `loss_g` in nats, `d_real` the
    mean of D(x), `d_fake_before` and `d_fake_after` the mean of D(G(z)) before and after the
    discriminator's own step, all three in [0, 1].

    Values stay on the device until `flush`, so that recording does not make the device wait.

    Parameters
    ----------
    metrics
        What each step reports, in the order of a row.
    rows
        What was recorded before, (rows, 2 + metrics) float64.
    """

    def __init__(self, metrics: Sequence[Metric], rows: Tensor | None = None):
        self.metrics = tuple(metrics)
        self.columns = ("step", "seconds", *(metric.key for metric in metrics))
        self.rows = torch.empty(0, len(self.columns), dtype=torch.float64) if rows is None else rows
        self._waiting: list[tuple[int, float, Tensor]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> Tensor:
        """Return one column, (rows,) float64."""
        return self.rows[:, self.columns.index(column)]

    def add(self, step: int, seconds: float, values: Tensor) -> None:
        """Keep a step's metrics, (metrics,) in their order, still on the device."""
        self._waiting.append((step, seconds, values))

    def flush(self) -> None:
        """Read all waiting values from the device at once."""
        if not self._waiting:
            return
        steps, seconds, values = zip(*self._waiting)
        times = torch.tensor([steps, seconds], dtype=torch.float64).T  # (new rows, 2)
        read = torch.stack(values).cpu().double()  # (new rows, metrics); MPS has no float64
        self.rows = torch.cat([self.rows, torch.cat([times, read], dim=1)])
        self._waiting.clear()

    def to_csv(self) -> bytes:
        """Return the table as CSV with a header line."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for step, seconds, *values in self.rows.tolist():
            writer.writerow([int(step), f"{seconds:.3f}", *(f"{value:.6g}" for value in values)])
        return text.getvalue().encode()
