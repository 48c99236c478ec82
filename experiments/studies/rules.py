"""What is each rule and each number worth?

Trains every variant from the fast recipe, the ladder from the published recipe to the fast one, and
some variants from the published recipe, with three seeds each; and the published recipe with five,
until its distance no longer falls. Each run is judged on the way.

  results/rules.csv         how each run ended
  results/rules_course.csv  the first judge's metrics and the step's on the way; those made before
                            these were kept have the distances only
  results/rules/            32 samples at the end of each run, drawn by the average
"""

import functools
import statistics
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from dcgan_utils import judging, plots
from dcgan_utils.data import load_images
from dcgan_utils.health import Diverged, variety
from dcgan_utils.training import Training

from .. import store
from ..harness import Key, Result, Study
from ..measures import draw, has_collapsed, judged
from ..second_judge import second_distance
from ..store import Row, numbers, select
from ..variants import BASES, BY_NAME, EPOCH, FURTHER, PARTS, config_of, new_training

SAMPLES, ON_THE_WAY = 5000, 2000  # that are judged at the end, and on the way
JUDGE_EVERY = {"fast": 700, "ladder": 1050, "to its end": 2 * EPOCH, "published": EPOCH}  # steps
SEEDS = {"fast": 3, "ladder": 3, "to its end": 5, "published": 3}
PATIENCE, GAIN = 3, 0.95  # when a distance no longer falls: see `no_longer_falls`
PICTURE = 32  # samples that are kept of a run
PLAN = [
    {"variant": variant.name, "base": base, "seed": str(seed)}
    for base, variants in PARTS.items()
    for seed in range(SEEDS[base])
    for variant in variants
]


def picture_of(variant: str, base: str, seed: int | str) -> str:
    """Return where a run's samples are kept, below results/."""
    for sign, word in (("×", "times"), ("÷", "over"), ("β₁", "beta1"), ("γ", "gamma")):
        variant = variant.replace(sign, word)
    words = "_".join("".join(c if c.isalnum() else " " for c in variant).split())
    return f"rules/{words}-{base.replace(' ', '_')}-{seed}.png"


def no_longer_falls(distances: Sequence[float]) -> bool:
    """Return whether none of the last three is 5% below the least of those before."""
    before, last = distances[:-PATIENCE], distances[-PATIENCE:]
    return bool(before) and min(last) > GAIN * min(before)


def train(training: Training, base: str) -> tuple[list[Row], str]:
    """Train and judge G and its average every few steps; "to its end" until G improves no more.

    Returns the rows, and a note if the run diverged.
    """
    rows: list[Row] = []
    for step in range(JUDGE_EVERY[base], training.total + 1, JUDGE_EVERY[base]):
        try:
            training.run(steps=step - training.step)
        except Diverged:
            return rows, f"diverged by step {training.step}"
        row = {"step": str(step), "seconds": f"{training.seconds:.1f}"}
        for prefix, network in {"": training.sampler, "raw_": training.generator}.items():
            found = judged(draw(network, training.config, ON_THE_WAY))
            row |= {f"{prefix}{name}": f"{value:.4g}" for name, value in found.items()}
        rows.append(row | late_metrics(training, JUDGE_EVERY[base]))
        if base == "to its end" and no_longer_falls(numbers(rows, "raw_distance")):
            break
    return rows, ""


def late_metrics(training: Training, last: int) -> dict[str, str]:
    """Return the means of the step's metrics over a run's last steps."""
    means = training.history.rows[-last:].mean(0)[2:].tolist()
    return {name: f"{value:.4g}" for name, value in zip(training.history.names, means)}


def execute(key: Key) -> Result:
    """Train and judge one run."""
    variant, base = BY_NAME[key["variant"]], key["base"]
    config = config_of(variant, BASES[base], int(key["seed"]))
    images = load_images(config)
    training = new_training(variant, config, images)
    on_the_way, note = train(training, base)
    row: dict[str, Any] = {"rule": variant.rule, "steps": training.step, "note": note}
    row |= {"batch_size": config.batch_size, "seconds": f"{training.seconds:.0f}"}
    real = float(variety(judging.to_judged_size(images.pixels[:SAMPLES], config.fit)))
    pixels = draw(training.sampler, config, SAMPLES)
    for prefix, drawn in (("", pixels), ("raw_", draw(training.generator, config, SAMPLES))):
        found = judged_at_the_end(drawn)
        row |= {prefix + name: f"{value:.4g}" for name, value in found.items()}
        gone = bool(note) or has_collapsed(found["variety"], real, found["most_frequent"])
        row[prefix + "collapsed"] = int(gone)
    row |= late_metrics(training, max(1, len(training.history) // 4))
    picture = plots.mosaic_png(pixels[:PICTURE], columns=16)
    rows = {"rules": [row], "rules_course": list(map(dict, on_the_way))}
    return Result(rows, {picture_of(**key): picture})


def judged_at_the_end(pixels: Tensor) -> dict[str, float]:
    """Return all of both judges' metrics of a run's final samples (N, 1, 28, 28) uint8."""
    others = {"second_distance": second_distance(pixels), "variety": float(variety(pixels))}
    return judged(pixels) | others


# Tables


def lines_of(rows: Sequence[Row], base: str) -> list[list[str]]:
    """Return the cells of one part's table, a line for each variant."""
    head = ["rule", "change", "seeds", "distance", "without the average"]
    head += ["second judge, × the recipe", "top probability", "precision", "recall"]
    lines = [[*head, "collapsed", "seconds"]]
    recipe = numbers(select(rows, variant=PARTS[base][0].name), "second_distance")
    unit = statistics.mean(recipe) if recipe else float("nan")
    for variant in PARTS[base]:
        if not (own := select(rows, variant=variant.name)):
            continue
        line = [variant.rule, variant.name, str(len(own))]
        line += [store.spread(numbers(own, key)) for key in ("distance", "raw_distance")]
        line.append(store.spread(numbers(own, "second_distance", 1 / unit)))
        for key, form in (("top_probability", ".3f"), ("precision", ".2f"), ("recall", ".2f")):
            line.append(f"{statistics.mean(numbers(own, key)):{form}}")
        line.append(f"{sum(numbers(own, 'collapsed')):.0f} of {len(own)}")
        lines.append([*line, f"{statistics.mean(numbers(own, 'seconds')):.0f}"])
    return lines


def tables() -> dict[str, str]:
    """Return each part's table by name."""
    rows = store.read("rules")
    return {
        f"rules_{base.replace(' ', '_')}": store.table(
            select(rows, base=base), functools.partial(lines_of, base=base)
        )
        for base in PARTS
    }


# Pictures


@plots.in_style
def picture(rows: Sequence[Row], base: str = "fast", column: str = "distance") -> Axes:
    """Draw every run of a part as a dot on one axis of distance, a line for each variant."""
    shown = [v for v in PARTS[base] if v not in FURTHER]
    variants = [v for v in shown if select(rows, base=base, variant=v.name)]
    recipe = numbers(select(rows, base=base, variant=variants[0].name), column)
    names = dict.fromkeys(PARTS, "the recipe as it is") | {"ladder": "the published recipe"}
    ax = plt.subplots(figsize=(9, 0.165 * len(variants) + 1.1))[1]  # to fit on a screen
    ax.axvspan(min(recipe), max(recipe), color=plots.COLORS["real"], alpha=0.2, lw=0)
    ax.axvline(statistics.mean(recipe), color=plots.COLORS["real"], label=names[base])
    for place, variant in enumerate(variants):
        own = select(rows, base=base, variant=variant.name)
        for collapsed, marker in (("0", "o"), ("1", "x")):
            values = numbers(select(own, collapsed=collapsed), column)
            ax.plot(values, [place] * len(values), marker, color=plots.COLORS["fake"], ms=6)
    ax.plot([], [], "o", color=plots.COLORS["fake"], label="one run")
    if select(rows, base=base, collapsed="1"):
        ax.plot([], [], "x", color=plots.COLORS["fake"], label="one run that collapsed")
    ax.set_yticks(range(len(variants)), [variant.name for variant in variants], fontsize=10)
    for before, (one, other) in enumerate(zip(variants, variants[1:])):
        if one.rule != other.rule:
            ax.axhline(before + 0.5, color="0.8", lw=0.8)
    ax.set(xscale="log", ylim=(len(variants) - 0.5, -0.5))
    ax.set_xlabel("Fréchet distance to real digits, log scale (left is better)")
    titles = {
        "fast": "Most changes cost little; a few ruin everything",
        "ladder": "The rate is worth most; what a change is worth depends on those before it",
        "published": "At the paper's own rate, after four epochs: the same few ruin everything",
    }
    ax.set_title(titles[base])
    if base == "ladder":  # within a decade
        ax.set_xticks([10, 20, 50], ["10", "20", "50"])
        ax.minorticks_off()
    ax.legend(loc=(0.46, 0.35) if base == "ladder" else "upper right", fontsize=10)
    return ax


def floor(count: int, draws: int = 10) -> float:
    """Return the mean distance of so many real test digits, drawn several times.

    The distance of few images is larger, so samples are compared with as many real digits.
    """
    reference, random = judging.stored_reference(), np.random.default_rng(0)
    values = [
        judging.METRICS["distance"].measure(
            reference.others.part(random.permutation(len(reference.others))[:count]), reference
        )
        for _ in range(draws)
    ]
    return statistics.mean(values)


@plots.in_style
def course_picture(rows: Sequence[Row], places: Sequence[Row]) -> Axes:
    """Draw how far the published recipe is from real digits over its epochs, with each seed."""
    ax = plt.subplots(figsize=(9, 4.2))[1]
    for run in select(rows, base="to its end"):
        own = select(places, **{name: run[name] for name in ("base", "seed", *store.MACHINE)})
        epochs = [step / EPOCH for step in numbers(own, "step")]
        for key, color, line, label in (
            ("raw_distance", "generator", "-", "G itself, as the paper has it"),
            ("distance", "discriminator", "--", "its average, for comparison"),
        ):
            label = label if run["seed"] == "0" else ""
            values = numbers(own, key)
            ax.plot(epochs, values, color=plots.COLORS[color], ls=line, alpha=0.8, label=label)
            ax.plot(epochs[-1], values[-1], "o", color=plots.COLORS[color])
    label = f"{ON_THE_WAY:,} real test digits"
    ax.axhline(floor(ON_THE_WAY), color=plots.COLORS["real"], ls=":", label=label)
    ax.set(yscale="log", xlabel="epochs of MNIST", ylabel="Fréchet distance, log scale")
    ax.set_yticks([2, 5, 10, 20, 50, 100, 200], ["2", "5", "10", "20", "50", "100", "200"])
    ax.minorticks_off()
    ax.legend()
    return ax


def figures() -> dict[str, bytes]:
    """Return the pictures of the machine that has made the most rows."""
    own = store.largest(store.read("rules"))
    axes = {"rules": picture(own), "rules_published": picture(own, "published")}
    axes["ladder"] = picture(own, "ladder", "raw_distance")
    axes["published"] = course_picture(own, store.read("rules_course"))
    return {name: plots.to_png(ax) for name, ax in axes.items()}


STUDY = Study(
    "02, 03, 05, 07",
    PLAN,
    execute,
    tables,
    minutes=1.5,
    files=("rules", "rules_course"),
    figures=figures,
)
