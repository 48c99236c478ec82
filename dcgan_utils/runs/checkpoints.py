"""Whole runs in a file: everything that the rest of a run depends on."""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from ..config import Config, UserError
from ..data import load_images
from ..files import load, save
from ..losses import objective_for
from ..training import Training

VERSION = 2  # of the checkpoint's layout


def save_training(path: Path, training: Training) -> None:
    """Write everything that the rest of a run depends on; see `files.save`."""
    save(path, {"version": VERSION, **training.state_dict()})


def load_training(
    path: Path,
    notice: Callable[[str], None] = print,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
) -> Training:
    """Read a checkpoint and its data, ready to go on.

    Parameters
    ----------
    path
        What `save_training` wrote.
    notice
        Told where the data come from, where that is not as expected.
    generator, discriminator
        For a run with networks of its own: the same ones, made anew.

    Raises
    ------
    UserError
        If the file can't be read safely, is no checkpoint of this version, or does not fit the
        data or the device that are here.
    """
    state = load(path)
    if not isinstance(state, Mapping) or state.get("version") != VERSION:
        raise UserError(
            f"{path} is not a checkpoint of this version. Choose a run's checkpoint.pt."
        )
    try:
        config = Config(**state["config"])
        objective_for(config)  # refused before the data are loaded
        images = load_images(config, notice)
        training = Training(config, images, generator, discriminator)
        training.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{path} does not fit this version's networks: {error}") from error
    return training
