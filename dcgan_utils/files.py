"""Files written and read whole, so that a kill or a full disk leaves the old one; safe loading.

PyTorch's files are read with `weights_only=True`: they can hold tensors and plain values, never
code.
"""

import contextlib
import errno
import io
import json
import os
import pickle
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from .config import UserError


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and move it into place.

    Whatever happens, `path` holds either all of the old content or all of the new.

    Parameters
    ----------
    path
        The file to write; its folder exists.
    content
        All of its bytes.

    Raises
    ------
    UserError
        If the disk is full or can't be written to, or another program holds `path` open, as only
        Windows minds. `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        move(temporary, path)
    except OSError as error:
        held = isinstance(error, PermissionError) and temporary.exists() and path.is_file()
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Make room on the disk" if full else "Check that the folder is there and yours"
        remedy = "Close whatever program holds it open, such as a spreadsheet" if held else remedy
        raise UserError(
            f"{path} could not be written: {error.strerror}. What was there before is untouched. "
            f"{remedy}, or choose another one."
        ) from error


def move(source: Path, target: Path) -> None:
    """Move a file or a folder to where it belongs, in place of a file that is there.

    Windows refuses while another program holds either open, as a virus scanner does for a moment;
    so it is tried again for a second and a half.

    Raises
    ------
    OSError
        If it can't be moved.
    """
    for seconds in (0.05, 0.1, 0.2, 0.4, 0.75):
        try:
            return os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
    os.replace(source, target)


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    UserError
        If it is not there or can't be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} could not be read: {error.strerror}. Check the path.") from error


def read_json(path: Path) -> dict:
    """Return what a JSON file holds, which must be names and values.

    Raises
    ------
    UserError
        If it is not there, can't be read, or holds something else.
    """
    content = read_file(path)
    try:
        found = json.loads(content.decode())
    except ValueError as error:  # broken JSON, and bytes that are no text
        raise UserError(f"{path} is not a JSON file ({error}). Copy or make it again.") from error
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path} holds no settings or results. Copy or make it again.")
    return found


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
    except Exception as error:  # a damaged file can fail in any way
        raise UserError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"{path} is truncated or not a PyTorch file. Copy or make it again."
