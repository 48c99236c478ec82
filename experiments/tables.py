"""Results as CSV, and the tables of RESULTS.md: `python -m experiments.tables` writes them all.

RESULTS.md holds prose, and between `<!-- name -->` and `<!-- end -->` a table that belongs to one
of the files in results/. Only what is between the marks is written.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dcgan_utils.files import write_file

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).parents[1] / "RESULTS.md"


def to_csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows of equal keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def markdown(lines: Sequence[Sequence[object]]) -> str:
    """Return lines of cells, the first one the header, as a Markdown table."""
    rows = ["| " + " | ".join(map(str, cells)) + " |" for cells in lines]
    return "\n".join([rows[0], "|---" * len(lines[0]) + "|", *rows[1:]])


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Return a page with each of its marked places filled with the table of that name.

    Raises
    ------
    KeyError
        If the page asks for a table that is not there.
    """
    place = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return place.sub(lambda found: f"{found[1]}{tables[found[2]]}\n{found[3]}", page)


def all_tables() -> dict[str, str]:
    """Return every table by name, from the files in results/."""
    from . import (
        bench,
        compare,
        conditional_report,
        features_report,
        latent,
        memory,
        processes,
        rules_report,
        seeds,
    )

    rows = read(RESULTS / "bench.csv")
    elsewhere = {  # of other machines, each in a folder of its own: `bench --out`
        f"{path.parent.name}_{name}": table
        for path in sorted(RESULTS.glob("*/bench.csv"))
        for name, table in bench.tables(read(path)).items()
    }
    return {
        "seeds": seeds.seeds_table(read(RESULTS / "seeds.csv")),
        "compare": compare.summary(read(RESULTS / "compare.csv")),
        "memory": memory.memory_table(read(RESULTS / "memory.csv")),
        "processes": processes.measured_table(read(RESULTS / "processes.csv")),
        "processes_busy": processes.measured_table(read(RESULTS / "busy.csv")),
        "processes_on_paper": processes.paper_table(),
        "latent": latent.table(read(RESULTS / "latent.csv")),
        **bench.tables(rows),
        **elsewhere,
        **rules_report.tables(read(RESULTS / "rules.csv")),
        **conditional_report.tables(read(RESULTS / "conditional.csv")),
        **features_report.tables(
            *(read(RESULTS / f"{name}.csv") for name in ("features", "verdicts", "looking"))
        ),
        **{path.stem: path.read_text(encoding="utf-8").strip() for path in RESULTS.glob("*.md")},
    }


def main() -> None:
    """Fill RESULTS.md with its tables."""
    page = fill(PAGE.read_text(encoding="utf-8"), all_tables())
    write_file(PAGE, page.encode())


if __name__ == "__main__":
    main()
