"""Sums of latent vectors, and how often they come out: what notebook 09 and its study share.

A property is measured in the image, the digit read by the judge's classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.sampling import sample

from . import shapes

SURE = 0.9  # the probability from which on a digit counts as read


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
    "leaning": Kind("leaning", shapes.slant, 0.35, (-0.1, 0.1)),
    "thick": Kind("thick", shapes.thickness, 3.2, (0.0, 2.4)),
    "with a loop": Kind("with a loop", shapes.holes, 1, (0, 0), digit=2),
}


@dataclass(frozen=True)
class Pool:
    """Latent vectors, and what is read and measured in their images."""

    latents: Tensor  # (N, latent_size)
    pixels: Tensor  # (N, 1, 28, 28) uint8
    digits: Tensor  # (N,) int64: the most probable class
    sure: Tensor  # (N,) bool: whether its probability is SURE or more
    values: dict[str, Tensor]  # (N,) of each kind

    def split(self, kind: Kind) -> tuple[Tensor, Tensor]:
        """Return which have a property and which lack it, (N,) bool each."""
        values, (low, high) = self.values[kind.name], kind.lacks
        return values >= kind.least, (values >= low) & (values <= high)

    def pick(self, among: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Return the places of some of those (N,) bool that are sure."""
        places = (among & self.sure).nonzero()[:, 0]
        return places[torch.randperm(len(places), generator=random)[:count]]


def new_pool(generator: nn.Module, latents: Tensor) -> Pool:
    """Draw latent vectors (N, latent_size), and measure the images."""
    pixels = draw(generator, latents)
    top, digits = torch.from_numpy(judging.classify(pixels).probabilities).max(1)
    values = {name: kind.measure(pixels) for name, kind in KINDS.items()}
    return Pool(latents, pixels, digits, top >= SURE, values)


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


def sums(pool: Pool, kind: Kind, count: int, trials: int = 100) -> tuple[dict[str, Tensor], Tensor]:
    """Return the latent vectors of sums of averages of `count`, and the digits to expect.

    Beside a - b + c stands, as a control, c plus a random direction as long as a - b.
    """
    random, found = torch.Generator().manual_seed(0), []
    for _ in range(trials):
        places, digit = terms(pool, kind, count, random)
        a, b, c = (pool.latents[part].mean(0) for part in places)
        direction = torch.randn(len(a), generator=random)
        found.append((a - b + c, c + direction * (a - b).norm() / direction.norm(), digit))
    latents, controls, digits = zip(*found)
    return {"sum": torch.stack(latents), "control": torch.stack(controls)}, torch.tensor(digits)


def successes(generator: nn.Module, z: Tensor, digits: Tensor, kind: Kind) -> dict[str, float]:
    """Return how often the digit is right, and how often the property is there as well."""
    pixels = draw(generator, z)
    right = torch.from_numpy(judging.classify(pixels).probabilities).argmax(1) == digits
    both = right & (kind.measure(pixels) >= kind.least)
    return {"digit": right.double().mean().item(), "both": both.double().mean().item()}
