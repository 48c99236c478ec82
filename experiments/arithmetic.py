"""Sums of latent vectors, and how often they come out: what notebook 09 and `latent` share.

A property is measured in the image, the digit read by the judge's classifier.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.sampling import sample

from . import shapes

SURE = 0.9  # the probability from which on a digit counts as read
TRIALS = 100


def draw(generator: nn.Module, latents: Tensor) -> Tensor:
    """Return the images (N, 1, 28, 28) uint8 of latent vectors (N, latent_size)."""
    return judging.to_judged_size(sample(generator, latents), "pad")


@dataclass(frozen=True)
class Kind:
    """A property of digits that some have and others lack; what is between is neither."""

    name: str
    measure: Callable[[Tensor], Tensor]  # of images (N, 1, 28, 28) uint8
    least: float  # from which value on an image has it
    lacks: tuple[float, float]  # between which values it lacks it
    digit: int | None = None  # of which digit alone; None for all


KINDS = {
    kind.name: kind
    for kind in (
        Kind("leaning", shapes.slant, 0.35, (-0.1, 0.1)),
        Kind("thick", shapes.thickness, 3.2, (0.0, 2.4)),
        Kind("with a loop", shapes.holes, 1, (0, 0), digit=2),
    )
}


@dataclass(frozen=True, eq=False)
class Pool:
    """Latent vectors, and what the judge reads in their images."""

    latents: Tensor  # (N, latent_size)
    pixels: Tensor  # (N, 1, 28, 28) uint8
    digits: Tensor  # (N,) int64: the most probable class
    sure: Tensor  # (N,) bool: whether its probability is SURE or more

    @functools.cache  # noqa: B019  # a pool lives as long as the command
    def split(self, kind: Kind) -> tuple[Tensor, Tensor]:
        """Return which have a property and which lack it, (N,) bool each."""
        values = kind.measure(self.pixels)
        low, high = kind.lacks
        return values >= kind.least, (values >= low) & (values <= high)

    def pick(self, among: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Return the places of some of those (N,) bool that are sure."""
        places = (among & self.sure).nonzero()[:, 0]
        return places[torch.randperm(len(places), generator=random)[:count]]


def new_pool(generator: nn.Module, latents: Tensor) -> Pool:
    """Draw latent vectors, and read the images."""
    pixels = draw(generator, latents)
    probabilities = torch.from_numpy(judging.classify(pixels).probabilities)
    return Pool(latents, pixels, probabilities.argmax(1), probabilities.amax(1) >= SURE)


def terms(pool: Pool, kind: Kind, count: int, random: torch.Generator) -> tuple[list[Tensor], int]:
    """Pick what one sum is made of: three sets of places, and the digit that should come out.

    With the property, without it, and without it in another digit: a - b + c should be the other
    digit with the property. Where only one digit can have it, a, b and c are different ones of it.
    """
    has, lacks = pool.split(kind)
    one, other = torch.randperm(10, generator=random)[:2].tolist()
    if kind.digit is not None:
        one = other = kind.digit
    a = pool.pick(has & (pool.digits == one), count, random)
    b = pool.pick(lacks & (pool.digits == one), count, random)
    free = torch.ones_like(pool.sure)
    free[b] = False
    return [a, b, pool.pick(lacks & (pool.digits == other) & free, count, random)], other


def sums(
    pool: Pool, kind: Kind, count: int, trials: int = TRIALS, seed: int = 0
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the latent vectors of sums of averages of `count`, and the digits to expect.

    Beside a - b + c stands, as a control, c plus a random direction as long as a - b.
    """
    random = torch.Generator().manual_seed(seed)
    found: dict[str, list[Tensor]] = {"sum": [], "control": []}
    digits = []
    for _ in range(trials):
        places, digit = terms(pool, kind, count, random)
        a, b, c = (pool.latents[part].mean(0) for part in places)
        direction = torch.randn(len(a), generator=random)
        found["sum"].append(a - b + c)
        found["control"].append(c + direction * (a - b).norm() / direction.norm())
        digits.append(digit)
    return {name: torch.stack(latents) for name, latents in found.items()}, torch.tensor(digits)


def successes(
    generator: nn.Module, latents: Tensor, digits: Tensor, kind: Kind
) -> dict[str, float]:
    """Return how often the digit is right, how often the property is there, and how often both."""
    pixels = draw(generator, latents)
    right = torch.from_numpy(judging.classify(pixels).probabilities).argmax(1) == digits
    there = kind.measure(pixels) >= kind.least
    parts = {"digit": right, "property": there, "both": right & there}
    return {name: part.double().mean().item() for name, part in parts.items()}
