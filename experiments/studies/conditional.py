"""What do labels bring, and what does a classifier learn from samples?

Draws 50,000 samples of each run, or a million, and measures them; real digits in their place are
kinds as well. results/conditional/ keeps 100 images of each run, a row for each digit.

The rate is tried apart, with another seed: what the nearest-neighbor classifier then misreads are
MNIST's last training digits, which those runs have not seen.
"""

import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dcgan_utils import judging, plots
from dcgan_utils.data import Images, load_images, load_source
from dcgan_utils.sampling import classes_in_turn

from .. import measures, store
from ..classify_from_samples import CLASSES, answers_of_network, class_distances
from ..conditional_networks import AUTHORS, KINDS, config_of, new_training
from ..harness import Key, Result, Study
from ..store import Row, numbers, select, spread

SAMPLES, JUDGED = 50_000, 10_000  # drawn at a time; shown to the judge
FIRST = (1000, 10_000, 50_000)  # images that the nearest-neighbor classifier knows
LIBRARIES = (*FIRST, 60_000, 300_000, 540_000, 1_000_000)
LONG = {"label maps": 60_000, AUTHORS: 10_000}  # steps of the runs at length
TURNS = 20  # in which samples of these two kinds are drawn, for a million
PLAIN = ("distance", "precision", "recall")  # columns that are no percentages
REAL, SHIFTED = "real digits", "all real digits, then shifted"
MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))  # pixels
NAMES = [(kind, "preset") for kind in (REAL, SHIFTED, *KINDS) if kind != AUTHORS]
NAMES += [(kind, "at length") for kind in LONG]
RATES = {"half the rate": 0.5, "the rate": 1.0, "twice the rate": 2.0}  # times the preset's
TRIED, TRIED_SEED, UNSEEN = ("label maps", "projection"), "100", 10_000  # kinds; training digits
PLAN = [
    {"kind": kind, "length": length, "seed": str(seed)}
    for kind, length in NAMES
    for seed in range(1 if kind == SHIFTED or length == "at length" else 3)
]
PLAN += [{"kind": k, "length": rate, "seed": TRIED_SEED} for k in TRIED for rate in RATES]


def execute(key: Key) -> Result:
    """Train and measure one run, or measure real digits in its place."""
    kind, seed = key["kind"], int(key["seed"])
    row: dict[str, object] = {}
    prefix = "unseen_" if key["length"] in RATES else ""
    parts: Iterator[Tensor]  # the same labels are those of each
    labels: Tensor | None
    learned, test = load_source("mnist").split()
    if kind in (REAL, SHIFTED):
        order = torch.randperm(len(learned), generator=torch.Generator().manual_seed(seed))
        chosen, moves = (order[:SAMPLES], MOVES[:1]) if kind == REAL else (order, MOVES)
        labels = learned.labels[chosen]
        parts = (learned.pixels[chosen].roll(move, (2, 3)) for move in moves)
    else:
        length = {"steps": LONG[kind]} if key["length"] == "at length" else {}
        config = config_of(kind, data="mnist", seed=seed, **length)
        images = load_images(config)
        if prefix:
            config = replace(config, learning_rate=RATES[key["length"]] * config.learning_rate)
            images, _ = replace(images, held_out=UNSEEN).split()
            _, test = replace(learned, held_out=UNSEEN).split()
        training = new_training(kind, config, images)
        training.run()
        row |= {"steps": training.step, "seconds": f"{training.seconds:.0f}"}
        labels = classes_in_turn(SAMPLES, CLASSES * config.conditional)
        turns = range(TURNS if kind in LONG and not prefix else 1)
        parts = (measures.draw(training.sampler, config, SAMPLES, turn) for turn in turns)
    pixels = next(parts)
    found, shown = measures.judged(pixels[:JUDGED]), pixels[:100]
    if labels is not None:  # without labels, nothing can be learned from samples
        read_as = judging.classify(pixels[:JUDGED]).probabilities.argmax(1)
        found["obeyed"] = float((read_as == labels[:JUDGED].numpy()).mean())
        errors = learn(pixels, labels, parts, test)
        found |= {prefix + name: error for name, error in errors.items()}
        shown = torch.cat([pixels[labels == digit][:10] for digit in range(CLASSES)])
    name = "-".join(key.values()).replace(" ", "-").replace("'", "")
    picture = plots.mosaic_png(shown, columns=10)
    return Result({"conditional": [row | found]}, {f"conditional/{name}.png": picture})


def learn(
    pixels: Tensor, labels: Tensor, further: Iterable[Tensor], test: Images
) -> dict[str, float]:
    """Return how wrong classifiers are about some digits that learned from samples.

    `further` are more samples, as many and of the same labels each time, for the nearest neighbor.
    """

    def wrong(answers: Tensor) -> float:
        return float((answers != test.labels).double().mean())

    found = {"network": wrong(answers_of_network(pixels, labels, test.pixels))}
    nearest, known = torch.full((len(test), CLASSES), torch.inf), 0
    first = zip(pixels.tensor_split(FIRST), labels.tensor_split(FIRST))
    for part, own in itertools.chain(first, ((part, labels) for part in further)):
        if len(part):
            nearest = torch.minimum(nearest, class_distances(test.pixels, part, own))
            known += len(part)
            if known in LIBRARIES:
                found[f"nearest_{known}"] = wrong(nearest.argmin(1))
    return found


def of_metrics(rows: Sequence[Row]) -> list[list[object]]:
    """Return a machine's line for each kind and length: means and extremes of the metrics."""
    libraries = {f"nearest_{count}": f"1-NN error, {count:,}" for count in LIBRARIES}
    head = ("samples of", "runs", "steps", *PLAIN, "as asked", *libraries.values())
    lines: list[list[object]] = [[*head, "small network", "seconds"]]
    for kind, length in NAMES:
        if own := select(rows, kind=kind, length=length):
            name = kind if length == "preset" else f"{kind}, {length}"
            cells = [name, len(own), own[0].get("steps") or "-"]
            cells += [spread(numbers(own, column)) for column in PLAIN]
            shares = ("obeyed", *libraries, "network")
            cells += [spread(numbers(own, column, 100), unit="%") for column in shares]
            seconds = numbers(own, "seconds")
            lines.append([*cells, f"{statistics.mean(seconds):.0f}" if seconds else "-"])
    return lines


def tables() -> dict[str, str]:
    """Return the table of all kinds and lengths."""
    return {"conditional": store.table(store.read("conditional"), of_metrics)}


STUDY = Study("10", PLAN, execute, tables, minutes=6, files=("conditional",))
