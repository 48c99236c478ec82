"""MNIST, and the sets in MNIST's form, downloaded by torchvision into the data root.

`DCGAN_MNIST_MIRROR` may name a web folder of a set's .gz files, such as a school's own copy, which
is tried before the public ones.
"""

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

_PREFIX = ".download-"  # the beginning of a download's temporary folder
_STALE = 3600  # seconds after which such a folder was left by a process that was killed


class Files(Protocol):
    """What a download must know of a set; `idx.IdxFiles` is one."""

    @property
    def dataset(self) -> str: ...
    @property
    def archives(self) -> Sequence[tuple[str, str]] | None: ...
    @property
    def mirrors(self) -> Sequence[str] | None: ...
    @property
    def patience(self) -> float: ...
    @property
    def names(self) -> list[str]: ...


class DownloadError(Exception):
    """A set can't be downloaded; the message is a reason for each mirror."""


def download(files: Files, raw: Path, fault: Callable[[Path], str]) -> None:
    """Download a set beside `raw`, check it, and move what is missing into place.

    The files arrive in a temporary folder of this process alone, and are moved one whole file at
    a time: neither a kill nor another process at the same work leaves half a file in `raw`.

    Parameters
    ----------
    files
        The set.
    raw
        The folder for its files.
    fault
        Says what is wrong with a file that arrived; "" if nothing is.

    Raises
    ------
    DownloadError
        If no mirror has all the files, or the folder can't be written to.
    """
    try:
        raw.mkdir(parents=True, exist_ok=True)
        _remove_stale(raw)
        temporary = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=raw))
    except OSError as error:
        raise DownloadError(f"{raw} can't be written to: {error.strerror}") from error
    try:
        arrived = _try_mirrors(files, temporary, raw, fault)
        for name in files.names:
            if not (raw / name).exists():  # what is there stays, and is checked when it is read
                os.replace(arrived / name, raw / name)
    except OSError as error:
        raise DownloadError(f"{raw}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_stale(raw: Path) -> None:
    for folder in raw.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # its process has just ended
            if time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)


def _try_mirrors(files: Files, temporary: Path, raw: Path, fault: Callable[[Path], str]) -> Path:
    """Return the folder with the checked files of the first mirror that has them all."""
    archives, mirrors = _archives(files)
    each, reasons = files.patience / max(1, len(mirrors)), []
    for number, mirror in enumerate(mirrors):
        arrived = temporary / str(number)
        arrived.mkdir()
        for archive in raw.glob("*.gz"):  # torchvision only unpacks what is here already
            shutil.copy(archive, arrived)
        reason = _fetch(mirror, archives, arrived, each)
        reason = reason or next(filter(None, (fault(arrived / name) for name in files.names)), "")
        if not reason:
            return arrived
        reasons.append(f"{mirror}: {reason}")
    raise DownloadError("; ".join(reasons) or "no mirror is known")


def _archives(files: Files) -> tuple[Sequence[tuple[str, str]], list[str]]:
    """Return the archives, name and MD5, and the web folders to try in turn."""
    from torchvision import datasets

    dataset = getattr(datasets, files.dataset)
    archives, mirrors = dataset.resources, list(dataset.mirrors)
    if hasattr(dataset, "url"):  # EMNIST: one archive of all its parts
        folder, name = dataset.url.rsplit("/", 1)
        archives, mirrors = [(name, dataset.md5)], [folder + "/"]
    archives = archives if files.archives is None else files.archives
    mirrors = mirrors if files.mirrors is None else list(files.mirrors)
    if own := os.environ.get("DCGAN_MNIST_MIRROR"):
        mirrors.insert(0, own.rstrip("/") + "/")
    return archives, mirrors


def _fetch(mirror: str, archives: Sequence[tuple[str, str]], arrived: Path, patience: float) -> str:
    """Let torchvision download from one mirror, and return what went wrong, or ""."""
    from torchvision.datasets.utils import download_and_extract_archive, extract_archive

    try:
        with _silence_ends(patience):
            for name, md5 in archives:
                download_and_extract_archive(mirror + name, str(arrived), md5=md5)
        for inner in (arrived / "gzip").glob("*.gz"):  # EMNIST's
            extract_archive(str(inner), str(arrived))
    except Exception as error:  # of the network, the disk, or a file that is not what it should be
        if _is_timeout(error):
            return f"silent for {patience:g} s"
        return (str(error).strip() or type(error).__name__).splitlines()[-1]
    return ""


@contextlib.contextmanager
def _silence_ends(seconds: float) -> Iterator[None]:
    """Give new sockets a limit for each single answer: torchvision itself waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _is_timeout(error: BaseException | None) -> bool:
    """Return whether silence is at the root of an error."""
    while error is not None:
        if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", 0), TimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False
