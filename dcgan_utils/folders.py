"""Folders of the user's own images: found, decoded in parallel, and kept decoded."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
import psutil
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor
from tqdm import tqdm

from . import files
from .config import Config, UserError
from .data import SOURCES, Images, fit_images

LAYOUT = 3  # of the kept file and of what is in it
NOT_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"}  # to Pillow they are formats
Image.init()  # which makes all of them known
FORMATS = [name for name in Image.OPEN if name not in NOT_PICTURES]


def load_folder(config: Config, notice: Callable[[str], None] = print) -> Images:
    """Return the images of a folder and its subfolders; those of the first level are the labels.

    What can't be used is left out and named in a notice; `UserError` if that is more than a
    twentieth, or all. What was decoded is kept in the user's cache folder until a file changes.
    """
    folder = Path(config.data)
    paths, left_out = find_images(folder)
    kept = _kept_file(paths, config)
    try:
        decoded, how = files.load(kept), f"decoded before, from {kept}"
    except UserError:  # it is not there, or damaged
        decoded, how = _decode_all(paths, config), f"kept for the next run in {kept}"
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            files.save(kept, decoded)
        except (OSError, RuntimeError, UserError) as error:
            how = f"they could not be kept for the next run: {error}"
    pixels, left_out = decoded["pixels"], left_out | decoded["left out"]
    named = f", {len(left_out):,} left out ({_first(left_out)})" if left_out else ""
    used = [path.relative_to(folder) for path in paths]
    used = [path for path in used if str(path) not in decoded["left out"]]
    names = [path.parts[0] if len(path.parts) > 1 else "" for path in used]
    classes, numbers = np.unique(names, return_inverse=True)
    told = f"{len(pixels):,} images, {config.fit} to {config.image_size}{named}; {how}"
    notice(f"{folder}: {told}; classes: {', '.join(map(repr, classes.tolist()))}")
    return Images(pixels, folder.name, 1, 0, torch.from_numpy(numbers), tuple(classes.tolist()))


def find_images(folder: Path) -> tuple[list[Path], dict[str, str]]:
    """Return the images in a folder, at any depth, and why each folder is left out that is."""
    known = {*FORMATS, "MPO"}  # which is opened as JPEG
    endings = tuple(end for end, name in Image.registered_extensions().items() if name in known)
    found: list[Path] = []
    errors: list[OSError] = []
    walk = os.walk(folder, onerror=errors.append, followlinks=True)
    for place, inside, names in tqdm(walk, f"searching {folder}", unit=" folders", delay=1):
        above = {os.path.realpath(path) for path in (place, *Path(place).parents)}  # no circles
        inside[:] = [n for n in _data(inside) if os.path.realpath(Path(place, n)) not in above]
        found += [Path(place, name) for name in _data(names) if name.lower().endswith(endings)]
    denied = {str(error.filename): str(error.strerror) for error in errors}
    if not found:
        raise UserError(
            f"There are no images in {folder} ({_first(denied) or 'it holds none'}). Set data to "
            f"auto, {', '.join(SOURCES)}, or a folder of images such as .jpg and .png files."
        )
    return sorted(found), denied


def _data(names: list[str]) -> list[str]:
    """Return the names without those that systems hide, or put beside the user's own."""
    return [name for name in names if not name.startswith((".", "__MACOSX", "@eaDir"))]


def _first(left_out: dict[str, str]) -> str:
    return "; ".join([f"{name}: {reason}" for name, reason in left_out.items()][:3])


def _decode_all(paths: list[Path], config: Config) -> dict:
    """Return "pixels", (N, C, S, S) uint8, and why each file is "left out" that is."""
    shape = (len(paths), config.channels or 3, config.image_size, config.image_size)
    if np.prod(shape, dtype=float) > psutil.virtual_memory().total / 2:
        raise UserError(f"{len(paths):,} images exceed half the memory: use fewer or smaller ones.")
    pixels = torch.empty(shape, dtype=torch.uint8)

    def decode(place: int) -> str:
        """Decode an image into its place, and return why it can't be used, if so."""
        try:
            image = _decode(paths[place], shape[1])
            pixels[place] = fit_images(image[None], config.image_size, config.fit)[0]
        except Exception as error:  # each of Pillow's formats has its own kinds of errors
            return str(error).replace(repr(str(paths[place])), "").rstrip(": ") or repr(error)
        return ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside of Python's lock
        outcomes = pool.map(decode, range(len(paths)))
        reasons = list(tqdm(outcomes, "decoding", len(paths), unit="image"))
    names = [str(path.relative_to(config.data)) for path in paths]
    left_out = {name: reason for name, reason in zip(names, reasons) if reason}
    if len(left_out) > len(paths) / 20:
        raise UserError(f"Mend or delete {len(left_out)} of {len(paths)}: {_first(left_out)} ...")
    good = [place for place, reason in enumerate(reasons) if not reason]
    for target, place in enumerate(good):  # one by one: twice the memory may not be there
        pixels[target] = pixels[place]
    return {"pixels": pixels[: len(good)], "left out": left_out}


def _decode(path: Path, channels: int) -> Tensor:
    """Return an image, or the first one of an animation, as eyes see it: (C, H, W) uint8."""
    with Image.open(path, formats=FORMATS) as stored:
        image = ImageOps.exif_transpose(stored)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):  # Pillow would cut these off
        levels = np.asarray(image).astype(np.float64)
        least, most = levels.min(), levels.max()
        unit = 257.0 if image.mode != "F" else 1 / 255 if most <= 1 else 1.0
        if not 0 <= least <= most <= 255 * unit:
            raise ValueError(f"gray levels {least:g} to {most:g}; allowed: 0 to {255 * unit:g}")
        image = Image.fromarray((levels / unit).round().astype(np.uint8))
    if image.has_transparency_data:  # on black
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
    return pil_to_tensor(image.convert("L" if channels == 1 else "RGB"))


def _kept_file(paths: list[Path], config: Config) -> Path:
    """Return where the decoded images are kept; another name as soon as anything has changed."""
    settings = (LAYOUT, config.data, config.image_size, config.fit, config.channels)
    digest = hashlib.sha256(repr(settings).encode())
    for path in paths:
        digest.update(os.fsencode(path))
        with contextlib.suppress(OSError):  # what can't be read is left out later
            digest.update(f" {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
    return platformdirs.user_cache_path("dcgan_utils") / f"{digest.hexdigest()[:16]}.pt"
