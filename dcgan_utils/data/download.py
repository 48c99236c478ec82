"""MNIST, and the sets in MNIST's form, downloaded from where torchvision has them.

`DCGAN_MNIST_MIRROR` may name a web folder of a set's .gz files, such as a school's own copy, which
is tried before the public ones.
"""

import contextlib
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ..files import move

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
    def largest(self) -> int: ...
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
                move(arrived / name, raw / name)
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
        for archive in raw.glob("*.gz"):  # what is here already is only unpacked
            shutil.copy(archive, arrived)
        reason = _fetch(mirror, archives, arrived, each, files.largest)
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


def _fetch(
    mirror: str, archives: Sequence[tuple[str, str]], arrived: Path, patience: float, largest: int
) -> str:
    """Download from one mirror and unpack, and return what went wrong, or ""."""
    from torchvision.datasets.utils import check_integrity, extract_archive

    try:
        for name, md5 in archives:
            if not check_integrity(arrived / name, md5):
                _retrieve(mirror + name, arrived / name, patience, largest)
            if not check_integrity(arrived / name, md5):
                return f"{name} arrived incomplete or altered"
            extract_archive(str(arrived / name), str(arrived))
        for inner in (arrived / "gzip").glob("*.gz"):  # EMNIST's
            extract_archive(str(inner), str(arrived))
    except Exception as error:  # of the network, the disk, or a file that is not what it should be
        if _is_timeout(error):
            return f"silent for {patience:g} s"
        return (str(error).strip() or type(error).__name__).splitlines()[-1]
    return ""


def _retrieve(url: str, path: Path, patience: float, largest: int) -> None:
    """Download one file; torchvision would wait for ever, and take whatever arrives.

    `patience` limits each single answer, so that a slow server is waited for.
    """
    from tqdm import tqdm

    request = urllib.request.Request(url, headers={"User-Agent": "dcgan_utils"})
    with urllib.request.urlopen(request, timeout=patience) as response, open(path, "wb") as file:
        bar = tqdm(desc=path.name, total=response.length, unit="B", unit_scale=True)
        with bar:  # which ends its line
            while chunk := response.read(2**15):
                bar.update(len(chunk))
                if bar.n > largest:
                    raise DownloadError(f"more than {largest:,} bytes arrived for {path.name}")
                file.write(chunk)


def _is_timeout(error: BaseException | None) -> bool:
    """Return whether silence is at the root of an error."""
    while error is not None:
        if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", 0), TimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False
