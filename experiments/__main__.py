"""The experiments of the course: `python -m experiments list` says what there is."""

import argparse
import dataclasses
import importlib
import pkgutil
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
STUDIES = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "studies")])]


def studies() -> dict[str, Study]:
    """Return the studies by name."""
    return {name: importlib.import_module(f"experiments.studies.{name}").STUDY for name in STUDIES}


def overview() -> str:
    """Return a Markdown table of all studies; the first line of each one's file is its question."""
    lines = [["study", "question", "notebook", "command", "runs", "hours", "rows", "tables"]]
    for name, study in studies().items():
        question = (sys.modules[study.execute.__module__].__doc__ or "").splitlines()[0]
        hours = study.minutes * len(study.plan) / study.jobs / 60
        files = ", ".join(f"{file}.csv ({len(store.read(file))})" for file in study.files)
        cells = [name, question, study.notebook, f"`python -m experiments run {name}`"]
        cells += [str(len(study.plan)), f"{hours:.1f}", files, ", ".join(study.tables())]
        lines.append(cells)
    return store.markdown(lines)


def report() -> None:
    """Fill the tables of RESULTS.md and of experiments/README.md, and draw the figures."""
    tables = {"studies": overview()}
    for study in studies().values():
        tables |= study.tables()
        for name, picture in study.figures().items():
            write_file(ROOT / "figures" / f"{name}.png", picture)
    for page in (ROOT / "RESULTS.md", ROOT / "experiments" / "README.md"):
        write_file(page, store.fill(page.read_text(encoding="utf-8"), tables).encode())


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
    return whole


def chosen(study: Study, only: Sequence[str], seeds: Sequence[str]) -> list[harness.Key]:
    """Return the runs of a plan that are asked for; `UserError` if there is no such name.

    `only` has names, any of which may stand in any cell, and names of one cell, CELL=NAME.
    """
    known = [{n for cell, v in key.items() for n in (v, f"{cell}={v}")} for key in study.plan]
    wanted: dict[str, set[str]] = {}  # by cell; "" is any
    for word in (*only, *(f"seed={seed}" for seed in seeds)):
        if not any(word in names for names in known):
            there = "; ".join(sorted({name for key in study.plan for name in key.values()}))
            raise UserError(f"No run has {word}; there are: {there}")
        cell = word.partition("=")[0]
        wanted.setdefault(cell if cell in study.plan[0] else "", set()).add(word)
    return [
        key
        for key, names in zip(study.plan, known)
        if all(names & words for words in wanted.values())
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    options = parser().parse_args(arguments)
    if options.command == "list":
        print(overview())
    elif options.command == "report":
        report()
    elif options.command == "make":
        load_source("mnist")
        try:
            options.out.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"--out is {options.out}: {error.strerror}. Name a new one") from error
        MAKERS[options.network](options.out)
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
