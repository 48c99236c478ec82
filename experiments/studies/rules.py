"""What is each rule and each number worth?

Trains every variant from the fast recipe, the ladder from the published recipe to the fast one, and
some variants from the published recipe, with three seeds each, the fast recipe itself with twenty;
and the published recipe with five, until its distance no longer falls.

rules_course.csv has the first judge's metrics on the way, results/rules/ 32 samples of each run.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

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
SEEDS = {("fast", "as it is"): 20, ("to its end", "published"): 5}  # of all others three
PATIENCE, GAIN = 3, 0.95  # when a distance no longer falls: see `no_longer_falls`
PICTURE = 32  # samples that are kept of a run
MEASURES: dict[str, Callable] = {"variety": variety, "second_distance": second_distance}
PLAN = [
    {"variant": variant.name, "base": base, "seed": str(seed)}
    for base, variants in PARTS.items()
    for variant in variants
    for seed in range(SEEDS.get((base, variant.name), 3))
]


def picture_of(variant: str, base: str, seed: int | str, folder: str = "rules") -> str:
    """Return where a run's samples are kept, below results/."""
    for sign, word in (("×", "times"), ("÷", "over"), ("β₁", "beta1"), ("γ", "gamma")):
        variant = variant.replace(sign, word)
    words = "_".join("".join(c if c.isalnum() else " " for c in variant).split())
    return f"{folder}/{words}-{base.replace(' ', '_')}-{seed}.png"


def no_longer_falls(distances: Sequence[float]) -> bool:
    """Return whether none of the last three is 5% below the least of those before."""
    before, last = distances[:-PATIENCE], distances[-PATIENCE:]
    return bool(before) and min(last) > GAIN * min(before)


def judge(training: Training, count: int, more: Mapping[str, Callable] = {}) -> dict[str, str]:
    """Return the first judge's metrics, and more, of samples of G's average and, "raw_", of G."""
    row: dict[str, str] = {}
    for prefix, network in {"": training.sampler, "raw_": training.generator}.items():
        pixels = draw(network, training.config, count)
        found = judged(pixels) | {name: float(measure(pixels)) for name, measure in more.items()}
        row |= {prefix + name: f"{value:.4g}" for name, value in found.items()}
    return row


def train(training: Training, every: int, patient: bool) -> tuple[list[dict[str, str]], str]:
    """Train and judge every few steps; if not patient, until G improves no more.

    Returns the rows, and a note if the run diverged.
    """
    rows: list[dict[str, str]] = []
    for step in range(every, training.total + 1, every):
        try:
            training.run(steps=step - training.step)
        except Diverged:
            return rows, f"diverged by step {training.step}"
        took = {"step": str(step), "seconds": f"{training.seconds:.1f}"}
        rows.append(took | judge(training, ON_THE_WAY))
        if not patient and no_longer_falls(numbers(rows, "raw_distance")):
            break
    return rows, ""


def train_and_judge(
    training: Training, every: int, patient: bool = True, more: Mapping[str, Callable] = {}
) -> tuple[dict[str, str], list[dict[str, str]], bytes]:
    """Return a run's row, with more measures of samples, those on the way, and 32 samples."""
    config, images = training.config, training.images
    on_the_way, note = train(training, every, patient)
    row = {"steps": str(training.step), "note": note}
    row |= {"batch_size": str(config.batch_size), "seconds": f"{training.seconds:.0f}"}
    row |= judge(training, SAMPLES, MEASURES | dict(more))
    real = float(variety(judging.to_judged_size(images.pixels[:SAMPLES], config.fit)))
    for prefix in ("", "raw_"):
        own, most_frequent = (float(row[prefix + name]) for name in ("variety", "most_frequent"))
        row[f"{prefix}collapsed"] = str(int(bool(note) or has_collapsed(own, real, most_frequent)))
    picture = plots.mosaic_png(draw(training.sampler, config, PICTURE), columns=16)
    return row, on_the_way, picture


def execute(key: Key) -> Result:
    """Train and judge one run."""
    variant, base = BY_NAME[key["variant"]], key["base"]
    config = config_of(variant, BASES[base], int(key["seed"]))
    training = new_training(variant, config, load_images(config))
    row, on_the_way, picture = train_and_judge(training, JUDGE_EVERY[base], base != "to its end")
    rows: dict[str, list[dict[str, Any]]] = {"rules": [{"rule": variant.rule} | row]}
    return Result(rows | {"rules_course": [*on_the_way]}, {picture_of(**key): picture})


def lines_of(rows: Sequence[Row]) -> list[list[str]]:
    """Return the cells of one part's table, a line for each variant."""
    base = rows[0]["base"]
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
        f"rules_{base.replace(' ', '_')}": store.table(select(rows, base=base), lines_of)
        for base in PARTS
    }


@plots.in_style
def picture(rows: Sequence[Row], base: str = "fast", column: str = "distance") -> Axes:
    """Draw every run of a part as a dot on one axis of distance, a line for each variant."""
    rows = select(rows, base=base)
    variants = [v for v in PARTS[base] if v not in FURTHER and select(rows, variant=v.name)]
    recipe = numbers(select(rows, variant=variants[0].name), column)
    ax = plt.subplots(figsize=(9, 0.165 * len(variants) + 1.1))[1]  # to fit on a screen
    ax.axvspan(min(recipe), max(recipe), color=plots.COLORS["real"], alpha=0.2, lw=0)
    label = f"{len(recipe)} runs of the {'' if base == 'fast' else 'published '}recipe, mean"
    ax.axvline(statistics.mean(recipe), color=plots.COLORS["real"], label=label)
    for collapsed, marker, label in (("0", "o", "one run"), ("1", "x", "one run that collapsed")):
        for place, variant in enumerate(variants):
            values = numbers(select(rows, variant=variant.name, collapsed=collapsed), column)
            ax.plot(values, [place] * len(values), marker, color=plots.COLORS["fake"], ms=6)
        if select(rows, collapsed=collapsed):
            ax.plot([], [], marker, color=plots.COLORS["fake"], label=label)
    ax.set_yticks(range(len(variants)), [variant.name for variant in variants], fontsize=10)
    for before, (one, other) in enumerate(zip(variants, variants[1:])):
        if one.rule != other.rule:
            ax.axhline(before + 0.5, color="0.8", lw=0.8)
    ax.set(xscale="log", ylim=(len(variants) - 0.5, -0.5))
    ax.set_xlabel("Fréchet distance to real digits, log scale (left is better)")
    if base == "ladder":  # within a decade
        ax.set_xticks([10, 20, 50], ["10", "20", "50"])
        ax.minorticks_off()
    ax.legend(loc=(0.46, 0.35) if base == "ladder" else "upper right", fontsize=10)
    return ax


def figures() -> dict[str, bytes]:
    """Return the pictures of the machine that has made the most rows."""
    own = store.largest(store.read("rules"))
    axes = {"rules": picture(own), "rules_published": picture(own, "published")}
    axes["ladder"] = picture(own, "ladder", "raw_distance")
    axes["rules"].set_title("Most changes cost little; a few ruin everything")
    axes["rules_published"].set_title("The paper's own rate: after four epochs, many are only late")
    axes["ladder"].set_title("The rate is worth most; what a change is worth depends on its turn")
    return {name: plots.to_png(ax) for name, ax in axes.items()}


STUDY = Study(
    "02, 03, 04, 05, 07, 12",
    PLAN,
    execute,
    tables,
    minutes=1.5,
    files=("rules", "rules_course"),
    figures=figures,
)
