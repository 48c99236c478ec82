"""A run in its folder: created, reopened, trained to its end.

A run folder appears whole, with its settings and a first checkpoint, and each file in it is only
ever replaced as a whole; so a run that is killed at any moment can be resumed.
"""

import contextlib
import dataclasses
import glob
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..config import Config, UserError
from ..data import decide, load_images
from ..files import move, write_file
from ..losses import objective_for
from ..training import Report, StoppedBetweenSteps, Training
from .checkpoints import load_training, save_training
from .lock import InUse, left_by_a_kill, working_in
from .results import write_results

CHECKPOINT = "checkpoint.pt"


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
        Told where the data come from, where that is not as expected.

    Raises
    ------
    Exists, InUse
        If the folder is there, or another process is making it.
    UserError
        If the folder can't be made, or the settings do not fit the machine or the data.
    """
    folder = Path(folder)
    objective_for(config)  # refused before the data are loaded
    parent_is_new = not folder.parent.exists()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with working_in(folder):
            return _create(config, folder, notice)
    except OSError as error:
        raise UserError(
            f"{folder} can't be made: {error.strerror}. Choose another --out."
        ) from error
    finally:
        if parent_is_new:
            with contextlib.suppress(OSError):  # there may be runs in it by now
                folder.parent.rmdir()


def _create(config: Config, folder: Path, notice: Callable[[str], None]) -> Training:
    """Make a run folder that this process holds."""
    if folder.exists() or folder.is_symlink():
        raise Exists(
            f"{folder} exists and is left as it is. Choose another --out, or go on with it: "
            f"python -m dcgan_utils resume {folder}"
        )
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.tmp"):
        if left_by_a_kill(left):
            shutil.rmtree(left, ignore_errors=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    unfinished.mkdir()
    try:
        config = decide(config, notice)
        training = Training(config, load_images(config, notice))
        training.config = _as_decided(training)
        _write_settings(unfinished, training.config)
        save_training(unfinished / CHECKPOINT, training)
        move(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return training


def create_next(
    config: Config, name: str, parent: Path = Path("runs"), notice: Callable[[str], None] = print
) -> tuple[Training, Path]:
    """Make a run in the first of NAME-1, NAME-2, ... that is free, whoever else does the same.

    Returns
    -------
    training, folder
        As `create` makes them.
    """
    number = 1
    while True:
        folder = parent / f"{name}-{number}"
        if not folder.exists():
            with contextlib.suppress(Exists, InUse):  # another process was faster
                return create(config, folder, notice), folder
        number += 1


class Exists(UserError):
    """A run folder is there already."""


def _write_settings(folder: Path, config: Config) -> None:
    content = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
    write_file(folder / "config.json", content.encode())


def _as_decided(training: Training) -> Config:
    """Return a training's settings with what "auto" and None have turned out to mean."""
    return dataclasses.replace(
        training.config,
        channels=training.images.pixels.shape[1],
        device=str(training.device),
        precision=training.precision,
    )


def reopen(
    folder: Path, notice: Callable[[str], None] = print, steps: int | None = None
) -> Training:
    """Return a run folder's training as of its last checkpoint, ready to go on.

    Parameters
    ----------
    folder
        The run folder. A config.json that was lost or spoiled is written anew.
    notice
        Told where the data come from, where that is not as expected.
    steps
        A new length of the run, in steps from its beginning; None leaves it. Its weights then are
        those of a run that was planned that long. Pictures and metrics of the way so far stay as
        they were planned; further ones come when the longer run has them. So its animation has
        more frames than `frames` says, denser up to where it was extended.

    Raises
    ------
    InUse
        If another process trains it.
    UserError
        If there is no such run, its checkpoint does not fit what is here, or it has taken more
        steps already.
    """
    folder = Path(folder)
    path = folder / CHECKPOINT
    if not path.exists():
        raise UserError(f"{folder} is not a run folder: there is no {CHECKPOINT} in it.")
    with working_in(folder):
        for left in folder.glob(".*.tmp"):
            if left.is_file() and left_by_a_kill(left):
                left.unlink()
        training = load_training(path, notice, steps=steps)
        _write_settings(folder, training.config)
    return training


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
        The summary, as in summary.json. Of several processes, the first writes and has it; the
        others train with it, and return an empty one.

    Raises
    ------
    Diverged
        If the run became NaN; the last checkpoint is from before.
    StoppedBetweenSteps
        After Ctrl-C or SIGTERM; the last checkpoint is of this moment.
    ProcessLost
        If another of several processes is gone; the last checkpoint is from before.
    UserError
        If the disk is full; the last checkpoint is intact.
    """
    folder = Path(folder)
    if not training.processes.first:
        training.run()
        return {}

    def on_checkpoint() -> None:
        save_training(folder / CHECKPOINT, training)
        write_file(folder / "metrics.csv", training.history.to_csv())

    with working_in(folder):
        try:
            training.run(on_report, on_checkpoint)
        except StoppedBetweenSteps:
            on_checkpoint()
            raise
        return write_results(training, folder)
