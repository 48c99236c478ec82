"""Tables of what labels bring and samples teach, as `experiments.conditional` measured it."""

from collections.abc import Sequence

from .conditional import LIBRARIES, MILLION, SAMPLES
from .rules_report import Row, numbers, select, spread
from .tables import markdown


def table(rows: Sequence[Row]) -> str:
    """Return the runs' means and extremes, a line for each kind and length, machine by machine."""
    libraries = [f"nearest_{count}" for count in (*LIBRARIES, MILLION)]
    head = ["samples of", "runs", "steps", "distance", "precision", "recall", "as asked"]
    head += [f"1-NN error, {count:,}" for count in (*LIBRARIES, MILLION)]
    lines = []
    for own, name in by_kind(rows):
        cells = [name, len(own), own[0]["steps"] or "-"]
        cells += [spread(numbers(own, column)) for column in ("distance", "precision", "recall")]
        cells += [percent(own, column) for column in ("obeyed", *libraries, "network")]
        seconds = numbers(own, "seconds") if own[0]["seconds"] else []
        lines.append([*cells, f"{sum(seconds) / len(seconds):.0f}" if seconds else "-"])
    return of_machine(rows, [*head, "small network", "seconds"], lines)


def near_table(rows: Sequence[Row]) -> str:
    """Return how near 50,000 samples come to the test digits, and what that does to the error."""
    head = ["samples of", "runs", "to the own class", "to the others", "wrong"]
    head += ["wrong, other classes real", "wrong, own class real"]
    measured_rows = [row for row in rows if row["own"]]
    lines = []
    for own, name in by_kind(measured_rows):
        cells = [name, len(own), *(spread(numbers(own, column)) for column in ("own", "other"))]
        errors = (f"nearest_{SAMPLES}", "wrong_by_own", "wrong_by_other")
        lines.append([*cells, *(percent(own, column) for column in errors)])
    return of_machine(measured_rows, head, lines)


def percent(rows: Sequence[Row], column: str) -> str:
    """Return mean and extremes of shares in percent; a dash if they were not measured."""
    if rows[0][column] == "":
        return "-"
    return spread([100 * share for share in numbers(rows, column)], "%")


def by_kind(rows: Sequence[Row]) -> list[tuple[list[Row], str]]:
    """Return the rows of each kind and length, and what the tables call it."""
    kinds = dict.fromkeys((row["kind"], row["length"]) for row in rows)
    return [
        (
            select(rows, kind=kind, length=length),
            kind if length == "preset" else f"{kind}, {length}",
        )
        for kind, length in kinds
    ]


def of_machine(rows: Sequence[Row], head: list[str], lines: list[list[object]]) -> str:
    """Return a table of one machine's rows, which says which machine that is."""
    return f"MNIST, {rows[0]['device']}, torch {rows[0]['torch']}:\n\n{markdown([head, *lines])}"


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """Return the tables of RESULTS.md by name, each machine by machine."""
    made = {"conditional": table, "conditional_near": near_table}
    return {
        name: "\n\n".join(make(of_one) for of_one in by_machine(rows))
        for name, make in made.items()
    }


def by_machine(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each machine and version."""
    names = dict.fromkeys((row["device"], row["torch"]) for row in rows)
    return [select(rows, device=device, torch=version) for device, version in names]
