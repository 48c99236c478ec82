"""What labels bring, and what samples teach a classifier: `python -m experiments.conditional`.

Needs MNIST. Trains each kind of `experiments.asked` with three seeds, at the length of the preset
`conditional`, and some once at length; draws 50,000 samples of each run, or a million, and measures
them.
Each run has a process of its own with one thread, two at a time. Rows that this machine has made
are not made again; rows of another machine or another PyTorch never share a table with these.

  results/conditional.csv  one row a run, and one for real digits in place of samples
  results/conditional/     100 samples of each run, a row for each digit

`--only KIND` makes one kind, `--list` names what is left.
"""

import argparse
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcgan_utils import judging, plots
from dcgan_utils.config import Config, preset
from dcgan_utils.data import load_images, load_source
from dcgan_utils.files import write_file
from dcgan_utils.judging import LEARNED, frechet_distance, share_among
from dcgan_utils.sampling import classes_in_turn, sample_new

from .asked import AUTHORS, KINDS, new_training
from .command import each_in_a_process, new_parser, require_known, require_mnist
from .rules import machine
from .tables import RESULTS, read, to_csv
from .taught import Nearest, error_of_network

SEEDS = 3
SAMPLES, JUDGED, OF_A_CLASS = 50_000, 10_000, 1000  # drawn; for the judge; of each digit, at most
LIBRARIES = (1000, 10_000, 50_000)  # samples that the nearest-neighbor classifier knows
MILLION = 1_000_000  # or as many, of the kinds in MANY
LONG = {"label maps": 60_000, AUTHORS: 10_000}  # steps of the runs at length
MANY = ("label maps", AUTHORS)
REAL = "real digits"


@dataclass(frozen=True)
class Run:
    """One run of the plan, or real digits in its place."""

    kind: str
    length: str  # "preset" or "at length"
    seed: int

    @property
    def config(self) -> Config:
        """Its settings."""
        settings = dict(KINDS[self.kind].settings)
        if self.length == "at length":
            settings["steps"] = LONG[self.kind]
        return preset("conditional", data="mnist", seed=self.seed, **settings)

    @property
    def picture(self) -> Path:
        """Where its samples are kept."""
        name = f"{self.kind} {self.length} {self.seed}".replace(" ", "-").replace("'", "")
        return RESULTS / "conditional" / f"{name}.png"


PLAN = [
    *(Run(REAL, "preset", seed) for seed in range(SEEDS)),
    *(Run(kind, "preset", seed) for seed in range(SEEDS) for kind in KINDS if kind != AUTHORS),
    *(Run(kind, "at length", 0) for kind in LONG),
]


@functools.cache
def real_features() -> list[np.ndarray]:
    """Return features (OF_A_CLASS, 64) of each class's digits that the judge did not learn from."""
    learned, _ = load_source("mnist").split()
    pixels, labels = learned.pixels[LEARNED:], learned.labels[LEARNED:]
    return [judging.classify(pixels[labels == digit][:OF_A_CLASS]).features for digit in range(10)]


def of_each_class(features: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return distance and recall of samples' features (N, 64), class by class, labels (N,)."""
    found: dict[str, float] = {}
    for digit, real in enumerate(real_features()):
        own = features[labels == digit][:OF_A_CLASS]
        enough = len(own) > 100
        found[f"distance_{digit}"] = frechet_distance(own, real) if enough else float("nan")
        found[f"recall_{digit}"] = share_among(real, own) if enough else 0.0
    return found


def measured(
    pixels: Tensor, labels: Tensor | None, further: Iterable[Tensor] = ()
) -> dict[str, float]:
    """Return all metrics of samples and of what they were to show.

    Parameters
    ----------
    pixels, labels
        The samples, (50,000, 1, 28, 28) uint8, and what was asked for, (50,000,), in turn.
    further
        More samples, as many and of the same labels each time, for the last of the libraries.
    """
    test = load_source("mnist").split()[1]
    keys = ("distance", "precision", "recall", "top_probability", "rarest", "most_frequent")
    seen = judging.classify(pixels[:JUDGED])
    read_as = seen.probabilities.argmax(1)
    metrics = {key: judging.METRICS[key] for key in keys}
    found = judging.measure(seen, judging.stored_reference(), metrics)
    found |= of_each_class(seen.features, read_as if labels is None else labels[:JUDGED].numpy())
    if labels is None:  # nothing can be learned from samples without labels
        return found
    asked = labels[:JUDGED].numpy()
    found["obeyed"] = float((seen.probabilities.argmax(1) == asked).mean())
    found |= {
        f"obeyed_{digit}": float((read_as[asked == digit] == digit).mean()) for digit in range(10)
    }
    nearest, before = Nearest(test.pixels), 0
    for count in LIBRARIES:
        nearest.learn(pixels[before:count], labels[before:count])
        found[f"nearest_{count}"] = share_wrong(nearest.labels, test.labels)
        before = count
    own, other = nearest.own_and_other(test.labels)
    real_own, real_other = near_real_digits()
    found |= {"own": float(own.mean()), "other": float(other.mean())}
    found["wrong_by_own"] = float((real_other < own).float().mean())
    found["wrong_by_other"] = float((other < real_own).float().mean())
    found["network"] = error_of_network(pixels, labels, test.pixels, test.labels)
    for more in further:
        nearest.learn(more, labels)
        before += len(more)
    if before > SAMPLES:
        found[f"nearest_{before}"] = share_wrong(nearest.labels, test.labels)
        own, other = nearest.own_and_other(test.labels)
        found |= {"own_of_many": float(own.mean()), "other_of_many": float(other.mean())}
    return found


@functools.cache
def near_real_digits() -> tuple[Tensor, Tensor]:
    """Return how near test digits are to the nearest of 50,000 real digits: own class, others."""
    test = load_source("mnist").split()[1]
    nearest = Nearest(test.pixels)
    nearest.learn(*real_library(0))
    return nearest.own_and_other(test.labels)


def real_library(seed: int) -> tuple[Tensor, Tensor]:
    """Return 50,000 of the training digits, drawn by a seed, with their labels."""
    learned, _ = load_source("mnist").split()
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(learned), generator=random)[:SAMPLES]
    return learned.pixels[chosen], learned.labels[chosen]


def share_wrong(answers: Tensor, truth: Tensor) -> float:
    """Return how many of some answers (N,) are not the true ones (N,)."""
    return float((answers != truth).float().mean())


def execute(run: Run, threads: int) -> tuple[dict[str, object], bytes]:
    """Train and measure one run, or measure real digits; return its row and its picture."""
    torch.set_num_threads(threads)
    row: dict[str, object] = {**name_of(run), **machine(threads)}
    labels: Tensor | None
    further: Iterable[Tensor] = ()
    if run.kind == REAL:
        pixels, labels = real_library(run.seed)
        row |= {"steps": "", "seconds": "", "number_format": ""}
    else:
        config = run.config
        training = new_training(KINDS[run.kind], config, load_images(config))
        training.run(steps=training.total)
        libraries = (
            judging.to_judged_size(
                sample_new(training.sampler, SAMPLES, config.latent, seed), config.fit
            )
            for seed in range(MILLION // SAMPLES if run.kind in MANY else 1)
        )
        pixels, further = next(libraries), libraries
        labels = classes_in_turn(SAMPLES, 10 if config.conditional else 0)
        row |= {"steps": training.step, "seconds": f"{training.seconds:.0f}"}
        row["number_format"] = training.precision
    found = measured(pixels, labels, further)
    row |= {name: f"{found[name]:.4g}" if name in found else "" for name in COLUMNS}
    shown = pixels[:100]
    if labels is not None:
        shown = torch.cat([pixels[labels == digit][:10] for digit in range(10)])
    return row, plots.mosaic_png(shown, columns=10)


def in_order(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows in the order of the plan, whenever they were made."""
    places = {tuple(name_of(run).values()): place for place, run in enumerate(PLAN)}
    return sorted(rows, key=lambda row: places[row["kind"], row["length"], row["seed"]])


def name_of(run: Run) -> dict[str, str]:
    """Return the cells that name a run."""
    return {"kind": run.kind, "length": run.length, "seed": str(run.seed)}


COLUMNS = [
    *("distance", "precision", "recall", "top_probability", "rarest", "most_frequent", "obeyed"),
    *(f"nearest_{count}" for count in LIBRARIES),
    f"nearest_{MILLION}",
    *("own", "other", "wrong_by_own", "wrong_by_other", "own_of_many", "other_of_many", "network"),
    *(f"{name}_{digit}" for name in ("obeyed", "distance", "recall") for digit in range(10)),
]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    kinds = list(dict.fromkeys(run.kind for run in PLAN))
    parser = new_parser("conditional", __doc__)
    parser.add_argument("--only", action="append", metavar="KIND", help="this kind; repeatable")
    parser.add_argument("--length", choices=("preset", "at length"), help="only these runs")
    parser.add_argument("--list", action="store_true", help="name what is left, and stop")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    options = parser.parse_args(arguments)
    require_known(parser, "kind", options.only or [], kinds)
    for name in ("jobs", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; allowed: 1 or more")
    return options


def main() -> None:
    """Make the rows that this machine has not made yet."""
    options = parse()
    require_mnist()
    path, here = RESULTS / "conditional.csv", machine(options.threads)
    rows = read(path)
    done = [{key: row[key] for key in (*name_of(PLAN[0]), *here)} for row in rows]
    left = [
        run
        for run in PLAN
        if run.kind in (options.only or (run.kind,))
        and run.length in (options.length or run.length)
        and name_of(run) | here not in done
    ]
    print(f"{len(left)} runs are left.", flush=True)
    if options.list:
        print("\n".join(f"{run.kind}, {run.length}, seed {run.seed}" for run in left))
        return
    (RESULTS / "conditional").mkdir(exist_ok=True)
    work = functools.partial(execute, threads=options.threads)
    for number, (run, (row, picture)) in enumerate(each_in_a_process(work, left, options.jobs), 1):
        rows = in_order([*rows, {key: str(value) for key, value in row.items()}])
        write_file(run.picture, picture)
        write_file(path, to_csv(rows))
        print(f"{number} of {len(left)}: {run.kind}, {run.length}, seed {run.seed}:", end=" ")
        print(row["distance"], row["nearest_50000"], flush=True)


if __name__ == "__main__":
    main()
