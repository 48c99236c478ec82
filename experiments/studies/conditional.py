"""What do labels bring, and what does a classifier learn from samples?

Draws 50,000 samples of each run, or a million, and measures them; real digits in their place are a
kind as well. results/conditional/ keeps 100 images of each, a row for each digit.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from dcgan_utils import judging, plots
from dcgan_utils.config import preset
from dcgan_utils.data import load_images, load_source
from dcgan_utils.sampling import classes_in_turn

from .. import measures, store
from ..classify_from_samples import CLASSES, answers_of_network, class_distances, own_and_other
from ..conditional_networks import AUTHORS, KINDS, new_training
from ..harness import Key, Result, Study
from ..store import Row, numbers, select, spread

SAMPLES, JUDGED, OF_A_CLASS = 50_000, 10_000, 1000  # drawn; for the judge; of each digit, at most
LIBRARIES = (1000, 10_000, 50_000)  # samples that the nearest-neighbor classifier knows
MILLION = 1_000_000  # or as many, of the kinds in LONG
LONG = {"label maps": 60_000, AUTHORS: 10_000}  # steps of the runs at length
REAL = "real digits"
NAMES = [(kind, "preset") for kind in (REAL, *KINDS) if kind != AUTHORS]
NAMES += [(kind, "at length") for kind in LONG]
PLAN = [
    {"kind": kind, "length": length, "seed": str(seed)}
    for kind, length in NAMES
    for seed in range(3 if length == "preset" else 1)
]


def execute(key: Key) -> Result:
    """Train and measure one run, or measure real digits in its place."""
    kind, seed = key["kind"], int(key["seed"])
    row: dict[str, object] = {}
    labels: Tensor | None
    further: Iterator[Tensor] = iter(())
    if kind == REAL:
        pixels, labels = real_library(seed)
    else:
        settings = KINDS[kind].settings
        if key["length"] == "at length":
            settings = settings | {"steps": LONG[kind]}
        config = preset("conditional", data="mnist", seed=seed, **settings)
        training = new_training(KINDS[kind], config, load_images(config))
        training.run()
        row |= {"steps": training.step, "seconds": f"{training.seconds:.0f}"}
        turns = range(MILLION // SAMPLES if kind in LONG else 1)
        further = (measures.draw(training.sampler, config, SAMPLES, turn) for turn in turns)
        pixels, labels = next(further), classes_in_turn(SAMPLES, CLASSES * config.conditional)
    found, shown = judge(pixels, labels), pixels[:100]
    if labels is not None:  # without labels, nothing can be learned from samples
        found |= learn(pixels, labels, further)
        shown = torch.cat([pixels[labels == digit][:10] for digit in range(CLASSES)])
    row |= {name: f"{value:.4g}" for name, value in found.items()}
    name = "-".join(key.values()).replace(" ", "-").replace("'", "")
    picture = plots.mosaic_png(shown, columns=10)
    return Result({"conditional": [row]}, {f"conditional/{name}.png": picture})


def judge(pixels: Tensor, labels: Tensor | None) -> dict[str, float]:
    """Return what the judge finds in samples (N, 1, 28, 28), and in those of each class.

    The class is what was asked for, labels (N,), or else what a sample is read as.
    """
    seen = judging.classify(pixels[:JUDGED])
    read_as = seen.probabilities.argmax(1)
    asked = read_as if labels is None else labels[:JUDGED].numpy()
    metrics = {name: judging.METRICS[name] for name in measures.KEYS}
    found = judging.measure(seen, judging.stored_reference(), metrics)
    learned = load_source("mnist").split()[0]
    unseen, truth = learned.pixels[judging.LEARNED :], learned.labels[judging.LEARNED :]
    for digit in range(CLASSES):
        real = judging.classify(unseen[truth == digit][:OF_A_CLASS]).features
        own = seen.features[asked == digit][:OF_A_CLASS]
        enough = len(own) > 100
        found[f"distance_{digit}"] = judging.frechet_distance(own, real) if enough else float("nan")
        found[f"recall_{digit}"] = judging.share_among(real, own) if enough else 0.0
        if labels is not None:
            found[f"obeyed_{digit}"] = float((read_as[asked == digit] == digit).mean())
    return found if labels is None else found | {"obeyed": float((read_as == asked).mean())}


def learn(pixels: Tensor, labels: Tensor, further: Iterable[Tensor]) -> dict[str, float]:
    """Return how wrong classifiers are about MNIST's test digits that learned from samples.

    `further` are more samples, as many and of the same labels each time, for the nearest neighbor.
    """
    test = load_source("mnist").split()[1]

    def wrong(answers: Tensor) -> float:
        return float((answers != test.labels).double().mean())

    found = {}
    for count in LIBRARIES:
        distances = class_distances(test.pixels, pixels[:count], labels[:count])
        found[f"nearest_{count}"] = wrong(distances.argmin(1))
    own, other = own_and_other(distances, test.labels)
    real = class_distances(test.pixels, *real_library(0))
    real_own, real_other = own_and_other(real, test.labels)
    found |= {"own": float(own.mean()), "other": float(other.mean())}
    found["wrong_by_own"] = float((real_other < own).double().mean())
    found["wrong_by_other"] = float((other < real_own).double().mean())
    found["network"] = wrong(answers_of_network(pixels, labels, test.pixels))
    for part in further:
        distances = torch.minimum(distances, class_distances(test.pixels, part, labels))
        found[f"nearest_{MILLION}"] = wrong(distances.argmin(1))
    return found


def real_library(seed: int) -> tuple[Tensor, Tensor]:
    """Return 50,000 of the training digits, drawn by a seed, with their labels."""
    learned, _ = load_source("mnist").split()
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(learned), generator=random)[:SAMPLES]
    return learned.pixels[chosen], learned.labels[chosen]


def tables() -> dict[str, str]:
    """Return the table of all metrics, and that of how near samples come to the test digits."""
    rows = store.read("conditional")
    near = [row for row in rows if row.get("own")]
    return {
        "conditional": store.table(rows, of_metrics),
        "conditional_near": store.table(near, of_distances),
    }


def of_metrics(rows: Sequence[Row]) -> list[list[object]]:
    """Return a machine's line for each kind and length: means and extremes of the metrics."""
    libraries = {f"nearest_{count}": f"1-NN error, {count:,}" for count in (*LIBRARIES, MILLION)}
    head = ["samples of", "runs", "steps", "distance", "precision", "recall", "as asked"]
    lines: list[list[object]] = [[*head, *libraries.values(), "small network", "seconds"]]
    for name, own in by_name(rows):
        seconds = numbers(own, "seconds")
        cells = [name, len(own), own[0].get("steps") or "-"]
        cells += [spread(numbers(own, column)) for column in ("distance", "precision", "recall")]
        cells += [percent(own, column) for column in ("obeyed", *libraries, "network")]
        lines.append([*cells, f"{statistics.mean(seconds):.0f}" if seconds else "-"])
    return lines


def of_distances(rows: Sequence[Row]) -> list[list[object]]:
    """Return how near 50,000 samples come to the test digits, and what that does to the error."""
    head = ["samples of", "runs", "to the own class", "to the others", "wrong"]
    lines: list[list[object]] = [[*head, "wrong, other classes real", "wrong, own class real"]]
    for name, own in by_name(rows):
        cells = [name, len(own), *(spread(numbers(own, column)) for column in ("own", "other"))]
        errors = (f"nearest_{SAMPLES}", "wrong_by_own", "wrong_by_other")
        lines.append([*cells, *(percent(own, column) for column in errors)])
    return lines


def by_name(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows of each kind and length under its name, in the order of the plan."""
    groups = [(kind, length, select(rows, kind=kind, length=length)) for kind, length in NAMES]
    return [
        (k if length == "preset" else f"{k}, {length}", own) for k, length, own in groups if own
    ]


def percent(rows: Sequence[Row], column: str) -> str:
    """Return mean and extremes of shares in percent."""
    return spread(numbers(rows, column, 100), unit="%")


STUDY = Study("10", PLAN, execute, tables, minutes=8, files=("conditional",))
