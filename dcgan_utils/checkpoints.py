"""Saving, resuming and loading: whole runs, and networks alone.

Files are read with `weights_only=True`: they can hold tensors and plain values, never code.
"""

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from .config import Config, UserError
from .data import load_images
from .files import read_file, write_file
from .networks import Discriminator, Generator, network_from_weights
from .training import Training

VERSION = 1  # of the checkpoint's layout


def save(path: Path, content: Mapping) -> None:
    """Write tensors and plain values to a file that a kill or a full disk cannot spoil.

    Raises
    ------
    UserError
        If the disk is full or can't be written to. The old file is intact.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_file(Path(path), buffer.getvalue())


def load(path: Path) -> dict:
    """Read what `save` or `torch.save` wrote, onto the CPU, executing nothing that is in it.

    Raises
    ------
    UserError
        If the file is missing, truncated, not from PyTorch, or holds more than tensors and plain
        values (such as a whole pickled module, or code).
    """
    content = read_file(path)
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(io.BytesIO(content)):
            raise UserError(
                f"{path} holds more than weights and was refused: nothing in it was run. Ask for a "
                f"file saved as torch.save(network.state_dict(), path)."
            ) from error
        raise UserError(_damaged(path)) from error
    except (RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"{path} is truncated or not a PyTorch file. Copy or make it again."


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's state dict, as the common tutorial programmes do (G.pth, D.pth)."""
    save(path, {name: value.cpu().contiguous() for name, value in network.state_dict().items()})


def load_generator(path: Path) -> Generator:
    """Build the generator that a file of weights belongs to.

    Parameters
    ----------
    path
        A G.pth of this course or of a common tutorial programme.

    Returns
    -------
    Generator
        On the CPU, in evaluation mode.

    Raises
    ------
    UserError
        If the file can't be read safely or holds something else.
    """
    return _load_network(path, Generator)


def load_discriminator(path: Path) -> Discriminator:
    """Build the discriminator that a file of weights belongs to; see `load_generator`."""
    return _load_network(path, Discriminator)


def _load_network(path: Path, kind: type[nn.Module]) -> nn.Module:
    weights = load(path)
    if not isinstance(weights, Mapping) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise UserError(f"{path} is not a state dict. Choose a G.pth or D.pth.")
    try:
        network = network_from_weights(weights)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(network, kind):
        found, wanted = type(network).__name__.lower(), kind.__name__.lower()
        raise UserError(f"{path} holds a {found}, not a {wanted}. Choose the other file.")
    return network.eval()


def save_training(path: Path, training: Training) -> None:
    """Write everything that the rest of a run depends on; see `save`."""
    save(path, {"version": VERSION, **training.state_dict()})


def load_training(path: Path, notice=print) -> Training:
    """Read a checkpoint and its data, ready to go on.

    Parameters
    ----------
    path
        What `save_training` wrote.
    notice
        Told where the data come from, where that is not as expected.

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
        training = Training(config, load_images(config, notice))
        training.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{path} does not fit this version's networks: {error}") from error
    return training
