"""How good are the digits of the preset `classroom`, and how much does the seed matter?"""

import numpy as np
import torch
from PIL import Image

from dcgan_utils import animations, plots, runs
from dcgan_utils.config import preset

from .. import store
from ..harness import Key, Result, Study
from ..measures import trained

DATA = {"MNIST": ("mnist", 5), "embedded digits": ("embedded", 3)}  # its name, number of seeds
PLAN = [{"data": data, "seed": str(n)} for data, (_, seeds) in DATA.items() for n in range(seeds)]
JUDGED = 10_000  # samples
SHOWN = 24  # samples in the figures, of each seed
FORMS = {"distance": ".1f", "top_probability": ".3f", "rarest": ".1%", "most_frequent": ".1%"}
FORMS |= {"to_training": ".2f"}
COLUMNS = ["seed", "seconds", "images_per_second", *FORMS]
COLUMNS += ["loss_d", "loss_g", "d_real", "d_fake_before"]
TITLES = ["seed", "seconds", "images/s", "distance", "top probability", "rarest class"]
TITLES += ["most frequent", "to training digits", "Loss_D", "Loss_G", "D(x)", "D(G(z))"]


def execute(key: Key) -> Result:
    """Train and judge one run; of the first one keep the whole verdict and the animation."""
    data = DATA[key["data"]][0]
    training = trained(preset("classroom", data=data, seed=int(key["seed"])))
    verdict, _, content = runs.judge(training.sampler, training.config, JUDGED)
    quarter = training.history.rows[-len(training.history) // 4 :].mean(0)[2:].tolist()
    summary = runs.summarize(training)
    row = {name: summary[name] for name in ("images", "steps", "seconds", "images_per_second")}
    row |= {name: f"{value:.2f}" for name, value in zip(training.history.names, quarter)}
    row |= {name: f"{content['samples'][name]['value']:{form}}" for name, form in FORMS.items()}
    samples = training.frames[training.total][:SHOWN]
    files = {f"seeds/{data}-{key['seed']}.png": plots.mosaic_png(samples, gap=0, columns=SHOWN)}
    if key == PLAN[0]:
        files["judgment.md"] = verdict.encode()
        files["seeds/animation.png"] = animations.animated_png(training.frames)
    return Result({"seeds": [row]}, files)


def lines_of(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of the table of one machine and data set."""
    in_order = sorted(rows, key=lambda row: int(row["seed"]))
    return [TITLES, *([row[name] or "-" for name in COLUMNS] for row in in_order)]


def tables() -> dict[str, str]:
    """Return the table of all runs, and the verdict on one."""
    rows = store.read("seeds")
    parts = [store.table(store.select(rows, data=data), lines_of) for data in DATA]
    found = {"seeds": "\n\n".join(filter(None, parts))}
    if (path := store.RESULTS / "judgment.md").exists():
        found["judgment"] = path.read_text(encoding="utf-8").strip()
    return found


def figures() -> dict[str, bytes]:
    """Return samples of all seeds of each data set, if all are there."""
    folder, found = store.RESULTS / "seeds", {}
    for data, seeds in DATA.values():
        paths = sorted(folder.glob(f"{data}-*.png"))
        if len(paths) == seeds:
            rows = torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths]))
            samples = rows.unflatten(2, (SHOWN, -1)).transpose(1, 2).flatten(0, 1)[:, None]
            found[f"seeds_{data}"] = plots.mosaic_png(samples, columns=SHOWN)
    return found


STUDY = Study(
    name="seeds",
    question="How good are the digits of `classroom`, and how much does the seed matter?",
    notebook="-",
    plan=PLAN,
    execute=execute,
    tables=tables,
    minutes=3,
    files=("seeds",),
    figures=figures,
    threads=2,
    jobs=1,
)
