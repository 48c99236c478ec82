"""Where the images come from, and the batches that training draws from them.

All images are held as one uint8 tensor at the training size, so no image is decoded or resized
twice. MNIST lies in the data root: the folder that `DCGAN_DATA` names, else `data/` in the project.
`DCGAN_MNIST_MIRROR` may name a web folder of MNIST's four .gz files, such as a school's own copy,
which a download then tries before the public ones.
"""

import dataclasses
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config, UserError
from .files import read_file


@dataclass(frozen=True)
class Images:
    """A set of images, and how it counts in training."""

    pixels: Tensor  # (N, C, H, W) uint8
    source: str  # short name in results: "MNIST", "embedded digits", or the folder's name
    repeats: int = 1  # how often one epoch shows each image
    held_out: int = 0  # how many, the last ones, no run trains on: the judge compares with them

    def split(self) -> tuple[Tensor, Tensor]:
        """Return the pixels that runs train on, and those that are held out."""
        return self.pixels.tensor_split([len(self.pixels) - self.held_out])


@dataclass(frozen=True)
class MnistFiles:
    """What MNIST's files must be, and where they can be had; tests pass small ones instead."""

    unpacked: Mapping[str, tuple[int, str]]  # each file's size in bytes, and its SHA-256
    archives: Sequence[tuple[str, str]] | None = None  # .gz names and MD5; None: torchvision's
    mirrors: Sequence[str] | None = None  # web folders that have them; None: torchvision's
    patience: float = 10.0  # seconds of silence, all mirrors together, before they are given up


MNIST = MnistFiles(
    {
        "train-images-idx3-ubyte": (
            47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        "train-labels-idx1-ubyte": (
            60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        "t10k-images-idx3-ubyte": (
            7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        "t10k-labels-idx1-ubyte": (
            10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    }
)  # fmt: skip
DIGITS = ("auto", "mnist", "digits")  # settings of `data` that mean digits; others name a folder
DIGITS_HELD_OUT = 299  # of the 1,797 embedded digits: a sixth, as MNIST's test part is a seventh
DIGIT_REPEATS = 40  # 40 x 1,498 embedded digits make an epoch as long as MNIST's 60,000
_DOWNLOAD = ".download-"  # the beginning of a download's temporary folder
_STALE = 3600  # seconds after which such a folder was left by a process that was killed


def load_images(
    config: Config, notice: Callable[[str], None] = print, mnist: MnistFiles = MNIST
) -> Images:
    """Return the images that a run trains on, at its image size.

    Parameters
    ----------
    config
        Uses `data`, `image_size`, `fit` and `channels`.
    notice
        Called once, with one message, if "auto" has to take the embedded digits.
    mnist
        Where MNIST can be had.

    Returns
    -------
    Images
        Pixels of shape (N, C, image_size, image_size): MNIST's 60,000 training digits, the first
        1,498 of the embedded digits, or all images of a folder.

    Raises
    ------
    UserError
        If the data are not there, are damaged, or do not fit the settings.
    """
    if config.data not in DIGITS:
        return _folder_images(config)
    if config.channels == 3:
        raise UserError(
            f"channels is 3, but data {config.data!r} is gray. Leave channels out, or name a "
            f"folder of color images as data."
        )
    _check_fit(28, 28, config.image_size, config.fit)
    base = base_images(config.data, notice, mnist)
    learned, _ = base.split()
    pixels = fit_images(learned, config.image_size, config.fit)
    return dataclasses.replace(base, pixels=pixels, held_out=0)


def base_images(
    data: str = "auto", notice: Callable[[str], None] = print, mnist: MnistFiles = MNIST
) -> Images:
    """Return MNIST or the embedded digits as they are before fitting: (N, 1, 28, 28).

    MNIST is its 60,000 training images and then its 10,000 test images, which are held out.

    Parameters
    ----------
    data
        "mnist", "digits", or "auto": MNIST if it is there or can be downloaded, else the digits.
    notice, mnist
        As in `load_images`.

    Raises
    ------
    UserError
        If a file of MNIST is damaged, or if `data` is "mnist" and it can't be had.
    """
    if data == "digits":
        return _embedded_digits()
    raw = data_root() / "MNIST" / "raw"
    try:
        if not mnist_is_here(mnist):
            _download(raw, mnist)
    except _DownloadError as error:
        missing = f"MNIST is not in {raw} and could not be downloaded ({error})."
        remedy = f"For MNIST, connect to a network, or put its four files into {raw}"
        if data == "mnist":
            raise UserError(f"{missing} {remedy}, or choose data=digits.") from error
        notice(f"{missing} Using the 1,797 small digits embedded in scikit-learn. {remedy}.")
        return _embedded_digits()
    pixels, tests = _read_mnist(raw, mnist)
    return Images(pixels, "MNIST", held_out=tests)


def mnist_is_here(mnist: MnistFiles = MNIST) -> bool:
    """Return whether MNIST's files lie in the data root, so that no network is needed."""
    raw = data_root() / "MNIST" / "raw"
    return all(os.path.isfile(raw / name) for name in mnist.unpacked)


def data_root() -> Path:
    """Return the folder that holds data sets; it need not exist yet."""
    if named := os.environ.get("DCGAN_DATA"):
        return Path(named).expanduser().absolute()
    project = Path(__file__).resolve().parents[1]
    return (project if (project / "pyproject.toml").is_file() else Path.cwd()) / "data"


def fit_images(pixels: Tensor, size: int, fit: str) -> Tensor:
    """Bring images to a square size.

    Parameters
    ----------
    pixels
        (N, C, H, W) uint8.
    size
        Side of the result, in pixels.
    fit
        "pad" puts black around, the same on both sides (28 to 32: 2 each), and is undone by
        cropping; "resize" scales the shorter side to `size` (bilinear, antialiased) and crops
        the longer one to its center, as torchvision's `Resize` and `CenterCrop` do.

    Returns
    -------
    Tensor
        (N, C, size, size) uint8.

    Raises
    ------
    UserError
        If an image to be padded is larger than `size`.
    """
    height, width = pixels.shape[-2:]
    _check_fit(height, width, size, fit)
    if fit == "pad":
        top, left = (size - height) // 2, (size - width) // 2
        return F.pad(pixels, (left, size - width - left, top, size - height - top))
    shorter = min(height, width)
    scaled = (size * height // shorter, size * width // shorter)
    top, left = round((scaled[0] - size) / 2), round((scaled[1] - size) / 2)
    fitted = pixels.new_empty(*pixels.shape[:2], size, size)
    for source, target in zip(pixels.split(4096), fitted.split(4096)):  # keeps memory low
        resized = F.interpolate(source, scaled, mode="bilinear", antialias=True)
        target.copy_(resized[..., top : top + size, left : left + size])
    return fitted


def _check_fit(height: int, width: int, size: int, fit: str) -> None:
    if fit == "pad" and max(height, width) > size:
        raise UserError(
            f"Images of {height}x{width} pixels can't be padded to image_size {size}. Choose "
            f"--fit resize, or a larger image_size."
        )


def scale(pixels: Tensor) -> Tensor:
    """Map gray levels 0..255 (uint8) to [-1, 1] (float32), the range of the generator's Tanh."""
    return pixels.float() / 127.5 - 1


def unscale(images: Tensor) -> Tensor:
    """Map [-1, 1] to the nearest gray level 0..255 (uint8): the exact inverse of `scale`."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class Batches:
    """Batches in an order that is a pure function of (seed, step), so resuming needs no state.

    One epoch shows every image `images.repeats` times, each time in a new order; what is left
    when the last whole batch is full is dropped.

    Parameters
    ----------
    images
        What to draw from; kept on the device as uint8.
    batch_size
        Images in a batch.
    seed
        What the order follows from, and nothing else; the global random state is not used.
    device
        Where the batches are wanted.

    Attributes
    ----------
    steps_per_epoch : int
        Batches in one epoch.

    Raises
    ------
    UserError
        If there are fewer images than one batch needs.
    """

    def __init__(self, images: Images, batch_size: int, seed: int, device: torch.device):
        count = len(images.pixels)
        if batch_size > count:
            raise UserError(
                f"batch_size is {batch_size}, but {images.source} has {count} images; allowed: "
                f"1 to {count}. Choose a smaller batch_size or more images."
            )
        self.steps_per_epoch = count * images.repeats // batch_size
        self._pixels = images.pixels.to(device)
        self._batch_size, self._repeats, self._seed = batch_size, images.repeats, seed
        self._epoch = -1  # the epoch that `_order` belongs to

    def batch(self, step: int) -> Tensor:
        """Return the batch of a step, counted from 0 over all epochs: (B, C, S, S) in [-1, 1]."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = self._epoch_order(epoch).to(self._pixels.device)
            self._epoch = epoch
        chosen = self._order[place * self._batch_size : (place + 1) * self._batch_size]
        return scale(self._pixels[chosen])

    def _epoch_order(self, epoch: int) -> Tensor:
        # PyTorch's CPU generator uses 32 bits of its seed; hashing spreads both numbers over them.
        digest = hashlib.sha256(f"{self._seed} {epoch}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
        count = len(self._pixels)
        orders = [torch.randperm(count, generator=generator) for _ in range(self._repeats)]
        return torch.cat(orders)  # (N * repeats,)


def _embedded_digits() -> Images:
    """Return scikit-learn's digits, 8x8 with 17 gray levels, enlarged to (1797, 1, 28, 28)."""
    from sklearn.datasets import load_digits

    small = torch.tensor(load_digits().images, dtype=torch.float32)[:, None] * (255 / 16)
    large = F.interpolate(small, (28, 28), mode="bicubic", align_corners=False)
    pixels = large.round().clamp(0, 255).to(torch.uint8)
    return Images(pixels, "embedded digits", DIGIT_REPEATS, DIGITS_HELD_OUT)


def _folder_images(config: Config) -> Images:
    """Return the images of a folder and its subfolders, in color unless `channels` is 1."""
    folder = Path(config.data).expanduser()
    paths = _image_paths(folder)
    channels = config.channels or 3
    shape = (len(paths), channels, config.image_size, config.image_size)
    _check_memory(shape, folder)
    pixels = torch.empty(shape, dtype=torch.uint8)
    for row, path in zip(pixels, paths):
        image = _decode(path, "L" if channels == 1 else "RGB")  # (C, H, W)
        try:
            row.copy_(fit_images(image[None], config.image_size, config.fit)[0])
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
    return Images(pixels, folder.resolve().name)


def _image_paths(folder: Path) -> list[str]:
    """Return what torchvision's `ImageFolder` finds, and images without a class folder too."""
    from torchvision.datasets import ImageFolder

    class AnyImageFolder(ImageFolder):
        def find_classes(self, directory):
            return [""], {"": 0}  # the folder itself is the one class; subfolders are searched

    if not folder.is_dir():
        raise UserError(
            f"There is no folder {str(folder)!r}. Set data to auto, mnist, digits or a folder of "
            f"images."
        )
    try:
        return [path for path, _ in AnyImageFolder(folder).samples]
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} has no images. Put .jpg or .png files into it or into folders inside it."
        ) from error


def _check_memory(shape: Sequence[int], folder: Path) -> None:
    needed, memory = torch.Size(shape).numel(), _physical_memory()
    if needed > memory / 2:
        raise UserError(
            f"The {shape[0]:,} images in {folder} would take {needed / 2**30:.1f} GiB, more than "
            f"half of this machine's {memory / 2**30:.1f} GiB of memory. Use fewer images or a "
            f"smaller image_size."
        )


def _physical_memory() -> float:
    """Return the bytes of memory; infinity on Windows, where Python itself can't tell."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _decode(path: str, mode: str) -> Tensor:
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor

    try:
        with Image.open(path) as image:
            return pil_to_tensor(image.convert(mode))
    except Exception as error:  # each of Pillow's formats has its own kinds of errors
        raise UserError(
            f"{path} can't be read as an image ({error}). Repair it or take it out of the folder."
        ) from error


def _read_mnist(raw: Path, mnist: MnistFiles) -> tuple[Tensor, int]:
    """Return all images, (N, 1, 28, 28) uint8, training before test, and the number of the latter.

    Every file is checked first.
    """
    contents = {name: read_file(raw / name) for name in mnist.unpacked}
    for name, content in contents.items():
        if fault := _fault(content, *mnist.unpacked[name]):
            raise UserError(
                f"{raw / name} {fault}. Delete it and start again; it is then downloaded anew."
            )
    parts = [contents[f"{part}-images-idx3-ubyte"][16:] for part in ("train", "t10k")]
    pixels = torch.frombuffer(bytearray(b"".join(parts)), dtype=torch.uint8)
    return pixels.view(-1, 1, 28, 28), len(parts[1]) // 28**2


def _fault(content: bytes, size: int, sha256: str) -> str:
    """Say what is wrong with a file; the empty string if nothing is."""
    if len(content) != size:
        return f"has {len(content):,} bytes instead of {size:,}"
    return (
        "" if hashlib.sha256(content).hexdigest() == sha256 else "is altered: its SHA-256 differs"
    )


class _DownloadError(Exception):
    """MNIST can't be downloaded; the message is a reason for each mirror."""


def _download(raw: Path, mnist: MnistFiles) -> None:
    """Download MNIST beside `raw`, check it, and move what is missing into place.

    The files arrive in a temporary folder of this process alone, and are moved one whole file at
    a time: neither a kill nor another process at the same work leaves half a file in `raw`.
    """
    try:
        raw.mkdir(parents=True, exist_ok=True)
        _remove_stale_downloads(raw)
        temporary = Path(tempfile.mkdtemp(prefix=_DOWNLOAD, dir=raw))
    except OSError as error:
        raise _DownloadError(f"{raw} can't be written to: {error.strerror}") from error
    try:
        arrived = _try_mirrors(temporary, raw, mnist)
        for name in mnist.unpacked:
            if not (raw / name).exists():  # what is there stays, and is checked when it is read
                os.replace(arrived / name, raw / name)
    except OSError as error:
        raise _DownloadError(f"{raw}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_stale_downloads(raw: Path) -> None:
    for folder in raw.glob(f"{_DOWNLOAD}*"):
        with suppress(FileNotFoundError):  # its process has just ended
            if time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)


def _try_mirrors(temporary: Path, raw: Path, mnist: MnistFiles) -> Path:
    """Return the folder with the checked files of the first mirror that has them all."""
    from torchvision import datasets

    mirrors = list(datasets.MNIST.mirrors if mnist.mirrors is None else mnist.mirrors)
    if own := os.environ.get("DCGAN_MNIST_MIRROR"):
        mirrors.insert(0, own.rstrip("/") + "/")
    reasons = []
    for number, mirror in enumerate(mirrors):
        arrived = temporary / str(number) / "MNIST" / "raw"
        arrived.mkdir(parents=True)
        for archive in raw.glob("*.gz"):  # torchvision only unpacks what is here already
            shutil.copy(archive, arrived)
        if not (reason := _fetch(mirror, arrived, mnist, mnist.patience / len(mirrors))):
            return arrived
        reasons.append(f"{mirror}: {reason}")
    raise _DownloadError("; ".join(reasons))


def _fetch(mirror: str, arrived: Path, mnist: MnistFiles, patience: float) -> str:
    """Let torchvision download from one mirror, and return what went wrong, or "".

    torchvision waits without a limit for a network that does not answer. So it works in a thread,
    which is left alone once nothing has arrived for `patience` seconds.
    """
    reasons: list[str] = []
    thread = threading.Thread(
        target=lambda: reasons.append(_torchvision_download(mirror, arrived, mnist)), daemon=True
    )
    thread.start()
    size, quiet_since = 0, time.monotonic()
    while thread.is_alive():
        thread.join(0.1)
        now_here = sum(file.stat().st_size for file in arrived.iterdir())
        if now_here != size:
            size, quiet_since = now_here, time.monotonic()
        elif time.monotonic() - quiet_since > patience:
            return f"silent for {patience:.0f} s"
    return reasons[0]


def _torchvision_download(mirror: str, arrived: Path, mnist: MnistFiles) -> str:
    from torchvision import datasets

    resources = mnist.archives or datasets.MNIST.resources
    one_mirror = type("MNIST", (datasets.MNIST,), {"mirrors": [mirror], "resources": resources})
    try:
        one_mirror(arrived.parents[1], download=True)  # into its MNIST/raw; MD5 checked
        for name, expected in mnist.unpacked.items():
            if fault := _fault((arrived / name).read_bytes(), *expected):
                return f"{name} {fault}"
    except Exception as error:  # of the network, the disk, or a file that is not what it should be
        return (str(error).strip() or type(error).__name__).splitlines()[-1]
    return ""
