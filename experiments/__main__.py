"""The experiments of the course: `python -m experiments list` says what there is."""

import argparse
import dataclasses
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from dcgan_utils.config import UserError
from dcgan_utils.data import load_source
from dcgan_utils.files import write_file

from . import harness, store
from .harness import Study
from .makers import MAKERS

ROOT = Path(__file__).parents[1]
STUDIES = (
    *("seeds", "recipes", "rules", "failures", "cures", "latent", "conditional", "features"),
    *("tutorials", "speed", "processes"),
)


def studies() -> dict[str, Study]:
    """Return the studies by name."""
    modules = (importlib.import_module(f"experiments.studies.{name}") for name in STUDIES)
    return {name: module.STUDY for name, module in zip(STUDIES, modules)}


def overview() -> str:
    """Return the list of all studies, as a Markdown table."""
    lines = [["study", "question", "notebook", "command", "runs", "hours", "rows", "tables"]]
    for study in studies().values():
        hours = study.minutes * len(study.plan) / study.jobs / 60
        files = ", ".join(f"{name}.csv ({len(store.read(name))})" for name in study.files)
        cells = [study.name, study.question, study.notebook]
        cells += [f"`python -m experiments run {study.name}`", str(len(study.plan))]
        lines.append([*cells, f"{hours:.1f}", files, ", ".join(study.tables())])
    return store.markdown(lines)


def report() -> None:
    """Fill the tables of RESULTS.md and of experiments/README.md, and draw the figures."""
    tables = {"studies": overview()}
    for study in studies().values():
        tables |= study.tables()
        for name, picture in study.figures().items():
            write_file(ROOT / "figures" / f"{name}.png", picture)
    for page in (ROOT / "RESULTS.md", ROOT / "experiments" / "README.md"):
        text = store.fill(page.read_text(encoding="utf-8"), tables)
        write_file(page, text.encode())


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print study, question, command, rows and tables")
    commands.add_parser("report", help="write the tables of RESULTS.md and draw the figures")
    one = commands.add_parser("run", help="make the runs of a study that this machine lacks")
    one.add_argument("study", choices=STUDIES)
    one.add_argument(
        "--only", nargs="+", default=(), metavar="NAME", help="these only; or CELL=NAME"
    )
    one.add_argument("--seeds", nargs="+", default=(), metavar="SEED", help="these seeds only")
    one.add_argument("--list", action="store_true", help="name what is left, and stop")
    one.add_argument("--jobs", type=int, help="runs at the same time")
    one.add_argument("--threads", type=int, help="of each run")
    other = commands.add_parser("make", help="make a network that is stored in the project")
    other.add_argument("network", choices=MAKERS)
    other.add_argument("--out", type=Path, metavar="FOLDER", required=True, help="a new one")
    other.add_argument("--keep", action="store_true", help="of judge: measure the stored one anew")
    return whole


def chosen(study: Study, only: Sequence[str], seeds: Sequence[str]) -> list[harness.Key]:
    """Return the runs of a plan that are asked for; `UserError` if there is no such name.

    `only` has names, any of which may stand in any cell, and names of one cell, CELL=NAME.
    """
    wanted: dict[str, set[str]] = {"seed": set(seeds)} if seeds else {}
    cells = dict.fromkeys(cell for key in study.plan for cell in key)
    for word in only:
        cell, _, name = word.partition("=")
        if cell in cells:
            wanted.setdefault(cell, set()).add(name)
        else:
            wanted.setdefault("", set()).add(word)
    for cell, names in wanted.items():
        known = set().union(*(values(key, cell) for key in study.plan))
        if unknown := names - known:
            words = f"{', '.join(unknown)} is no {cell or 'name'} in {study.name}"
            raise UserError(f"{words}; there are: {'; '.join(sorted(known)) or 'none'}")
    return [
        key
        for key in study.plan
        if all(values(key, cell) & names for cell, names in wanted.items())
    ]


def values(key: harness.Key, cell: str) -> set[str]:
    """Return what stands in a cell of a key; if it is "", in any."""
    return {key[cell]} if cell else set(key.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    options = parser().parse_args(arguments)
    if options.command == "list":
        print(overview())
    elif options.command == "report":
        report()
    elif options.command == "make":
        if options.keep and options.network != "judge":
            raise UserError(f"--keep is allowed with judge only, not with {options.network}")
        load_source("mnist")
        try:
            options.out.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"--out is {options.out}: {error.strerror}. Name a new one") from error
        MAKERS[options.network](options.out, **({"keep": True} if options.keep else {}))
    else:
        study = studies()[options.study]
        for name in ("jobs", "threads"):
            if (count := getattr(options, name)) is not None:
                if count < 1:
                    raise UserError(f"--{name} is {count}; allowed: 1 or more")
                study = dataclasses.replace(study, **{name: count})
        plan = chosen(study, options.only, options.seeds)
        if not options.list:
            load_source("mnist")
        harness.run(study, plan, options.list)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
