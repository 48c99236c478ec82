"""Rows of measurements: CSV files in results/, choosing among them, and Markdown tables of them."""

import csv
import io
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch

from dcgan_utils.device import choose_device, choose_precision, device_name
from dcgan_utils.files import write_file

Row = Mapping[str, str]

RESULTS = Path(__file__).with_name("results")
MACHINE = ("device", "threads", "number_format", "torch")  # columns; rows that differ never mix


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of results/NAME.csv; none if there is no such file."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write results/NAME.csv, whole or not at all; a column that a row lacks stays empty in it."""
    columns = dict.fromkeys(column for row in rows for column in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: as_cell(row[column]) for column in row} for row in rows)
    write_file(RESULTS / f"{name}.csv", text.getvalue().encode())


def as_cell(value: object) -> object:
    """Return a float with four digits, NaN as an empty cell, and anything else as it is."""
    return f"{value:.4g}".replace("nan", "") if isinstance(value, float) else value


def this_machine(threads: int) -> dict[str, str]:
    """Return the cells that name this machine; PyTorch's version without the wheel's suffix."""
    device = choose_device("auto")
    return {
        "device": device_name(device),
        "threads": str(threads),
        "number_format": choose_precision("auto", device),
        "torch": torch.__version__.split("+")[0],
    }


def groups(rows: Iterable[Row], *columns: str) -> dict[tuple[str, ...], list[Row]]:
    """Return the rows by what stands in some columns, in the order in which that first comes."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in columns), []).append(row)
    return found


def largest(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the machine that has made the most of them."""
    return max(groups(rows, *MACHINE).values(), key=len, default=[])


def select(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """Return the rows that have all these values."""
    return [row for row in rows if all(row[key] == str(wanted[key]) for key in wanted)]


def numbers(rows: Iterable[Row], column: str, factor: float = 1) -> list[float]:
    """Return a column's numbers, times a factor, of the rows that have one."""
    return [factor * float(row[column]) for row in rows if row.get(column)]


def spread(
    values: Sequence[float],
    form: str = ".3g",
    unit: str = "",
    average: Callable[[Sequence[float]], float] = statistics.mean,
) -> str:
    """Return mean and extremes, "5.1 (4.2 to 5.9)"; of a single value, that value; "-" of none."""
    if not values:
        return "-"
    middle = f"{average(values):{form}}{unit}"
    return middle + f" ({min(values):{form}} to {max(values):{form}})" * (len(values) > 1)


def markdown(lines: Sequence[Sequence[object]]) -> str:
    """Return lines of cells, the first one the header, as a Markdown table."""
    rows = ["| " + " | ".join(map(str, cells)) + " |" for cells in lines]
    return "\n".join([rows[0], "|---" * len(lines[0]) + "|", *rows[1:]])


def table(rows: Iterable[Row], lines_of: Callable[[list[Row]], Sequence[Sequence[object]]]) -> str:
    """Return a Markdown table for each machine, under a line that says which one it is.

    `lines_of` makes the lines of cells, the first one the header, of one machine's rows.
    """
    parts = []
    for (device, threads, number_format, version), own in groups(rows, *MACHINE).items():
        threads = f"{threads} thread" + "s" * (threads != "1") if threads else ""
        data = own[0].get("data", "MNIST")
        named = (data, device, threads, number_format, f"torch {version}")
        parts.append(f"{', '.join(filter(None, named))}:\n\n{markdown(lines_of(own))}")
    return "\n\n".join(parts)


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Return a page with the table of each name between `<!-- name -->` and `<!-- end -->`."""
    place = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return place.sub(lambda found: f"{found[1]}{tables[found[2]]}\n{found[3]}", page)
