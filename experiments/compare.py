"""Compare settings with the judge: `python -m experiments.compare`, 2 to 3 minutes a run.

Needs MNIST. Each run is judged twice on 10,000 samples, by `dcgan_utils.judging`: drawn by G
itself, and by the average of its weights. The average does not change the training, so both come
from one run. Rows that are in results/compare.csv are not made again.
"""

import dataclasses
import sys
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from dcgan_utils import judging, runs
from dcgan_utils.config import Config
from dcgan_utils.data import fit_images, load_images, load_source
from dcgan_utils.device import choose_device, device_name
from dcgan_utils.files import write_file
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import Training

from .seeds import folder
from .tables import RESULTS, markdown, read, to_csv

OUT = RESULTS / "compare.csv"
BASE = Config(data="mnist", epochs=2)  # width 32; what the rows change
NO_BIAS = {"batch_size": 32, "learning_rate": 0.005, "epochs": 3, "steps": 4200, "average": 0.998}
LARGER_BATCH = {"batch_size": 64, "learning_rate": 0.0016, "average": 0.99}
SMALLER = {"batch_size": 32, "average": 0.995}
NARROW = {"batch_size": 32, "learning_rate": 0.0024, "average": 0.998}
RECIPES: list[tuple[dict[str, Any], int]] = [  # settings, number of seeds
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
    """Return a row of the table: the metrics of images (N, 1, 28, 28) uint8."""
    values = judging.measure(judging.classify(pixels), judging.stored_reference())
    return {
        "settings": settings,
        "average": str(average),
        "steps": str(steps),
        "top_probability": f"{values['top_probability']:.3f}",
        "rarest": f"{values['rarest']:.3f}",
        "most_frequent": f"{values['most_frequent']:.3f}",
        "precision": f"{values['precision']:.2f}",
        "recall": f"{values['recall']:.2f}",
        "distance": f"{values['distance']:.1f}",
        "device": device_name(choose_device("auto")),
        "torch": torch.__version__,
    }


def recipe_of(settings: str) -> str:
    """Return the name of a run without its seed.

    >>> recipe_of("batch_size=32, seed=4")
    'batch_size=32'
    """
    return ", ".join(part for part in settings.split(", ") if not part.startswith("seed="))


def summary(rows: list[dict[str, str]]) -> str:
    """Return a table in Markdown for each machine, the rows of one recipe taken together."""
    parts = []
    for machine in dict.fromkeys(map(made_on, rows)):
        own = [row for row in rows if made_on(row) == machine]
        parts.append(f"MNIST, {', '.join(machine)}:\n\n{markdown(recipe_lines(own))}")
    return "\n\n".join(parts)


def made_on(row: dict[str, str]) -> tuple[str, str]:
    """Return the machine of a row: only rows that agree in it share a table."""
    return row["device"], f"torch {row['torch']}"


def recipe_lines(rows: list[dict[str, str]]) -> list[list[str]]:
    """Return the cells of a table, a line for each recipe and average."""
    recipes: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        recipes.setdefault((recipe_of(row["settings"]), row["average"]), []).append(row)
    lines = [["settings", "average", "seeds", "steps", "distance", "least to largest"]]
    lines[0] += ["top probability", "precision", "recall"]
    for (recipe, average), runs_of_it in recipes.items():
        values = {
            name: [float(row[name]) for row in runs_of_it]
            for name in ("distance", "top_probability", "precision", "recall")
        }
        distance = values["distance"]
        lines.append(
            [
                recipe,
                average,
                str(len(runs_of_it)) if average else "",
                runs_of_it[0]["steps"],
                f"{mean(distance):.1f}",
                f"{min(distance)} to {max(distance)}" if average else "",
                f"{mean(values['top_probability']):.3f}",
                f"{mean(values['precision']):.2f}",
                f"{mean(values['recall']):.2f}",
            ]
        )
    return lines


def trained(config: Config) -> Training:
    """Return a finished training; `experiments.seeds` may have made it already."""
    place = folder("mnist", config.seed)
    if (place / "summary.json").exists():
        training = runs.load_training(runs.checkpoint_of(place))
        decided = ("channels", "device", "precision")
        same = {name: getattr(config, name) for name in decided}
        if dataclasses.replace(training.config, **same) == config:
            return training
    training = Training(config, load_images(config))
    training.run()
    return training


def main() -> None:
    """Run and judge what is not in the table yet; rows of another machine stay as they are."""
    machine = (device_name(choose_device("auto")), f"torch {torch.__version__}")
    stored = read(OUT)
    elsewhere = [row for row in stored if made_on(row) != machine]
    rows = [row for row in stored if made_on(row) == machine]
    done = {(row["settings"], row["average"]) for row in rows}
    if not done:
        real = load_source("mnist").split()[1].pixels
        blurred = fit_images(fit_images(real, 32, "resize"), judging.SIDE, "resize")
        rows.append(row("real test digits", "", "", real))
        rows.append(row("the same, resized to 32×32 and back", "", "", blurred))
    names = [name_of(changes) for changes in RUNS]
    for changes, name in zip(RUNS, names):
        if (name, str(changes["average"])) in done:
            continue
        training = trained(dataclasses.replace(BASE, **changes))
        rows = [old for old in rows if old["settings"] != name]  # another average's
        both = {0: training.generator, changes["average"]: training.sampler}
        for average, network in both.items():
            pixels = sample_new(network, 10_000, training.config.latent)
            pixels = judging.to_judged_size(pixels, training.config.fit)
            rows.append(row(name, average, training.step, pixels))
            print(rows[-1], file=sys.stderr, flush=True)
        rows.sort(key=lambda row: names.index(row["settings"]) if row["settings"] in names else -1)
        write_file(OUT, to_csv(elsewhere + rows))
    print(summary(elsewhere + rows))


if __name__ == "__main__":
    main()
