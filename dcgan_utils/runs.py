"""A run in its folder: started, resumed, and its results written.

A run folder appears whole, with its settings and a first checkpoint, and each file in it is only
ever replaced as a whole; so a run that is killed at any moment can be resumed.

Matplotlib is imported where pictures are drawn: it takes a second, and training does not need it.
"""

import contextlib
import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from . import checkpoints, judging
from .config import Config, UserError
from .data import DIGITS, load_images
from .files import read_file, write_file
from .networks import draw_latents
from .training import Report, Training

CHECKPOINT = "checkpoint.pt"


def next_folder(name: str, parent: Path = Path("runs")) -> Path:
    """Return the first of NAME-1, NAME-2, ... in `parent` that is not there yet."""
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return parent / f"{name}-{number}"


def start(config: Config, folder: Path, notice: Callable[[str], None] = print) -> Training:
    """Make a run folder and the training that belongs in it.

    Parameters
    ----------
    config
        The settings.
    folder
        Where to; must not exist.
    notice
        Told where the data come from, where that is not as expected, and if the run will end before
        the steps that were asked for.

    Raises
    ------
    UserError
        If the folder exists or can't be made, or the settings do not fit the machine or the data.
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(
            f"{folder} exists and is left as it is. Choose another --out, or go on with it: "
            f"python -m dcgan_utils resume {folder}"
        )
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    parent_is_new = not folder.parent.exists()
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"{folder} can't be made: {error.strerror}. Choose another --out."
        ) from error
    try:
        training = Training(config, load_images(config, notice))
        if config.steps is not None and config.steps > training.total:
            notice(
                f"steps is {config.steps}, but {config.epochs} epochs of these images are "
                f"{training.total} steps, and the run ends with them. For more, raise --epochs."
            )
        settings = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
        write_file(unfinished / "config.json", settings.encode())
        checkpoints.save_training(unfinished / CHECKPOINT, training)
        os.rename(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        if parent_is_new:
            with contextlib.suppress(OSError):  # another run may be in it by now
                folder.parent.rmdir()
        raise
    return training


def resume(folder: Path, notice: Callable[[str], None] = print) -> Training:
    """Return a run folder's training as of its last checkpoint.

    Raises
    ------
    UserError
        If there is no such run, or its checkpoint does not fit what is here.
    """
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        raise UserError(f"{folder} is not a run folder: there is no {CHECKPOINT} in it.")
    for left_by_a_kill in Path(folder).glob(".*.tmp"):
        left_by_a_kill.unlink()
    return checkpoints.load_training(path, notice)


def finish(training: Training, folder: Path, on_report: Callable[[Report], None]) -> dict:
    """Train to the end, with checkpoints on the way, and write the results.

    Parameters
    ----------
    training
        From `start` or `resume`.
    folder
        Its run folder.
    on_report
        Told how the run stands; see `Training.run`.

    Returns
    -------
    dict
        The summary, as in summary.json.

    Raises
    ------
    Diverged
        If the run became NaN; the last checkpoint is from before.
    UserError
        If the disk is full; the last checkpoint is intact.
    """
    folder = Path(folder)

    def on_checkpoint() -> None:
        checkpoints.save_training(folder / CHECKPOINT, training)
        write_file(folder / "metrics.csv", training.history.to_csv())

    training.run(on_report, on_checkpoint)
    return write_results(training, folder)


def write_results(training: Training, folder: Path) -> dict:
    """Write a run's weights, figures and pictures into its folder; return the summary."""
    from . import animations, plots

    checkpoints.save_weights(folder / "G.pth", training.sampler)
    checkpoints.save_weights(folder / "D.pth", training.discriminator)
    write_file(folder / "metrics.csv", training.history.to_csv())
    frames = training.frames
    last = frames[max(frames)]
    real = training.images.pixels[: len(last)]
    pictures = {
        "losses.png": plots.to_png(plots.loss_curves(training.history)),
        "scores.png": plots.to_png(plots.score_curves(training.history)),
        "filmstrip.png": plots.to_png(plots.filmstrip(frames)),
        "real_beside_fake.png": plots.to_png(plots.real_beside_fake(real, last)),
        "animation.png": animations.animated_png(frames),
    }
    for name, content in pictures.items():
        write_file(folder / name, content)
    summary = summarize(training)
    write_file(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
    return summary


def summarize(training: Training) -> dict:
    """Return what a run was and how fast: the content of summary.json."""
    shown = training.step * training.config.batch_size
    return {
        "data": training.images.source,
        "images": len(training.images.pixels),
        "steps": training.step,
        "seconds": round(training.seconds, 1),
        "images_per_second": round(shown / training.seconds, 1),
        "device": device_name(training.device),
        "precision": training.precision,
        "seed": training.config.seed,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def last_line(summary: dict) -> str:
    """Return the summary as the one line that a run ends with."""
    return (
        f"{summary['data']}: {summary['steps']} steps in {summary['seconds']} s, "
        f"{summary['images_per_second']} images/s on {summary['device']}, {summary['precision']}"
    )


def write_samples(run: Path, out: Path, count: int, seed: int) -> None:
    """Write a picture of new samples.

    Parameters
    ----------
    run
        A run folder, or a file of a generator's weights.
    out
        The PNG file to write; must not exist.
    count
        How many images.
    seed
        Of the latent vectors, whose distribution is the run's (normal for a file alone).

    Raises
    ------
    UserError
        If `out` exists, `count` is below 1, or the generator can't be loaded.
    """
    from . import plots

    if out.exists():
        raise UserError(f"{out} exists and is left as it is. Choose another --out.")
    if count < 1:
        raise UserError(f"count is {count}; allowed: 1 or more.")
    settings = {"latent": "normal"}
    if run.is_dir():
        settings = json.loads(read_file(run / "config.json"))
    generator = checkpoints.load_generator(run / "G.pth" if run.is_dir() else run)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        images = generator(draw_latents(count, generator.latent_size, settings["latent"], random))
    write_file(out, plots.to_png(plots.image_grid(images, f"{count} samples, seed {seed}")))


def judge(folder: Path, count: int = 10_000, seed: int = 0) -> tuple[str, str]:
    """Judge a finished run's samples, and store the verdict in its folder.

    Parameters
    ----------
    folder
        A run folder with its results. judgment.json and judgment.md in it are written anew.
    count
        How many samples to draw, 1,000 or more; no more of them are judged than there are real
        digits to compare with.
    seed
        Of the latent vectors.

    Returns
    -------
    table, line
        The verdict as a Markdown table, and its short form.

    Raises
    ------
    UserError
        If there is no finished run, it did not train on digits, or `count` is too small.
    """
    settings, summary = (
        json.loads(read_file(Path(folder) / name)) for name in ("config.json", "summary.json")
    )
    if settings["data"] not in DIGITS:
        raise UserError(
            f"The judge knows digits only, and this run trained on {summary['data']}. Look at its "
            f"real_beside_fake.png instead."
        )
    judging.require_enough(count)
    route = summary["data"], settings["image_size"], settings["fit"]
    reference, known = judging.reference_for(*route), judging.known_digits(*route)
    generator = checkpoints.load_generator(Path(folder) / "G.pth")
    pixels = judging.draw_samples(generator, count, settings["latent"], seed)
    verdict = judging.judge(pixels, settings["fit"], reference, known)
    judged = min(count, reference.count)
    content = {"count": judged, "seed": seed, "route": reference.route, **verdict}
    table = judging.table(verdict, reference)
    write_file(Path(folder) / "judgment.json", (json.dumps(content, indent=2) + "\n").encode())
    write_file(Path(folder) / "judgment.md", table.encode())
    return table, judging.short(verdict)


def device_name(device: torch.device) -> str:
    """Return the device with its hardware's name, such as "cuda (NVIDIA H100)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        name = torch.cpu.get_capabilities().get("cpu_name", platform.machine())
        return f"cpu ({name}, {torch.get_num_threads()} threads)"
    return device.type
