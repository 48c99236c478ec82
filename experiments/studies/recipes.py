"""Which settings give the best digits in two to three minutes, and how much does the seed matter?

Each run is judged twice: on samples of G itself, and of the average of its weights. The average
does not change the training, so both come from one run. The first recipe, the preset `classroom`,
also trains on the embedded digits; results/seeds/ has samples of each of its runs.
"""

import dataclasses
from statistics import mean
from typing import Any

from dcgan_utils import animations, judging, plots, runs
from dcgan_utils.config import Config
from dcgan_utils.data import fit_images, load_source

from .. import store
from ..harness import Key, Result, Study
from ..measures import draw, judged, trained
from ..second_judge import second_distance

BASE = Config(data="mnist", epochs=2)  # width 32; what the recipes change
NO_BIAS = {"batch_size": 32, "learning_rate": 0.005, "epochs": 3, "steps": 4200, "average": 0.998}
CLASSROOM = {"first_bias": True} | NO_BIAS
LARGER_BATCH = {"batch_size": 64, "learning_rate": 0.0016, "average": 0.99}
SMALLER = {"batch_size": 32, "average": 0.995}
NARROW = {"batch_size": 32, "learning_rate": 0.0024, "average": 0.998}
CHANGES: list[tuple[dict[str, Any], int]] = [  # settings, number of seeds
    (CLASSROOM, 5),
    ({"data": "embedded"} | CLASSROOM, 3),
    (NO_BIAS, 5),
    (LARGER_BATCH, 3),
    (LARGER_BATCH | {"real_label": 0.9}, 3),
    *((SMALLER | {"learning_rate": rate}, 3) for rate in (0.0016, 0.0024, 0.0036, 0.005)),
    (LARGER_BATCH | {"learning_rate": 0.0024}, 3),
    (SMALLER | {"learning_rate": 0.0016, "initial_std": 0.06}, 3),
    (NARROW | {"width": 24, "epochs": 3}, 3),
    (NARROW | {"width": 16, "epochs": 4}, 3),
]
RECIPES = {  # as the table names them
    ", ".join(f"{key}={value}" for key, value in changes.items() if key != "average"): changes
    for changes, _ in CHANGES
}
PLAN = [
    {"settings": name, "seed": str(seed)}
    for name, (_, seeds) in zip(RECIPES, CHANGES)
    for seed in range(seeds)
]
SAMPLES, SHOWN = 10_000, 24  # that are judged; that are kept of `classroom`
FORMS = {"distance": ".1f", "top_probability": ".3f", "precision": ".2f", "recall": ".2f"}


def real_digits() -> list[dict[str, Any]]:
    """Return two rows of no run: real digits, and what blur alone does to them."""
    real = load_source("mnist").split()[1].pixels
    blurred = fit_images(fit_images(real, 32, "resize"), judging.SIDE, "resize")
    settings = {"real test digits": real, "the same, resized to 32×32 and back": blurred}
    return [{"settings": s, "seed": ""} | judged(settings[s]) for s in settings]


def execute(key: Key) -> Result:
    """Train one recipe with one seed, and judge it twice; of the first run keep all."""
    config = dataclasses.replace(BASE, **RECIPES[key["settings"]], seed=int(key["seed"]))
    training = trained(config)
    rows, files = list[dict[str, Any]](), dict[str, bytes]()
    if config.first_bias:  # `classroom`
        strip = plots.mosaic_png(training.frames[training.total][:SHOWN], 0, SHOWN)
        files[f"seeds/{config.data}-{config.seed}.png"] = strip
    if key == PLAN[0]:
        rows += real_digits()
        files["judgment.md"] = runs.judge(training.sampler, training.config, SAMPLES)[0].encode()
        files["seeds/animation.png"] = animations.animated_png(training.frames)
    for average, network in ((0, training.generator), (config.average, training.sampler)):
        row = {"average": str(average), "steps": training.step}
        pixels = draw(network, config, SAMPLES)
        rows.append(row | judged(pixels) | {"second_distance": second_distance(pixels)})
    rows[-1]["seconds"] = training.seconds  # of both
    return Result({"recipes": rows}, files)


def lines_of(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of one machine's table, one for each recipe and average."""
    lines = [["settings", "average", "seeds", "steps", "distance", "least to largest"]]
    lines[0] += ["top probability", "precision", "recall"]
    for (settings, average), own in store.groups(rows, "settings", "average").items():
        found = {name: store.numbers(own, name) for name in FORMS}
        means = [f"{mean(found[n]):{FORMS[n]}}" if found[n] else "-" for n in FORMS]
        far = found["distance"]
        extremes = f"{min(far):.1f} to {max(far):.1f}" if average else ""
        seeds = str(len(own)) if own[0]["seed"] else ""
        lines.append([settings, average, seeds, own[0]["steps"], means[0], extremes, *means[1:]])
    return lines


def tables() -> dict[str, str]:
    """Return the table of all recipes, and the whole verdict on one run."""
    path, found = store.RESULTS / "judgment.md", store.table(store.read("recipes"), lines_of)
    return {"compare": found, "judgment": path.read_text("utf-8").strip() if path.exists() else ""}


STUDY = Study("05, 06", PLAN, execute, tables, minutes=3, files=("recipes",), threads=2, jobs=1)
