"""What a run leaves in its folder: weights, pictures, summary, new samples, the judge's verdict.

Matplotlib is imported where pictures are drawn: it takes a second, and training does not need it.
"""

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .. import judging
from ..config import Config, UserError
from ..data import SOURCES
from ..files import read_json, write_file
from ..networks import Generator
from ..sampling import classes_in_turn, sample_new
from ..training import Training, choose_device, device_name
from ..weights import facts_of, load_generator, save_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_results(training: Training, folder: Path) -> dict:
    """Write a run's weights, figures and pictures into its folder; return the summary."""
    from ..drawing import animations, plots

    facts = weight_facts(training)
    save_weights(folder / "G.pth", training.sampler, facts)
    save_weights(folder / "D.pth", training.discriminator, facts)
    write_file(folder / "metrics.csv", training.history.to_csv())
    frames = training.frames
    last, columns = frames[max(frames)], training.columns
    pictures = {
        "losses.png": plots.to_png(plots.loss_curves(training.history)),
        "scores.png": plots.to_png(plots.score_curves(training.history)),
        "filmstrip.png": plots.to_png(filmstrip(training)),
        "real_beside_fake.png": plots.to_png(
            plots.real_beside_fake(real_images(training), last, columns)
        ),
        "animation.png": animations.animated_png(frames, columns=columns),
    }
    for name, content in pictures.items():
        write_file(folder / name, content)
    summary = summarize(training)
    write_file(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
    return summary


def filmstrip(training: Training) -> "Axes":
    """Draw some of a run's pictures; with labels, one latent vector as each of the classes."""
    from ..drawing import plots

    if training.fixed_labels is None:
        return plots.filmstrip(training.frames)
    first = {step: images[:: training.columns] for step, images in training.frames.items()}
    title = "The same latent vector as each class, in the course of training"
    return plots.filmstrip(first, rows=10, title=title)


def real_images(training: Training) -> Tensor:
    """Return real images (samples, C, S, S), as the pictures are laid out: by class, or as come."""
    images, labels = training.images, training.fixed_labels
    if labels is None:
        return images.pixels[: len(training.fixed_latents)]
    rows = []
    for label in labels[:: training.columns].tolist():
        of_class = images.pixels[images.labels == label]
        of_class = of_class if len(of_class) else images.pixels.new_zeros(images.pixels[:1].shape)
        rows.append(of_class[torch.arange(training.columns) % len(of_class)])
    return torch.cat(rows)


def weight_facts(training: Training) -> dict[str, object]:
    """Return what the shapes of a run's weights do not say, for its files of weights."""
    config = training.config
    return {
        "version": 1,  # of these facts
        "latent": config.latent,
        "leak": config.leak,
        "fit": config.fit,
        "objective": config.objective,
        "data": training.images.source,
        "classes": list(training.images.classes),
    }


def summarize(training: Training) -> dict:
    """Return what a run was and how fast: the content of summary.json."""
    shown = training.step * training.config.batch_size
    return {
        "data": training.images.source,
        "images": len(training.images),
        "steps": training.step,
        "seconds": round(training.seconds, 1),
        "images_per_second": round(shown / training.seconds, 1),
        "processes": training.processes.count,
        "device": device_name(training.device),
        "precision": training.precision,
        "seed": training.config.seed,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def last_line(summary: dict) -> str:
    """Return the summary as the one line that a run ends with."""
    count = summary["processes"]
    together = f"{count} processes, each on " if count > 1 else ""
    return (
        f"{summary['data']}: {summary['steps']} steps in {summary['seconds']} s, "
        f"{summary['images_per_second']} images/s on {together}{summary['device']}, "
        f"{summary['precision']}"
    )


def write_samples(
    run: Path,
    out: Path,
    count: int,
    seed: int,
    digit: int | None = None,
    notice: Callable[[str], None] = print,
) -> None:
    """Write a picture of new samples, pixel by pixel and without a frame.

    Parameters
    ----------
    run
        A run folder, or a file of a generator's weights.
    out
        The PNG file to write; must not exist.
    count
        How many images, up to 1,000,000.
    seed
        Of the latent vectors, whose distribution is the run's.
    digit
        Which class a conditional generator draws; None for all of them in turn.
    notice
        Told what is assumed of a file that does not say its distribution.

    Raises
    ------
    UserError
        If `out` exists or is not called .png, a number is out of range, the generator can't be
        loaded, or it takes no labels and `digit` is given.
    """
    from ..drawing import plots

    if out.exists() or out.is_symlink():
        raise UserError(f"{out} exists and is left as it is. Choose another --out.")
    if out.suffix.lower() != ".png":
        raise UserError(f"out is {str(out)!r}; allowed: a name that ends in .png.")
    if not out.parent.is_dir():
        raise UserError(f"{out.parent} is not a folder. Make it, or choose another --out.")
    require_numbers(count, 1, seed)
    latent: str | None
    if run.is_dir():
        settings, generator = load_run(run)
        latent = settings.latent
    else:
        generator, latent = load_generator(run), facts_of(run).get("latent")
        if latent is None:
            notice(f"{run} does not say how its z were drawn; a normal distribution is assumed.")
    labels = None if digit is None else torch.full((count,), class_known(generator, digit))
    pixels = sample_new(generator, count, latent or "normal", seed, labels)
    write_file(out, plots.mosaic_png(pixels))


def class_known(generator: Generator, digit: int) -> int:
    """Return a class, if the generator can be asked for it.

    Raises
    ------
    UserError
        If it can't.
    """
    if not generator.classes:
        raise UserError(
            f"digit is {digit}, but this generator was trained without labels: it can't be asked "
            f"for one. Leave out --digit, or train with --preset conditional."
        )
    if not 0 <= digit < generator.classes:
        raise UserError(f"digit is {digit}; allowed: 0 to {generator.classes - 1}.")
    return digit


MOST = 1_000_000  # samples that one call draws


def require_numbers(count: int, least: int, seed: int) -> None:
    """Refuse a number of samples or a seed that is out of range.

    Raises
    ------
    UserError
        If it is.
    """
    if not least <= count <= MOST:
        raise UserError(f"count is {count}; allowed: {least} to {MOST}.")
    if not 0 <= seed < 2**31:
        raise UserError(f"seed is {seed}; allowed: 0 to {2**31 - 1}.")


def load_run(folder: Path) -> tuple[Config, Generator]:
    """Return a finished run's settings and its generator, on the run's device if it is here.

    Raises
    ------
    UserError
        If a file is missing or can't be read.
    """
    path = folder / "config.json"
    try:
        settings = Config(**read_json(path))
    except TypeError as error:
        raise UserError(f"{path} has settings of another version: {error}") from error
    generator = load_generator(folder / "G.pth")
    drawn, said = generator.image_size, settings.image_size
    if drawn != said:
        raise UserError(
            f"{folder / 'G.pth'} draws {drawn}x{drawn} pixels, but the run's settings say {said}. "
            f"Put back the file that belongs there: python -m dcgan_utils resume {folder}"
        )
    try:
        device = choose_device(settings.device)
    except UserError:  # trained on another machine
        device = choose_device("auto")
    return settings, generator.to(device)


@dataclass(frozen=True)
class Judgment:
    """What the judge says of a run's samples."""

    table: str  # in Markdown, with what must be known to read it
    line: str  # its short form
    content: dict  # all of it, as it is stored


def judge_run(folder: Path, count: int = 10_000, seed: int = 0) -> Judgment:
    """Judge a finished run's samples.

    Parameters
    ----------
    folder
        A run folder with its results.
    count
        How many samples to draw, 1,000 or more; no more of them are judged than there are real
        digits to compare with.
    seed
        Of the latent vectors.

    Raises
    ------
    UserError
        If there is no finished run, it did not train on digits, or a number is out of range.
    """
    judging.require_enough(count)
    require_numbers(count, judging.FEWEST, seed)
    summary = read_json(folder / "summary.json")
    settings, generator = load_run(folder)
    if not can_judge(settings):
        raise UserError(judging.ONLY_DIGITS.format(summary.get("data", settings.data)))
    route = settings.data, settings.image_size, settings.fit
    reference, known = judging.reference_for(*route), judging.known_digits(*route)
    pixels = sample_new(generator, count, settings.latent, seed)
    verdict = judging.judge_samples(pixels, settings.fit, reference, known)
    judged = min(count, len(reference.others))
    content = {"count": judged, "seed": seed, "route": reference.route, **verdict}
    table, line = judging.table(verdict, reference), judging.one_line(verdict)
    if (asked := classes_in_turn(judged, generator.classes)) is not None:
        seen = judging.classify(judging.to_judged_size(pixels[:judged], settings.fit))
        obeyed = judging.share_as_asked(seen.probabilities, asked.numpy())
        content["obeyed"] = obeyed
        table += f"\nThe classifier reads {obeyed:.1%} of the samples as the digit asked for.\n"
        line += f", {obeyed:.1%} as asked"
    return Judgment(table, line, content)


def store_judgment(folder: Path, judgment: Judgment) -> None:
    """Write a judgment into a run folder, judgment.json and judgment.md, in place of the last one.

    Raises
    ------
    UserError
        If the folder can't be written to.
    """
    content = json.dumps(judgment.content, indent=2) + "\n"
    write_file(folder / "judgment.json", content.encode())
    write_file(folder / "judgment.md", judgment.table.encode())


def can_judge(config: Config) -> bool:
    """Return whether a run with these settings, as stored, draws what the judge knows: digits."""
    return config.data in SOURCES and SOURCES[config.data].digits
