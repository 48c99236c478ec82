"""How a study's runs are made: some at a time, in processes, resumed where they were stopped."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import torch

from dcgan_utils.files import write_file
from dcgan_utils.health import Diverged

from . import store

Key = dict[str, str]  # the cells that name a run in its study, such as variant and seed


@dataclass
class Result:
    """What a run has brought: rows for each file of results/, and other files there by path."""

    rows: dict[str, list[dict[str, Any]]]
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Runs that answer a question: the first line of the file, which is named like the study."""

    notebook: str  # the numbers of those that show its rows
    plan: Sequence[Key]  # the runs; a seed is called "seed"
    execute: Callable[[Key], Result]  # makes a run; its rows get the cells of run and machine
    tables: Callable[[], dict[str, str]]  # of RESULTS.md, by name
    minutes: float  # of one run, on two CPU cores
    files: tuple[str, ...]  # of results/; a run is done if the first one has a row of it
    figures: Callable[[], dict[str, bytes]] = dict  # PNG files of figures/, by name
    threads: int = 1  # of a run
    own: Key = field(default_factory=dict)  # cells of the machine that the study sets otherwise
    jobs: int = 2  # runs at a time

    def left(self, machine: Key, plan: Sequence[Key]) -> list[Key]:
        """Return the runs of a plan of which this machine has no row."""
        done = store.select(store.read(self.files[0]), **machine)
        return [key for key in plan if not store.select(done, **key)]


def run(study: Study, plan: Sequence[Key], only_list: bool = False) -> None:
    """Make the runs of a plan that this machine has not made; store each as it is done."""
    machine = store.this_machine(study.threads) | study.own
    left = study.left(machine, plan)
    minutes = study.minutes * len(left) / min(study.jobs, max(1, len(left)))
    print(f"{len(left)} of {len(plan)} runs are left, about {minutes:.0f} minutes.", flush=True)
    if only_list:
        print("\n".join(map(name_of, left)))
        return
    for number, (key, result) in enumerate(results(study, left), 1):
        for path, content in result.files.items():
            (store.RESULTS / path).parent.mkdir(parents=True, exist_ok=True)
            write_file(store.RESULTS / path, content)
        for name in reversed(study.files):  # the first one, which says that it is done, comes last
            add_rows(name, key | machine, result.rows.get(name, []))
        print(f"{number} of {len(left)}: {name_of(key)}", flush=True)


def add_rows(name: str, cells: Key, rows: Sequence[Mapping[str, object]]) -> None:
    """Put a run's rows at the end of a file, in place of those that a stopped attempt has left."""
    kept = [r for r in store.read(name) if not all(r.get(key) == cells[key] for key in cells)]
    store.write(name, [*kept, *({**cells, **row} for row in rows)])


def name_of(key: Key) -> str:
    """Return a run's cells in words."""
    return ", ".join(f"{name} {value}" for name, value in key.items())


def results(study: Study, left: Sequence[Key]) -> Iterator[tuple[Key, Result]]:
    """Make runs and yield each as it is done: in this process, or in processes of their own.

    After an error or Ctrl-C nothing else begins, whose result would be lost.
    """
    if study.jobs == 1:
        yield from ((key, make(study, key)) for key in left)
        return
    fresh = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(study.jobs, fresh, max_tasks_per_child=1)
    try:
        under_way = {pool.submit(make, study, key): key for key in left}
        for finished in as_completed(under_way):
            yield under_way[finished], finished.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def make(study: Study, key: Key) -> Result:
    """Make one run; one that diverges is a row like any other."""
    torch.set_num_threads(study.threads)
    try:
        return study.execute(key)
    except Diverged as error:
        return Result({study.files[0]: [{"note": f"diverged: {error}"}]})


def in_fresh_process(function: Callable[..., Any], *arguments: object) -> Any:
    """Return what a function of a module returns in a new Python process with as many threads."""
    fresh, threads = multiprocessing.get_context("spawn"), torch.get_num_threads()
    with ProcessPoolExecutor(1, fresh, torch.set_num_threads, (threads,)) as pool:
        return pool.submit(function, *arguments).result()
