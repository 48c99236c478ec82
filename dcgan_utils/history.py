"""What a run recorded: one row of figures per recorded step."""

import csv
import io

import torch
from torch import Tensor

COLUMNS = ("step", "seconds", "loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")


class History:
    """The recorded figures, by column.

    `step` counts finished steps and `seconds` the training time until then; `loss_d` and `loss_g`
    are in nats; `d_real` is the mean of D(x), `d_fake_before` and `d_fake_after` the mean of
    D(G(z)) before and after the discriminator's own step, all three in [0, 1].

    Figures stay on the device until `flush`, so that recording does not make the device wait.
    """

    def __init__(self, rows: Tensor | None = None):
        self.rows = torch.empty(0, len(COLUMNS), dtype=torch.float64) if rows is None else rows
        self._waiting: list[tuple[int, float, Tensor]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> Tensor:
        """Return one column, (rows,) float64."""
        return self.rows[:, COLUMNS.index(column)]

    def add(self, step: int, seconds: float, figures: Tensor) -> None:
        """Keep a step's five figures, (5,) in the order of `COLUMNS`, still on the device."""
        self._waiting.append((step, seconds, figures))

    def flush(self) -> None:
        """Read all waiting figures from the device at once."""
        if not self._waiting:
            return
        steps, seconds, figures = zip(*self._waiting)
        times = torch.tensor([steps, seconds], dtype=torch.float64).T  # (new rows, 2)
        values = torch.stack(figures).cpu().double()  # (new rows, 5); MPS itself has no float64
        self.rows = torch.cat([self.rows, torch.cat([times, values], dim=1)])
        self._waiting.clear()

    def to_csv(self) -> bytes:
        """Return the table as CSV with a header line."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for step, seconds, *figures in self.rows.tolist():
            writer.writerow([int(step), f"{seconds:.3f}", *(f"{value:.6g}" for value in figures)])
        return text.getvalue().encode()
