"""Who works in a run folder: one process at a time, known by name to the others."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import SoftFileLock, Timeout

from ..config import UserError


class InUse(UserError):
    """Another process works in a run folder."""


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Hold a run folder, which need not exist yet, by a lock file beside it.

    The file names this process and its machine. One that a killed process has left is recognized
    and replaced.

    Raises
    ------
    InUse
        If another process holds it.
    UserError
        If no file can be written there.
    """
    lock = SoftFileLock(folder.parent / f".{folder.name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InUse(
            f"{folder} is in use by process {lock.pid}, another train or resume. Wait until it "
            f"has ended, or stop it; then start again."
        ) from error
    except OSError as error:
        raise UserError(
            f"{folder.parent} can't be written to: {error.strerror}. Choose another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def left_by_a_kill(path: Path) -> bool:
    """Return whether a temporary file or folder, .NAME.PID.tmp, belongs to no living process."""
    number = path.name.removesuffix(".tmp").rpartition(".")[2]
    return number.isdigit() and not psutil.pid_exists(int(number))
