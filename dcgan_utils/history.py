"""What a run records: a row of numbers for each recorded step, and when it draws."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


class History:
    """The recorded numbers, by column.

    `step` counts finished steps, `seconds` the training time until then. The others are what the
    steps report: usually `loss_d` and `loss_g` in nats, `d_real` the mean of D(x), `d_fake_before`
    and `d_fake_after` that of D(G(z)) before and after D's own step. What a step does not report is
    NaN. Values stay on the device until `flush`, so that recording does not make it wait.
    """

    def __init__(
        self,
        probability: bool = False,
        columns: Sequence[str] = ("step", "seconds"),
        rows: Tensor | None = None,
    ):
        self.probability, self.columns = probability, tuple(columns)
        self.rows = torch.empty(0, len(self.columns), dtype=torch.float64) if rows is None else rows
        self._waiting: list[tuple[int, float, Tensor]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> Tensor:
        """Return one column, (rows,) float64."""
        return self.rows[:, self.columns.index(column)]

    @property
    def names(self) -> tuple[str, ...]:
        """What the steps reported."""
        return self.columns[2:]

    def add(self, step: int, seconds: float, values: Mapping[str, Tensor]) -> None:
        """Keep a step's numbers, scalars that are still on the device."""
        if new := [name for name in values if name not in self.columns]:
            self.flush()
            self.columns += tuple(new)
            self.rows = torch.nn.functional.pad(self.rows, (0, len(new)), value=torch.nan)
        missing = torch.full_like(next(iter(values.values())), torch.nan)
        row = torch.stack([values.get(name, missing) for name in self.names])
        self._waiting.append((step, seconds, row))

    def flush(self) -> None:
        """Read all waiting values from the device at once."""
        if not self._waiting:
            return
        steps, seconds, values = zip(*self._waiting)
        times = torch.tensor([steps, seconds], dtype=torch.float64).T  # (new rows, 2)
        read = torch.stack(values).cpu().double()  # (new rows, names); MPS has no float64
        self.rows = torch.cat([self.rows, torch.cat([times, read], dim=1)])
        self._waiting.clear()

    def to_csv(self) -> bytes:
        """Return the table as CSV with a header line."""
        lines = [",".join(self.columns)]
        for step, seconds, *values in self.rows.tolist():
            cells = [f"{step:.0f}", f"{seconds:.3f}", *(f"{value:.6g}" for value in values)]
            lines.append(",".join(cells))
        return ("\n".join(lines) + "\n").encode()


def sample_steps(total: int, frames: int) -> list[int]:
    """Return after which steps to draw the fixed latent vectors: 0 and `total`, dense at first."""
    places = torch.linspace(0, 1, frames, dtype=torch.float64) ** 2.5
    return sorted({round(place * total) for place in places.tolist()})
