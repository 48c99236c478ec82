"""What labels bring, and what samples teach a classifier: `python -m experiments.conditional`.

Needs MNIST. Trains each kind of `experiments.asked` with three seeds, at the length of the preset
`conditional`, and two of them once at length; draws 50,000 samples of each run and measures them.
Each run has a process of its own with one thread, two at a time. Rows that this machine has made
are not made again; rows of another machine or another PyTorch never share a table with these.

  results/conditional.csv  one row a run, and one for real digits in place of samples
  results/conditional/     100 samples of each run, a row for each digit

`--only KIND` makes one kind, `--list` names what is left.
"""

import argparse
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.config import Config, preset
from dcgan_utils.data import load_images, load_source, scale
from dcgan_utils.drawing import plots
from dcgan_utils.files import write_file
from dcgan_utils.judging import LEARNED
from dcgan_utils.judging.metrics import frechet_distance, share_among
from dcgan_utils.sampling import classes_in_turn, sample_new

from .asked import KINDS, new_training
from .classifier import fit
from .command import each_in_a_process, new_parser, require_known, require_mnist
from .rules import machine
from .rules_report import Row, numbers, select, spread
from .tables import RESULTS, markdown, read, to_csv

SEEDS = 3
SAMPLES, JUDGED, OF_A_CLASS = 50_000, 10_000, 1000  # drawn; for the judge; of each digit, at most
LIBRARIES = (1000, 10_000, 50_000)  # samples that the nearest-neighbor classifier knows
LONG = {"label maps": 60_000, "no labels": 60_000}  # steps of the runs at length
REAL = "real digits"
EPOCHS, RATE = 3, 0.002  # of the small network that learns from samples


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
        name = f"{self.kind} {self.length} {self.seed}".replace(" ", "-")
        return RESULTS / "conditional" / f"{name}.png"


PLAN = [
    *(Run(REAL, "preset", seed) for seed in range(SEEDS)),
    *(Run(kind, "preset", seed) for seed in range(SEEDS) for kind in KINDS),
    *(Run(kind, "at length", 0) for kind in LONG),
]


def nearest_labels(images: Tensor, known: Tensor, labels: Tensor) -> Tensor:
    """Return the labels (N,) of the known images that are nearest, pixel by pixel.

    Parameters
    ----------
    images, known
        (N, 1, S, S) and (M, 1, S, S) uint8.
    labels
        (M,) int64, of the known images.
    """
    points = images.flatten(1).float() / 255
    least, found = torch.full((len(points),), torch.inf), torch.zeros(len(points)).long()
    for part, told in zip(known.split(5000), labels.split(5000)):  # keeps memory low
        others = part.flatten(1).float() / 255
        # |p - o|^2 without |p|^2, which is the same for all o
        value, place = (others.square().sum(1) - 2 * points @ others.T).min(1)
        closer = value < least
        least[closer], found[closer] = value[closer], told[place[closer]]
    return found


def small_network() -> nn.Sequential:
    """Return a small classifier, untrained: (B, 1, 28, 28) in [-1, 1] to ten logits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def error_of_network(pixels: Tensor, labels: Tensor, test: Tensor, truth: Tensor) -> float:
    """Return how often a small network that learned from some images is wrong about others."""
    random = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = small_network()
    fit(network, pixels, labels, random, EPOCHS, RATE)
    with torch.no_grad():
        answers = torch.cat([network(scale(part)).argmax(1) for part in test.split(1000)])
    return float((answers != truth).float().mean())


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


def measured(pixels: Tensor, labels: Tensor | None) -> dict[str, float]:
    """Return all metrics of samples (50,000, 1, 28, 28) uint8 and what they were to show."""
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
    found["obeyed"] = judging.share_as_asked(seen.probabilities, asked)
    found |= {
        f"obeyed_{digit}": float((read_as[asked == digit] == digit).mean()) for digit in range(10)
    }
    for count in LIBRARIES:
        answers = nearest_labels(test.pixels, pixels[:count], labels[:count])
        found[f"nearest_{count}"] = float((answers != test.labels).float().mean())
    found["network"] = error_of_network(pixels, labels, test.pixels, test.labels)
    return found


def execute(run: Run, threads: int) -> tuple[dict[str, object], bytes]:
    """Train and measure one run, or measure real digits; return its row and its picture."""
    torch.set_num_threads(threads)
    row: dict[str, object] = {**name_of(run), **machine(threads)}
    labels: Tensor | None
    if run.kind == REAL:
        learned, _ = load_source("mnist").split()
        random = torch.Generator().manual_seed(run.seed)
        chosen = torch.randperm(len(learned), generator=random)[:SAMPLES]
        pixels, labels = learned.pixels[chosen], learned.labels[chosen]
        row |= {"steps": "", "seconds": "", "number_format": ""}
    else:
        config = run.config
        training = new_training(KINDS[run.kind], config, load_images(config))
        training.run(steps=training.total)
        drawn = sample_new(training.sampler, SAMPLES, config.latent)
        pixels = judging.to_judged_size(drawn, config.fit)
        labels = classes_in_turn(SAMPLES, 10 if config.conditional else 0)
        row |= {"steps": training.step, "seconds": f"{training.seconds:.0f}"}
        row["number_format"] = training.precision
    found = measured(pixels, labels)
    row |= {name: f"{found[name]:.4g}" if name in found else "" for name in COLUMNS}
    shown = pixels[:100]
    if labels is not None:
        shown = torch.cat([pixels[labels == digit][:10] for digit in range(10)])
    return row, plots.mosaic_png(shown, columns=10)


def name_of(run: Run) -> dict[str, str]:
    """Return the cells that name a run."""
    return {"kind": run.kind, "length": run.length, "seed": str(run.seed)}


COLUMNS = [
    *("distance", "precision", "recall", "top_probability", "rarest", "most_frequent", "obeyed"),
    *(f"nearest_{count}" for count in LIBRARIES),
    "network",
    *(f"{name}_{digit}" for name in ("obeyed", "distance", "recall") for digit in range(10)),
]


def table(rows: Sequence[Row]) -> str:
    """Return the runs' means and extremes, a line for each kind and length, machine by machine."""
    head = ["samples of", "runs", "steps", "distance", "precision", "recall", "as asked"]
    head += [f"1-NN error, {count:,}" for count in LIBRARIES] + ["small network", "seconds"]
    parts = []
    for machine_rows in by_machine(rows):
        lines = [head]
        for kind, length in dict.fromkeys((row["kind"], row["length"]) for row in machine_rows):
            own = select(machine_rows, kind=kind, length=length)
            name = kind if length == "preset" else f"{kind}, {length}"
            cells = [name, str(len(own)), own[0]["steps"] or "-"]
            for column in ("distance", "precision", "recall"):
                cells.append(spread(numbers(own, column)))
            for column in ("obeyed", *(f"nearest_{count}" for count in LIBRARIES), "network"):
                known = own[0][column] != ""
                cells.append(spread([100 * n for n in numbers(own, column)], "%") if known else "-")
            seconds = numbers(own, "seconds") if own[0]["seconds"] else []
            lines.append([*cells, f"{sum(seconds) / len(seconds):.0f}" if seconds else "-"])
        where = f"{machine_rows[0]['device']}, torch {machine_rows[0]['torch']}"
        parts.append(f"MNIST, {where}:\n\n{markdown(lines)}")
    return "\n\n".join(parts)


def by_machine(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each machine and version."""
    names = dict.fromkeys((row["device"], row["torch"]) for row in rows)
    return [select(rows, device=device, torch=version) for device, version in names]


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
        rows = [*rows, {key: str(value) for key, value in row.items()}]
        write_file(run.picture, picture)
        write_file(path, to_csv(rows))
        print(f"{number} of {len(left)}: {run.kind}, {run.length}, seed {run.seed}:", end=" ")
        print(row["distance"], row["nearest_50000"], flush=True)


if __name__ == "__main__":
    main()
