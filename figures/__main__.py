"""Make the README's pictures: `make figures`, about 20 minutes on 2 CPU cores.

Trains the `classroom` preset with five seeds, in runs/figures/, and writes into figures/ the
pictures and the judge's verdict of the first seed, samples of all five, and a table of what each
run took and how good it is. Then trains it on the embedded digits, without and with a bias in D's
first layer, and shows both. A run that is already there is not repeated, and one that was
interrupted goes on.
"""

import csv
import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from dcgan_utils import plots, runs
from dcgan_utils.config import Config, UserError, preset
from dcgan_utils.files import write_file
from dcgan_utils.progress import TerminalProgress
from dcgan_utils.training import Training

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "figures"
SEEDS = range(5)
PER_SEED = 24  # samples shown of each seed
SHOWN = 36  # images in each panel of contrast.png


def folder(seed: int) -> Path:
    """Return where the run of a seed is."""
    return RUNS / f"classroom-seed-{seed}"


def trained(place: Path, config: Config) -> tuple[Training, dict]:
    """Return the finished run in a folder and its summary, training it if need be."""
    training = runs.resume(place) if place.exists() else runs.start(config, place)
    if training.config != config:
        raise UserError(f"{place} was made with other settings. Delete it and start again.")
    return training, runs.finish(training, place, TerminalProgress(training))


def judged(place: Path) -> dict[str, str]:
    """Return what the judge stored in a run folder, as columns of the table."""
    samples = json.loads((place / "judgment.json").read_text(encoding="utf-8"))["samples"]
    values = {name: figure["value"] for name, figure in samples.items()}
    return {
        "distance": f"{values['distance']:.1f}",
        "top_probability": f"{values['top_probability']:.3f}",
        "rarest": f"{min(values['shares']):.1%}",
        "most_frequent": f"{max(values['shares']):.1%}",
        "to_training": f"{values['to_training']:.2f}",
    }


def table(rows: list[dict]) -> bytes:
    """Return rows of equal keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Train what is missing and write every picture."""
    samples, rows = [], []
    for seed in SEEDS:
        training, summary = trained(folder(seed), preset("classroom", seed=seed))
        samples.append(training.frames[training.total][:PER_SEED])
        late = training.history.rows[-len(training.history) // 4 :].mean(0)[2:].tolist()
        names = ("loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")
        verdict, line = runs.judge(folder(seed))
        losses = {name: f"{value:.2f}" for name, value in zip(names, late)}
        rows.append(summary | losses | judged(folder(seed)))
        print(runs.last_line(summary), line, sep="\n")
        if seed == 0:
            copy_pictures(folder(seed))
            write_file(HERE / "judgment.md", verdict.encode())
    title = f"The first {PER_SEED} samples of seeds {SEEDS[0]} to {SEEDS[-1]}, one row each"
    seeds = plots.image_grid(torch.cat(samples), title, columns=PER_SEED)
    write_file(HERE / "seeds.png", plots.to_png(seeds))
    write_file(HERE / "seeds.csv", table(rows))
    write_file(HERE / "contrast.png", plots.to_png(contrast()))


@plots.in_style
def contrast() -> Axes:
    """Draw embedded digits beside samples of two runs on them, without and with `first_bias`."""
    drawn = {}
    for first_bias, name in ((False, "generated, no bias"), (True, "generated, a bias")):
        config = preset("classroom", data="digits", first_bias=first_bias)
        place = RUNS / f"digits-first-bias-{first_bias}"
        training, summary = trained(place, config)
        print(runs.last_line(summary), runs.judge(place)[1], sep="\n")
        drawn[name] = training.frames[training.total]
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.7))
    panels = {"real embedded digits": training.images.pixels} | drawn
    for ax, (name, images) in zip(axes, panels.items()):
        plots.image_grid(images[:SHOWN], name, ax=ax)
    return axes[0]


def copy_pictures(folder: Path) -> None:
    """Copy a run's pictures into figures/."""
    for name in ("animation", "filmstrip", "losses", "scores", "real_beside_fake"):
        write_file(HERE / f"{name}.png", (folder / f"{name}.png").read_bytes())


if __name__ == "__main__":
    main()
