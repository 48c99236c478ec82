"""Tables and pictures of what each rule is worth: `python -m experiments.rules_report` draws them.

`experiments.tables` takes the tables. Rows of two machines never share a table; the pictures show
the machine with the most rows.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from dcgan_utils import judging, plots
from dcgan_utils.files import write_file

from .rules import ON_THE_WAY
from .tables import RESULTS, markdown, read
from .variants import EPOCH, PARTS

TITLES = {
    "fast": "Most changes cost little; a few ruin everything",
    "published": "At the paper's own rate, after four epochs: the same few ruin everything",
}
FIGURES = Path(__file__).parents[1] / "figures"
Row = Mapping[str, str]


def made_on(row: Row) -> str:
    """Return what a row was made on: only rows that agree in it share a table."""
    return f"{row['device']}, {row['number_format']}, torch {row['torch']}"


def select(rows: Sequence[Row], **wanted: str) -> list[Row]:
    """Return the rows that have all these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def largest(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the machine that has made the most of them."""
    machine = Counter(map(made_on, rows)).most_common(1)[0][0]
    return [row for row in rows if made_on(row) == machine]


def numbers(rows: Sequence[Row], key: str) -> list[float]:
    """Return one column."""
    return [float(row[key]) for row in rows]


def spread(values: Sequence[float], unit: str = "") -> str:
    """Return mean and extremes, "5.1 (4.2 to 5.9)"; of a single value, that value."""
    mean = f"{statistics.mean(values):.3g}{unit}"
    return f"{mean} ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else mean


def lines_of(rows: Sequence[Row], base: str) -> list[list[str]]:
    """Return the cells of one part's table, a line for each variant."""
    lines = [
        [
            "rule",
            "change",
            "seeds",
            "distance",
            "without the average",
            "second judge, × the recipe",
            "top probability",
            "precision",
            "recall",
            "collapsed",
            "seconds",
        ]
    ]
    variants = PARTS[base]
    recipe = select(rows, base=base, variant=variants[0].name)
    unit = statistics.mean(numbers(recipe, "second_distance")) if recipe else float("nan")
    for variant in variants:
        own = select(rows, base=base, variant=variant.name)
        if not own:
            continue
        mean = {
            key: statistics.mean(numbers(own, key))
            for key in ("top_probability", "precision", "recall", "seconds")
        }
        lines.append(
            [
                variant.rule,
                variant.name,
                str(len(own)),
                spread(numbers(own, "distance")),
                spread(numbers(own, "raw_distance")),
                spread([value / unit for value in numbers(own, "second_distance")]),
                f"{mean['top_probability']:.3f}",
                f"{mean['precision']:.2f}",
                f"{mean['recall']:.2f}",
                f"{sum(map(int, (row['collapsed'] for row in own)))} of {len(own)}",
                f"{mean['seconds']:.0f}",
            ]
        )
    return lines


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """Return each part's tables by name, one after the other for each machine."""
    found = {}
    for base in PARTS:
        parts = []
        for machine in dict.fromkeys(map(made_on, rows)):
            own = [row for row in rows if made_on(row) == machine and row["base"] == base]
            if own:
                parts.append(f"MNIST, {machine}:\n\n{markdown(lines_of(own, base))}")
        found[f"rules_{base.replace(' ', '_')}"] = "\n\n".join(parts)
    return found


def paces(rows: Sequence[Row]) -> dict[str, float]:
    """Return the seconds of a step for each batch size: the median over the runs that have it."""
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["batch_size"], []).append(float(row["seconds"]) / float(row["steps"]))
    return {size: statistics.median(values) for size, values in found.items()}


def reached(places: Sequence[Row], run: Row, key: str, step: float) -> float:
    """Return a run's distance at a step, between two judgments by their logarithms."""
    own = select(places, **{name: run[name] for name in ("variant", "base", "seed", "device")})
    return float(np.exp(np.interp(step, numbers(own, "step"), np.log(numbers(own, key)))))


def ladder(rows: Sequence[Row], places: Sequence[Row]) -> dict[str, dict[str, list[float]]]:
    """Return the rungs' distances, a value for each seed, after equal steps and equal seconds.

    The steps are those of the shortest run, and the seconds what they take with the larger batch.
    G itself is judged; the last rung, "average", is its average in the runs of the rung before.
    """
    own, pace = select(rows, base="ladder"), paces(select(rows, base="ladder"))
    steps = min(numbers(own, "steps"))
    found: dict[str, dict[str, list[float]]] = {}
    for title, slowest in ((f"{steps:,.0f} steps", 0.0), ("{:.0f} seconds", max(pace.values()))):
        part = found[title.format(steps * slowest)] = {}
        for variant in PARTS["ladder"]:
            runs = select(own, variant=variant.name)
            for rung, key in ((variant.name, "raw_distance"), ("average", "distance")):
                part[rung] = [
                    reached(places, run, key, steps * (slowest / pace[run["batch_size"]] or 1))
                    for run in runs
                ]
    return found


@plots.in_style
def ladder_picture(rows: Sequence[Row], places: Sequence[Row]) -> np.ndarray:
    """Draw the two ways from the published recipe to the fast one; return both axes."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.8), sharey=True)
    ways = {
        "rate first": ("generator", "-", "o", 0.6),  # the last: where on a line its change stands
        "rate last": ("discriminator", "--", "s", 0.4),
    }
    for ax, (title, values) in zip(axes, ladder(rows, places).items()):
        for way, (color, line, marker, share) in ways.items():
            rungs = [v.name for v in PARTS["ladder"] if v.rule in (way, "both orders")]
            rungs.append("average")
            means = [statistics.geometric_mean(values[rung]) for rung in rungs]
            ax.plot(means, color=plots.COLORS[color], marker=marker, ls=line, label=way)
            for place, rung in enumerate(rungs):
                seeds = values[rung]
                ax.plot([place] * len(seeds), seeds, ".", color=plots.COLORS[color], alpha=0.5)
            changes = [rung.split(", ")[-1] for rung in rungs[1:-2]]
            last = ({"rate", "batch", "z", "bias"} - set(changes)).pop()
            for place, change in enumerate([*changes, last]):
                at = means[place] * (means[place + 1] / means[place]) ** share  # on the line
                label = {"ha": "center", "va": "center", "color": plots.COLORS[color]}
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                ax.text(place + share, at, change, bbox=box, **label)
        ax.set(xticks=range(6), yscale="log", title=f"After {title}")
        ax.set_xticklabels(["published", "1", "2", "3", "all 4", "and the\naverage"])
        ax.set_xlabel("changes made")
    axes[0].set_yticks([5, 10, 20, 50], ["5", "10", "20", "50"])
    axes[0].minorticks_off()
    axes[0].set_ylabel("Fréchet distance, log scale")
    axes[0].legend()
    figure.suptitle(
        "What a change is worth depends on what was changed before it, and on the budget"
    )
    return axes


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
        own = select(places, **{name: run[name] for name in ("base", "seed", "device", "torch")})
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


def rank_correlation(rows: Sequence[Row], base: str) -> float:
    """Return Spearman's correlation of both judges' mean distances over the variants."""
    from scipy import stats

    means = []
    for variant in PARTS[base]:
        if own := select(rows, base=base, variant=variant.name):
            keys = ("distance", "second_distance")
            means.append([statistics.mean(numbers(own, key)) for key in keys])
    return float(stats.spearmanr(*zip(*means)).statistic)


@plots.in_style
def picture(rows: Sequence[Row], base: str = "fast") -> Axes:
    """Draw every run of a part as a dot on one axis of distance, a line for each variant."""
    variants = [v for v in PARTS[base] if select(rows, base=base, variant=v.name)]
    recipe = numbers(select(rows, base=base, variant=variants[0].name), "distance")
    ax = plt.subplots(figsize=(9, 0.165 * len(variants) + 1.1))[1]  # to fit on a screen
    ax.axvspan(min(recipe), max(recipe), color=plots.COLORS["real"], alpha=0.2, lw=0)
    ax.axvline(statistics.mean(recipe), color=plots.COLORS["real"], label="the recipe as it is")
    for place, variant in enumerate(variants):
        own = select(rows, base=base, variant=variant.name)
        for collapsed, marker in (("0", "o"), ("1", "x")):
            values = numbers(select(own, collapsed=collapsed), "distance")
            ax.plot(values, [place] * len(values), marker, color=plots.COLORS["fake"], ms=6)
    ax.plot([], [], "o", color=plots.COLORS["fake"], label="one run")
    ax.plot([], [], "x", color=plots.COLORS["fake"], label="one run that collapsed")
    ax.set_yticks(range(len(variants)), [variant.name for variant in variants], fontsize=10)
    for before, (one, other) in enumerate(zip(variants, variants[1:])):
        if one.rule != other.rule:
            ax.axhline(before + 0.5, color="0.8", lw=0.8)
    ax.set(xscale="log", ylim=(len(variants) - 0.5, -0.5))
    ax.set_xlabel("Fréchet distance to real digits, log scale (left is better)")
    ax.set_title(TITLES[base])
    ax.legend(loc="upper right", fontsize=10)
    return ax


def main() -> None:
    """Draw the pictures of what is there."""
    rows, places = read(RESULTS / "rules.csv"), read(RESULTS / "rules_course.csv")
    own = largest(rows)
    for base, name in (("fast", "rules"), ("published", "rules_published")):
        if select(own, base=base):
            write_file(FIGURES / f"{name}.png", plots.to_png(picture(own, base)))
    if select(own, base="ladder"):
        write_file(FIGURES / "ladder.png", plots.to_png(ladder_picture(own, places)[0]))
    if select(own, base="to its end"):
        write_file(FIGURES / "published.png", plots.to_png(course_picture(own, places)))
    for base in PARTS:
        if len(PARTS[base]) > 1 and select(own, base=base):
            print(f"{base}: rank correlation of both judges {rank_correlation(own, base):.2f}")


if __name__ == "__main__":
    main()
