"""Writing files so that a kill or a full disk leaves the old one whole."""

import os
from pathlib import Path

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
        If the disk is full or can't be written to. `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path} could not be written: {error.strerror}. What was there before is untouched. "
            f"Make room on the disk or choose another folder."
        ) from error


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
