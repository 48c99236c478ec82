"""What the commands of this folder have in common: how they are asked, and how they run."""

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from dcgan_utils.config import UserError
from dcgan_utils.data import load_source

Item = TypeVar("Item")
Result = TypeVar("Result")


def new_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of `python -m experiments.MODULE`, whose help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def require_known(
    parser: argparse.ArgumentParser, kind: str, given: Sequence[str], known: Sequence[str]
) -> None:
    """End with one line if a name is given that is not known."""
    if unknown := [name for name in given if name not in known]:
        parser.error(f"no {kind} {', '.join(unknown)}; there are: {', '.join(known)}")


def require_mnist() -> None:
    """End with one line if MNIST can't be had."""
    try:
        load_source("mnist")
    except UserError as error:
        sys.exit(str(error))


def each_in_a_process(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int = 2
) -> Iterator[tuple[Item, Result]]:
    """Do some work on each item in a process of its own, some at a time; give results as they come.

    After an error or Ctrl-C nothing else begins, whose result would be lost.
    """
    fresh = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, fresh, max_tasks_per_child=1)
    try:
        under_way = {pool.submit(work, item): item for item in items}
        for finished in as_completed(under_way):
            yield under_way[finished], finished.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
