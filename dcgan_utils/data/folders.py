"""Folders of the user's own images: found, decoded in parallel, and kept decoded."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..config import Config, UserError
from ..files import load, save
from .images import Images, fit_images

if TYPE_CHECKING:
    from PIL import Image

LAYOUT = 2  # of the kept file and of what is in it
MOST_OTHERS = 100_000  # files without an image, and folders, after which a search is given up


def load_folder(config: Config, notice: Callable[[str], None] = print) -> Images:
    """Return the images of a folder and its subfolders, in color unless `channels` is 1.

    The first level of subfolders becomes the labels. What was decoded is kept in the user's cache
    folder, under a name that follows from the settings and from each file's name, size and time.

    Raises
    ------
    UserError
        If the folder has no images or is too large to be one of images, if one can't be read, or
        if they do not fit the settings.
    """
    folder = user_folder(config.data)
    paths = find_images(folder, notice)
    channels = config.channels or 3
    _check_memory((len(paths), channels, config.image_size, config.image_size), folder)
    kept = _kept_file(folder, paths, config, channels)
    if kept.exists():
        pixels = load(kept)["pixels"]
        notice(f"{len(paths):,} images as decoded before, from {kept}")
    else:
        pixels = _decode_all(paths, config, channels)
        notice(_keep(kept, pixels))
    names = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in paths]
    classes = tuple(sorted(set(names)))
    labels = torch.tensor([classes.index(name) for name in names])
    return Images(pixels, folder.name, labels=labels, classes=classes)


def user_folder(name: str) -> Path:
    """Return the whole path of a folder that a user named; it need not be there.

    Raises
    ------
    UserError
        If no folder can have this name.
    """
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # too long, ~nobody, a null character
        raise UserError(f"data is {name!r}, which can't be a folder: {error}") from error


def is_folder(path: Path) -> bool:
    """Return whether a folder is there.

    Raises
    ------
    UserError
        If permission to know it is denied.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except PermissionError as error:
        raise UserError(_no_permission([error])) from error
    except OSError:
        return False


def find_images(folder: Path, notice: Callable[[str], None] = print) -> list[Path]:
    """Return all files in a folder, at any depth, whose ending torchvision takes for an image's.

    A search that takes longer than a second shows how many files it has seen.

    Raises
    ------
    UserError
        If there are none, if permission is denied, or if what is not an image is the most of it
        and more than `MOST_OTHERS`, as in a whole disk.
    """
    from torchvision.datasets.folder import IMG_EXTENSIONS
    from tqdm import tqdm

    found: list[Path] = []
    denied: list[OSError] = []
    others = 0
    walk = os.walk(folder, onerror=denied.append, followlinks=True)
    with tqdm(desc=f"looking for images in {folder}", unit=" files", delay=1) as bar:
        for place, inside, names in walk:
            inside[:] = [name for name in inside if not _leads_back(Path(place, name))]
            images = [name for name in names if name.lower().endswith(IMG_EXTENSIONS)]
            found += [Path(place) / name for name in images]
            others += 1 + len(names) - len(images)
            bar.update(len(names))
            if others > max(MOST_OTHERS, len(found)):
                raise UserError(
                    f"{folder} is more than a folder of images: {len(found):,} images were found "
                    f"among {others:,} other files and folders. Name the folder of the images "
                    f"itself."
                )
    if not found:
        raise UserError(
            _no_permission(denied)
            if denied
            else f"{folder} has no images. Put .jpg or .png files into it or into folders inside "
            f"it."
        )
    if denied:
        notice(f"Left out: {_no_permission(denied)}")
    return sorted(found)


def _leads_back(folder: Path) -> bool:
    """Return whether this is a link to a folder that it lies in, so that a search would circle."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _no_permission(errors: Sequence[OSError]) -> str:
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return (
        f"{errors[0].filename}{more} can't be read: {errors[0].strerror}. Give yourself the "
        f"permission to read it, or name another folder."
    )


def _decode_all(paths: Sequence[Path], config: Config, channels: int) -> Tensor:
    """Return all images as (N, C, S, S) uint8; Pillow decodes outside of Python's lock."""
    from tqdm import tqdm

    pixels = torch.empty(
        len(paths), channels, config.image_size, config.image_size, dtype=torch.uint8
    )

    def decode(place: int) -> None:
        image = _decode(paths[place], "L" if channels == 1 else "RGB")  # (C, H, W)
        try:
            pixels[place] = fit_images(image[None], config.image_size, config.fit)[0]
        except UserError as error:
            raise UserError(f"{paths[place]}: {error}") from error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for _ in tqdm(
                pool.map(decode, range(len(paths))), "decoding", len(paths), unit="image"
            ):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pixels


def _decode(path: Path, mode: str) -> Tensor:
    from PIL import Image, ImageOps
    from torchvision.transforms.functional import pil_to_tensor

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            return pil_to_tensor(_without_alpha(_to_eight_bits(upright)).convert(mode))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # each of Pillow's formats has its own kinds of errors
        raise UserError(
            f"{path} can't be read as an image ({error}). Repair it or take it out of the folder."
        ) from error


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Return an image with gray levels from 0 to 255: Pillow itself cuts deeper ones off."""
    from PIL import Image

    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    levels = np.asarray(image).astype(np.float64)
    least, most = levels.min(), levels.max()
    if image.mode != "F":  # whole numbers: 16 bits, also where the file holds them as 32
        allowed, unit = 65535, 257.0
    else:
        allowed, unit = (1, 1 / 255) if most <= 1 else (255, 1.0)
    if not 0 <= least <= most <= allowed:
        raise UserError(
            f"its numbers go from {least:g} to {most:g}; allowed: 0 to 1 or 0 to 255 for "
            f"fractions, 0 to 65535 for whole numbers. Convert it or take it out of the folder."
        )
    return Image.fromarray((levels / unit).round().astype(np.uint8))


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return an image with black in place of what is transparent."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)


def _kept_file(folder: Path, paths: Sequence[Path], config: Config, channels: int) -> Path:
    """Return where the decoded images are kept; another name as soon as anything has changed."""
    from platformdirs import user_cache_path

    digest = hashlib.sha256(
        repr((LAYOUT, str(folder), config.image_size, config.fit, channels)).encode()
    )
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:  # permission denied, or a link to nowhere
            raise UserError(
                f"{path} can't be read: {error.strerror}. Repair it or take it out of the folder."
            ) from error
        digest.update(repr((str(path), status.st_size, status.st_mtime_ns)).encode())
    return user_cache_path("dcgan_utils") / f"{folder.name}-{digest.hexdigest()[:16]}.pt"


def _keep(kept: Path, pixels: Tensor) -> str:
    """Store what was decoded, and return what to say of it."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save(kept, {"pixels": pixels})
    except (OSError, UserError) as error:
        return f"{len(pixels):,} images decoded; they could not be kept for the next run: {error}"
    return f"{len(pixels):,} images decoded, and kept for the next run in {kept}"


def _check_memory(shape: Sequence[int], folder: Path) -> None:
    import psutil

    needed, memory = torch.Size(shape).numel(), psutil.virtual_memory().total
    if needed > memory / 2:
        raise UserError(
            f"The {shape[0]:,} images in {folder} would take {needed / 2**30:.1f} GiB, more than "
            f"half of this machine's {memory / 2**30:.1f} GiB of memory. Use fewer images or a "
            f"smaller image_size."
        )
