"""A generator and a discriminator that are trained already, for notebooks that need no run.

Both are of one run of the preset `classroom`; `python -m experiments.trained` made them, and they
are kept in half precision.
"""

from pathlib import Path
from typing import Any

from ..networks import Discriminator, Generator
from ..weights import facts_of, load_discriminator, load_generator

FOLDER = Path(__file__).parent


def trained_generator() -> Generator:
    """Return the generator, on the CPU, in evaluation mode: the average that draws samples."""
    return load_generator(FOLDER / "G.pth")


def trained_discriminator() -> Discriminator:
    """Return the discriminator of the same run at its end, on the CPU, in evaluation mode."""
    return load_discriminator(FOLDER / "D.pth")


def trained_facts() -> dict[str, Any]:
    """Return which run it was: preset, seed, data, machine, and what the judge said of it."""
    return facts_of(FOLDER / "G.pth")
