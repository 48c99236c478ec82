"""Compare settings with the judge: `python -m figures.compare`, 2 to 3 minutes a run.

Needs MNIST. Each run is judged twice on 10,000 samples, by `dcgan_utils.judging`: drawn by G
itself, and by the average of its weights. The average does not change the training, so both come
from one run. Rows that are in compare.csv are not made again. compare.md has the same by recipe,
its seeds taken together.
"""

import dataclasses
import sys
from pathlib import Path
from statistics import mean

from torch import Tensor
from torchvision import datasets

from dcgan_utils import judging, runs
from dcgan_utils.config import Config
from dcgan_utils.data import data_root, fit_images, load_images
from dcgan_utils.files import write_file
from dcgan_utils.training import Training

from .__main__ import folder, read, table

OUT = Path(__file__).with_name("compare.csv")
BASE = Config(data="mnist", epochs=2)  # width 32; what the rows change
NO_BIAS = {"batch_size": 32, "learning_rate": 0.005, "epochs": 3, "steps": 4200, "average": 0.998}
LARGER_BATCH = {"batch_size": 64, "learning_rate": 0.0016, "average": 0.99}
SMALLER = {"batch_size": 32, "average": 0.995}
NARROW = {"batch_size": 32, "learning_rate": 0.0024, "average": 0.998}
RECIPES = [  # settings, number of seeds
    ({"first_bias": True} | NO_BIAS, 5),  # the preset
    (NO_BIAS, 5),
    (LARGER_BATCH, 3),
    (LARGER_BATCH | {"real_label": 0.9}, 3),
    *((SMALLER | {"learning_rate": rate}, 3) for rate in (0.0016, 0.0024, 0.0036, 0.005)),
    (LARGER_BATCH | {"learning_rate": 0.0024}, 3),
    (SMALLER | {"learning_rate": 0.0016, "initial_std": 0.06}, 3),
    (NARROW | {"width": 24, "epochs": 3}, 3),
    (NARROW | {"width": 16, "epochs": 4}, 3),
]
RUNS = [changes | {"seed": seed} for changes, seeds in RECIPES for seed in range(seeds)]


def name_of(changes: dict) -> str:
    """Return how the table names a run."""
    return ", ".join(f"{key}={value}" for key, value in changes.items() if key != "average")


def row(settings: str, average: float | str, steps: int | str, pixels: Tensor) -> dict[str, str]:
    """Return a row of the table: the figures of images (N, 1, 28, 28) uint8."""
    figures = judging.measure(judging.look(pixels), judging.stored_reference())
    return {
        "settings": settings, "average": str(average), "steps": str(steps),
        "top_probability": f"{figures['top_probability']:.3f}",
        "rarest": f"{min(figures['shares']):.3f}",
        "most_frequent": f"{max(figures['shares']):.3f}",
        "precision": f"{figures['precision']:.2f}", "recall": f"{figures['recall']:.2f}",
        "distance": f"{figures['distance']:.1f}",
    }  # fmt: skip


def recipe_of(settings: str) -> str:
    """Return the name of a run without its seed.

    >>> recipe_of("batch_size=32, seed=4")
    'batch_size=32'
    """
    return ", ".join(part for part in settings.split(", ") if not part.startswith("seed="))


def summary(rows: list[dict[str, str]]) -> str:
    """Return a table in Markdown of the rows, those of one recipe taken together."""
    recipes: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        recipes.setdefault((recipe_of(row["settings"]), row["average"]), []).append(row)
    columns = "settings | average | seeds | steps | distance | least to largest"
    columns += " | top probability | precision | recall"
    lines = [f"| {columns} |", "|---" * 9 + "|"]
    for (recipe, average), runs_of_it in recipes.items():
        values = {
            name: [float(row[name]) for row in runs_of_it]
            for name in ("distance", "top_probability", "precision", "recall")
        }
        distance = values["distance"]
        cells = [
            recipe, average, str(len(runs_of_it)) if average else "", runs_of_it[0]["steps"],
            f"{mean(distance):.1f}", f"{min(distance)} to {max(distance)}" if average else "",
            f"{mean(values['top_probability']):.3f}", f"{mean(values['precision']):.2f}",
            f"{mean(values['recall']):.2f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def trained(config: Config) -> Training:
    """Return a finished training; `make figures` may have made it already."""
    place = folder(config.seed)
    if (place / "summary.json").exists():
        training = runs.resume(place)
        if dataclasses.replace(training.config, data="mnist") == config:
            return training
    training = Training(config, load_images(config))
    training.run()
    return training


def main() -> None:
    """Run and judge what is not in the table yet."""
    rows = read(OUT) if OUT.exists() else []
    done = {(row["settings"], row["average"]) for row in rows}
    if not done:
        real = datasets.MNIST(data_root(), train=False).data[:, None]
        blurred = fit_images(fit_images(real, 32, "resize"), judging.SIDE, "resize")
        rows += [row("real test digits", "", "", real),
                 row("the same, resized to 32×32 and back", "", "", blurred)]  # fmt: skip
    for changes in RUNS:
        name = name_of(changes)
        if (name, str(changes["average"])) in done:
            continue
        training = trained(dataclasses.replace(BASE, **changes))
        rows = [row for row in rows if row["settings"] != name]  # another average's
        both = {0: training.generator, changes["average"]: training.sampler}
        for average, network in both.items():
            pixels = judging.draw_samples(network, 10_000, training.config.latent)
            pixels = judging.to_judged_size(pixels, training.config.fit)
            rows.append(row(name, average, training.step, pixels))
            print(rows[-1], file=sys.stderr, flush=True)
        names = [name_of(changes) for changes in RUNS]
        rows.sort(key=lambda row: names.index(row["settings"]) if row["settings"] in names else -1)
        write_file(OUT, table(rows))
    write_file(OUT.with_suffix(".md"), summary(rows).encode())
    print(summary(rows))


if __name__ == "__main__":
    main()
