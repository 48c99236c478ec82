"""Files that appear whole or not at all, or are read without running what is in them."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import torch

from .config import UserError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file whose content takes the place of another's, whole, when the block ends.

    A kill or a full disk leaves the old one. Raises `UserError` if it can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path} could not be written: {error.strerror}. What was there before is untouched. "
            f"Make room on the disk, close what holds it open, or choose another place."
        ) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file, as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


def save(path: Path, content: Mapping) -> None:
    """Write tensors and plain values with `torch.save`, as `replacing` does."""
    with replacing(path) as file:
        torch.save(content, file)


def load(path: Path) -> dict:
    """Read what `torch.save` wrote, onto the CPU, if it is no more than tensors and plain values.

    Raises `UserError` if the file is missing, damaged or holds more; nothing in it is run.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path} could not be read: {error.strerror}. Check the path.") from error
    except Exception as error:  # a damaged file can fail in any way
        raise UserError(
            f"{path} is damaged, or holds more than weights; nothing in it was run. Copy or make "
            f"it again (torch.save(network.state_dict(), path)), or go on --from an earlier step."
        ) from error
