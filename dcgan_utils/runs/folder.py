"""A run in its folder: created, reopened, trained to its end.

A run folder appears whole, with its settings and a first checkpoint, and each file in it is only
ever replaced as a whole; so a run that is killed at any moment can be resumed.
"""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..config import Config, UserError
from ..data import decide, load_images
from ..files import write_file
from ..losses import objective_for
from ..training import Report, StoppedBetweenSteps, Training
from .checkpoints import load_training, save_training
from .results import write_results

CHECKPOINT = "checkpoint.pt"


def next_folder(name: str, parent: Path = Path("runs")) -> Path:
    """Return the first of NAME-1, NAME-2, ... in `parent` that is not there yet."""
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return parent / f"{name}-{number}"


def create(config: Config, folder: Path, notice: Callable[[str], None] = print) -> Training:
    """Make a run folder and the training that belongs in it, not yet begun.

    What "auto" means is decided here, and stored as decided: the run keeps its data, its device and
    its precision also when others have appeared.

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
    objective_for(config)  # refused before the data are loaded
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    parent_is_new = not folder.parent.exists()
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"{folder} can't be made: {error.strerror}. Choose another --out."
        ) from error
    try:
        config = decide(config, notice)
        training = Training(config, load_images(config, notice))
        config = training.config = _as_decided(training)
        if config.steps is not None and config.steps > training.total:
            notice(
                f"steps is {config.steps}, but {config.epochs} epochs of these images are "
                f"{training.total} steps, and the run ends with them. For more, raise --epochs."
            )
        settings = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
        write_file(unfinished / "config.json", settings.encode())
        save_training(unfinished / CHECKPOINT, training)
        os.rename(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        if parent_is_new:
            with contextlib.suppress(OSError):  # another run may be in it by now
                folder.parent.rmdir()
        raise
    return training


def _as_decided(training: Training) -> Config:
    """Return a training's settings with what "auto" and None have turned out to mean."""
    return dataclasses.replace(
        training.config,
        channels=training.images.pixels.shape[1],
        device=str(training.device),
        precision=training.precision,
    )


def reopen(folder: Path, notice: Callable[[str], None] = print) -> Training:
    """Return a run folder's training as of its last checkpoint, ready to go on.

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
    return load_training(path, notice)


def complete(training: Training, folder: Path, on_report: Callable[[Report], object]) -> dict:
    """Train to the end, with checkpoints on the way, and write the results.

    Parameters
    ----------
    training
        From `create` or `reopen`.
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
    StoppedBetweenSteps
        After Ctrl-C or SIGTERM; the last checkpoint is of this moment.
    UserError
        If the disk is full; the last checkpoint is intact.
    """
    folder = Path(folder)

    def on_checkpoint() -> None:
        save_training(folder / CHECKPOINT, training)
        write_file(folder / "metrics.csv", training.history.to_csv())

    try:
        training.run(on_report, on_checkpoint)
    except StoppedBetweenSteps:
        on_checkpoint()
        raise
    return write_results(training, folder)
