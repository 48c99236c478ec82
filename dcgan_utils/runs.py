"""Runs in folders: created, trained to their end, reopened; what they leave there, and its judge.

A run folder and each file in it appear whole: a run killed at any moment can be resumed.
"""

import dataclasses
import json
import os
import platform
import shlex
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from . import judging
from .config import Config, UserError
from .data import SOURCES, load_images
from .device import choose_device, device_name, environment, first_process_first, rank, world_size
from .files import load, save, write_file
from .sampling import classes_in_turn, sample_new
from .training import Report, StoppedBetweenSteps, Training
from .weights import facts_of, load_generator, network_from_weights, save_weights

VERSION = 4  # of the checkpoint's content
CHECKPOINT = "checkpoint.pt"  # the last one
KEPT = "checkpoints"  # the folder of earlier ones, each named by its step


def require_free(folder: Path) -> None:
    """Refuse, before anything long begins, a run folder that is there or can't be made."""
    if folder.exists() or folder.is_symlink():
        go_on = f"python -m dcgan_utils resume {shlex.quote(str(folder))}"
        raise UserError(f"{folder} exists and is left as it is. Choose another, or go on: {go_on}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise UserError(f"{folder} can't be made: {error.strerror}. Choose another.") from error


def create(training: Training, folder: Path) -> Path:
    """Make a run folder, whole, with settings and a checkpoint, by the first process alone."""
    if rank() > 0:
        return folder
    require_free(folder)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        whole = Path(temporary, "whole")
        whole.mkdir()
        _write_json(whole / "config.json", dataclasses.asdict(training.config))
        save_training(whole / CHECKPOINT, training)
        try:
            os.rename(whole, folder)
        except OSError:
            require_free(folder)  # another process has made it meanwhile
            raise
    return folder


def create_next(training: Training, name: str, parent: Path = Path("runs")) -> Path:
    """Make the first run folder of NAME-1, NAME-2, ... that is free, whoever else does the same."""
    number = 1
    while True:
        folder = parent / f"{name}-{number}"
        try:
            return create(training, folder)
        except UserError:
            if not folder.exists():
                raise
        number += 1


def complete(training: Training, folder: Path, on_report: Callable[[Report], object]) -> dict:
    """Train to the end, with checkpoints on the way, and write the results; return the summary.

    Raises what `Training.run` does: the last checkpoint is of the moment where the run was stopped,
    or from before it diverged; `UserError` if the folder is in use. The first process writes.
    """
    if rank() > 0:
        training.run()
        return {}
    every, parts = training.config.checkpoint_every, training.config.keep_checkpoints + 1
    keep = {round(training.total * part / parts / every) * every for part in range(1, parts)}

    def on_checkpoint() -> None:
        if training.step in keep - {training.total}:  # first: a kill between the two loses none
            (folder / KEPT).mkdir(exist_ok=True)
            save_training(folder / KEPT / f"{training.step}.pt", training)
        save_training(folder / CHECKPOINT, training)  # which completes the history
        write_file(folder / "metrics.csv", training.history.to_csv())

    try:  # a lock that a killed process does not hold
        lock = FileLock(folder.resolve() / ".lock").acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{folder} is in use by another run. Wait until it has ended.") from error
    with lock:
        for left in folder.rglob(".*.tmp"):  # by a process that was killed while it wrote
            left.unlink()
        if load_checkpoint(folder / CHECKPOINT)[1]["step"] > training.step:
            raise UserError(f"{folder} has gone on since it was read. Read it again.")
        _write_json(folder / "config.json", dataclasses.asdict(training.config))
        try:
            at_end = training.total  # whose checkpoint follows
            training.run(on_report, lambda: None if training.step == at_end else on_checkpoint())
        except StoppedBetweenSteps:
            on_checkpoint()
            raise
        on_checkpoint()  # the last one; also where a callback stopped it, or its length is new
        return write_results(training, folder)


def checkpoint_of(folder: Path, step: int | None = None) -> Path:
    """Return the file of a run's last checkpoint, or of one that it has kept; else `UserError`."""
    if not (folder / CHECKPOINT).exists():
        raise UserError(f"{folder} is not a run folder: there is no {CHECKPOINT} in it.")
    if step is None:
        return folder / CHECKPOINT
    kept = {int(path.stem): path for path in (folder / KEPT).glob("*.pt") if path.stem.isdigit()}
    if step not in kept:
        known = ", ".join(map(str, sorted(kept))) or "none"
        raise UserError(f"{folder} has no checkpoint of step {step}; it has kept: {known}.")
    return kept[step]


def save_training(path: Path, training: Training) -> None:
    """Write everything that the rest of a run depends on; see `files.save`."""
    save(path, {"version": VERSION, **training.state_dict()})


def load_checkpoint(path: Path) -> tuple[Config, dict]:
    """Return a checkpoint's settings and content; `UserError` if it is none of this version."""
    state = load(path)
    try:
        if state["version"] == VERSION:
            return Config(**state["config"]), dict(state)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a checkpoint, or has other settings: {error}") from error
    raise UserError(f"{path} is not a checkpoint of this version. Begin the run anew.")


def load_training(
    path: Path,
    notice: Callable[[str], None] = print,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    **changes: Any,
) -> Training:
    """Read a checkpoint and its data, ready to go on.

    `notice` is told where the data come from, and if the conditions under which a run is reproduced
    bit by bit have changed. A run with networks of its own needs the same ones, made anew.
    `changes` are to learning_rate, and to steps, from the run's beginning. Raises
    `UserError` if the file can't be read or does not fit the data or the device that are here.
    """
    config, state = load_checkpoint(path)
    if odd := changes.keys() - {"steps", "learning_rate"}:
        raise UserError(f"A run can't go on with another {', '.join(odd)}. Start a new one.")
    try:
        steps = changes.get("steps", state["step"])
        if steps < state["step"]:
            raise UserError(f"steps is {steps}; allowed: {state['step']}, as were taken, or more.")
        if "steps" in changes and config.decay:
            planned = f"decay is {config.decay}, as planned for this run's length"
            raise UserError(f"{planned}. Start another run with --steps {steps}.")
        config = dataclasses.replace(config, **changes)
        with first_process_first():
            images = load_images(config, notice)
        training = Training(config, images, generator, discriminator)
        training.load_state_dict(state)
        plausible = state["step"] >= 0 and state["seconds"] >= 0
        if not plausible or state["history"].shape[1:] != (len(state["columns"]),):
            raise ValueError("its numbers do not fit together")
        before, now = state["environment"], environment(training.config)
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged, or of other networks: {error}") from error
    if before != now:
        notice(
            f"The run was trained under other conditions ({before}; now {now}), so it ends with "
            f"other numbers: in the last bits, or more where batch norm's shares have another size."
        )
    return training


def write_results(training: Training, folder: Path) -> dict:
    """Write a run's weights, figures and pictures into its folder; return the summary."""
    facts, summary = weight_facts(training), summarize(training)
    save_weights(folder / "G.pth", training.sampler, facts)
    save_weights(folder / "D.pth", training.discriminator, facts)
    for name, content in draw_pictures(training).items():
        write_file(folder / name, content)
    _write_json(folder / "summary.json", summary)  # the last one: a run with it is finished
    return summary


def draw_pictures(training: Training) -> dict[str, bytes]:
    """Return the pictures of a run, by the names of their files."""
    from . import animations, plots  # which import matplotlib: it takes a second

    frames, columns = training.frames, training.columns
    real, last = real_images(training), frames[max(frames)]
    first = {step: images[::columns] for step, images in frames.items()}  # with labels, one of each
    return {
        "losses.png": plots.to_png(plots.loss_curves(training.history)),
        "scores.png": plots.to_png(plots.score_curves(training.history)),
        "filmstrip.png": plots.to_png(plots.filmstrip(first, rows=10)),
        "real_beside_fake.png": plots.to_png(plots.real_beside_fake(real, last, columns)),
        "animation.png": animations.animated_png(frames, columns=columns),
    }


def real_images(training: Training) -> Tensor:
    """Return real images (samples, C, S, S), as the pictures are laid out: by class, or as come."""
    pixels, labels = training.images.pixels, training.images.labels
    if training.fixed_labels is None:
        return pixels[: len(training.fixed_latents)]
    columns = torch.arange(training.columns)
    of_each = (pixels[labels == label] for label in training.fixed_labels.unique())
    return torch.cat([some[columns % len(some)] for some in of_each])


def weight_facts(training: Training) -> dict[str, Any]:
    """Return what the shapes of a run's weights do not say, for its files of weights."""
    images = {"data": training.images.source, "classes": list(training.images.classes)}
    return dataclasses.asdict(training.config) | images


def summarize(training: Training) -> dict:
    """Return what a run was and how fast: the content of summary.json."""
    shown = training.step * training.config.batch_size
    return {
        "data": training.images.source,
        "images": len(training.images),
        "steps": training.step,
        "seconds": round(training.seconds, 1),
        "images_per_second": round(shown / training.seconds, 1),
        "processes": world_size(),
        "device": device_name(training.device),
        "precision": training.precision,
        "seed": training.config.seed,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def last_line(summary: dict) -> str:
    """Return the summary as the one line that a run ends with."""
    line = "{data}: {steps} steps in {seconds} s, {images_per_second} images/s on {device}"
    together = f", {summary['processes']} processes" if summary["processes"] > 1 else ""
    return line.format(**summary) + f"{together}, {summary['precision']}"


def load_run(folder: Path, step: int | None = None) -> tuple[Config, Any]:
    """Return a run's settings and the generator that draws, on the run's device if it is here.

    As of the last checkpoint, or of one that it has kept; `UserError` if it can't be read.
    """
    path = checkpoint_of(folder, step)
    config, state = load_checkpoint(path)
    try:
        generator = network_from_weights(state["average"] or state["generator"]).eval()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged, or of other networks: {error}") from error
    try:
        device = choose_device(config.device)
    except UserError:  # trained on another machine
        device = choose_device("auto")
    return config, generator.to(device)


def write_samples(
    run: Path,
    out: Path,
    count: int,
    seed: int = 0,
    digit: int | None = None,
    step: int | None = None,
    notice: Callable[[str], None] = print,
) -> None:
    """Write a picture of new samples, pixel by pixel and without a frame.

    `run` is a run folder, of which `step` names a kept checkpoint, or a file of a generator's
    weights; `out` is a PNG file that is not there yet; `digit` is the class that a conditional
    generator draws, or None for all in turn. Raises `UserError` if one of them is not allowed.
    """
    from . import plots

    if out.exists() or out.is_symlink() or out.suffix.lower() != ".png":
        raise UserError(f"out is {str(out)!r}; allowed: a name ending in .png that is not taken.")
    _require_between("count", count, 1, 1_000_000)
    _require_between("seed", seed, 0, 2**31 - 1)
    latent: str | None
    if run.is_dir() or step is not None:
        config, generator = load_run(run, step)
        latent = config.latent
    else:
        generator, latent = load_generator(run), facts_of(run).get("latent")
        if latent is None:
            notice(f"{run} does not say how its z were drawn; a normal distribution is assumed.")
    if digit is not None and not generator.classes:
        why = "this generator was trained without labels, as --preset conditional has"
        raise UserError(f"digit is {digit}, but {why}. Leave --digit out.")
    _require_between("digit", digit or 0, 0, max(generator.classes - 1, 0))
    labels = None if digit is None else torch.full((count,), digit)
    pixels = sample_new(generator, count, latent or "normal", seed, labels)
    write_file(out, plots.mosaic_png(pixels))


def _require_between(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UserError(f"{name} is {value}; allowed: {least} to {most}.")


def can_judge(config: Config) -> bool:
    """Return whether a run with these settings, as decided, draws what the judge knows: digits."""
    return config.data in SOURCES and SOURCES[config.data].digits and config.channels in (None, 1)


def judge(
    generator: nn.Module, config: Config, count: int = 10_000, seed: int = 0
) -> tuple[str, str, dict]:
    """Judge a generator's samples: a table in Markdown, one line, and all of it as it is stored.

    No more of the samples are judged than there are real digits. `UserError` if it draws others.
    """
    _require_between("count", count, judging.FEWEST, 1_000_000)
    _require_between("seed", seed, 0, 2**31 - 1)
    if not can_judge(config):
        raise UserError(judging.ONLY_DIGITS.format(config.data))
    compared = config.data, config.image_size, config.fit
    reference, known = judging.reference_for(*compared), judging.known_digits(*compared)
    pixels = sample_new(generator, count, config.latent, seed)
    verdict = judging.judge_samples(pixels, config.fit, reference, known)
    judged = min(count, len(reference.others))
    content = {"count": judged, "seed": seed, "route": reference.route, **verdict}
    table, line = judging.table(verdict, reference), judging.one_line(verdict)
    if (asked := classes_in_turn(judged, getattr(generator, "classes", 0))) is not None:
        seen = judging.classify(judging.to_judged_size(pixels[:judged], config.fit))
        obeyed = float((seen.probabilities.argmax(1) == asked.numpy()).mean())
        content["obeyed"] = obeyed
        table += f"\nThe classifier reads {obeyed:.1%} of the samples as the digit asked for.\n"
        line += f", {obeyed:.1%} as asked"
    return table, line, content


def store_judgment(folder: Path, table: str, content: dict) -> None:
    """Write a judgment into a run folder, in place of the last one."""
    _write_json(folder / "judgment.json", content)
    write_file(folder / "judgment.md", table.encode())


def _write_json(path: Path, content: Mapping) -> None:
    write_file(path, (json.dumps(content, indent=2) + "\n").encode())
