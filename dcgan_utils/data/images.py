"""A set of images with labels, and how images come to the size and the range of training."""

import functools
import zlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import UserError


@dataclass(frozen=True, eq=False)
class Images:
    """A set of images with their labels, and how it counts in training."""

    pixels: Tensor  # (N, C, H, W) uint8
    source: str  # short name in results: "MNIST", "embedded digits", or the folder's name
    repeats: int = 1  # how often one epoch shows each image
    held_out: int = 0  # how many, the last ones, no run trains on: the judge compares with them
    # (N,) int64; None becomes zeros, one class for all, so that a finished set always has labels.
    labels: Tensor = None  # type: ignore[assignment]
    classes: tuple[str, ...] = ("",)  # what each label means

    def __post_init__(self) -> None:
        labels = torch.zeros(len(self.pixels), dtype=torch.int64)
        labels = labels if self.labels is None else self.labels.to(torch.int64)
        if labels.shape != (len(self.pixels),):
            raise UserError(
                f"labels have shape {tuple(labels.shape)}; allowed: one for each of the "
                f"{len(self.pixels)} images."
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise UserError(
                f"labels go from {labels.min()} to {labels.max()}; allowed: 0 to "
                f"{len(self.classes) - 1}, as there are {len(self.classes)} classes."
            )
        object.__setattr__(self, "labels", labels)

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
        return self._part(slice(count)), self._part(slice(count, None))

    def _part(self, chosen: slice) -> "Images":
        return Images(
            self.pixels[chosen],
            self.source,
            self.repeats,
            labels=self.labels[chosen],
            classes=self.classes,
        )

    def fitted(self, size: int, fit: str) -> "Images":
        """Return the same images at another size; see `fit_images`."""
        return Images(
            fit_images(self.pixels, size, fit),
            self.source,
            self.repeats,
            self.held_out,
            self.labels,
            self.classes,
        )


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
    check_fit(height, width, size, fit)
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


def check_fit(height: int, width: int, size: int, fit: str) -> None:
    """Refuse to pad images of height x width pixels to a smaller size.

    Raises
    ------
    UserError
        If they are larger and `fit` is "pad".
    """
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
