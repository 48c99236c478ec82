"""Data sets in MNIST's form: four idx files in the data root, in torchvision's layout.

The data root is the folder that `DCGAN_DATA` names, else `data/` in the project.
"""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..config import UserError
from ..files import read_file
from .download import DownloadError, download
from .images import Images


@dataclass(frozen=True)
class IdxFiles:
    """Which files make up a set, and where they can be had; tests pass small ones instead."""

    dataset: str  # torchvision's class, which is also the folder in the data root
    prefix: str = ""  # before "train-images-idx3-ubyte" and so on
    transposed: bool = False  # rows are stored as columns, as in EMNIST
    checksums: Mapping[str, tuple[int, str]] = dataclasses.field(
        default_factory=dict
    )  # size, SHA-256
    archives: Sequence[tuple[str, str]] | None = None  # .gz names and MD5; None: torchvision's
    mirrors: Sequence[str] | None = None  # web folders that have them; None: torchvision's
    patience: float = 10.0  # seconds of silence, all mirrors together, before they are given up
    largest: int = 50_000_000  # bytes; no archive has more: 60,000 images unpacked are 47 MB

    @property
    def names(self) -> list[str]:
        """The four files: images and labels of the training part, then of the test part."""
        kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
        test = "test" if self.prefix else "t10k"
        return [f"{self.prefix}{part}-{kind}" for part in ("train", test) for kind in kinds]

    @property
    def raw(self) -> Path:
        """The folder that holds them."""
        return data_root() / self.dataset / "raw"

    def are_here(self) -> bool:
        """Return whether all four lie in the data root, so that no network is needed."""
        return all((self.raw / name).is_file() for name in self.names)


def data_root() -> Path:
    """Return the folder that holds data sets; it need not exist yet."""
    if named := os.environ.get("DCGAN_DATA"):
        return Path(named).expanduser().absolute()
    project = Path(__file__).resolve().parents[2]
    return (project if (project / "pyproject.toml").is_file() else Path.cwd()) / "data"


def load_idx(files: IdxFiles, classes: Sequence[str]) -> Images:
    """Return a set, downloaded if it is not there: its training images, then its test images.

    The test images are held out. Every file whose checksum is known is checked first.

    Raises
    ------
    NotHere
        If a file is missing and can't be downloaded.
    UserError
        If a file is damaged.
    """
    if not files.are_here():
        try:
            download(files, files.raw, lambda path: _fault(read_file(path), files, path.name))
        except DownloadError as error:
            missing = [name for name in files.names if not (files.raw / name).is_file()]
            what = f"{files.dataset} is" if len(missing) == 4 else f"{', '.join(missing)} is"
            raise NotHere(
                f"{what} not in {files.raw} and could not be downloaded ({error}). To have "
                f"{files.dataset}, connect to a network, or put its four files into {files.raw}."
            ) from error
    parts = [_read(files, name) for name in files.names]
    pixels = torch.from_numpy(np.concatenate(parts[::2]))[:, None]  # (N, 1, 28, 28)
    pixels = pixels.mT.contiguous() if files.transposed else pixels
    labels = torch.from_numpy(np.concatenate(parts[1::2]))
    return Images(
        pixels, files.dataset, held_out=len(parts[2]), labels=labels, classes=tuple(classes)
    )


class NotHere(UserError):
    """A data set is not on this machine and can't be downloaded."""


def _read(files: IdxFiles, name: str) -> np.ndarray:
    """Return the images (N, 28, 28) or the labels (N,) of a file, uint8."""
    content = read_file(files.raw / name)
    if fault := _fault(content, files, name):
        raise UserError(
            f"{files.raw / name} {fault}. Delete it and start again; it is then downloaded anew."
        )
    rank = content[3]
    shape = [int(side) for side in np.frombuffer(content, ">i4", rank, offset=4)]
    return np.frombuffer(bytearray(content), np.uint8, offset=4 + 4 * rank).reshape(shape)


def _fault(content: bytes, files: IdxFiles, name: str) -> str:
    """Say what is wrong with a file; the empty string if nothing is."""
    if name in files.checksums:
        size, sha256 = files.checksums[name]
        if len(content) != size:
            return f"has {len(content):,} bytes instead of {size:,}"
        same = hashlib.sha256(content).hexdigest() == sha256
        return "" if same else "is altered: its SHA-256 differs"
    rank = 3 if "images" in name else 1
    if len(content) < 4 + 4 * rank or content[:4] != bytes([0, 0, 8, rank]):
        return "is not an idx file of bytes"
    shape = np.frombuffer(content, ">i4", rank, offset=4).astype(np.int64)
    expected = 4 + 4 * rank + int(shape.prod())
    return "" if len(content) == expected else f"has {len(content):,} bytes, not {expected:,}"
