"""Latent vectors, and the one way to draw images from them: in batches, on the network's device."""

from typing import Any

import torch
from torch import Tensor, nn

from .config import UserError
from .data import unscale

BATCH = 500  # images drawn at once; more need more memory and are no faster


def draw_latents(count: int, size: int, kind: str, generator: torch.Generator) -> Tensor:
    """Draw latent vectors.

    Parameters
    ----------
    count, size
        How many vectors, and how many numbers in each.
    kind
        "normal" for N(0, 1), "uniform" for [-1, 1] as in the paper.
    generator
        Where the random numbers come from; its device is the result's.

    Returns
    -------
    Tensor
        (count, size) float32.

    Raises
    ------
    UserError
        If `kind` is neither of the two.
    """
    z = torch.empty(count, size, device=generator.device)
    if kind == "normal":
        return z.normal_(generator=generator)
    if kind == "uniform":
        return z.uniform_(-1.0, 1.0, generator=generator)
    raise UserError(f"latent is {kind!r}; allowed: normal or uniform.")


@torch.no_grad()
def sample(generator: nn.Module, latents: Tensor, labels: Tensor | None = None) -> Tensor:
    """Draw latent vectors as images, in evaluation mode: each depends on its own vector alone.

    Parameters
    ----------
    generator
        On any device; its mode is as before when this returns.
    latents
        (N, latent_size), on any device.
    labels
        (N,) int64, which class to draw; only for a conditional generator.

    Returns
    -------
    Tensor
        (N, C, S, S) uint8, on the CPU.
    """
    device = next(generator.parameters()).device
    given = () if labels is None else (labels,)
    was_training = generator.training
    generator.eval()
    drawn = [
        unscale(generator(*(part.to(device) for part in parts))).cpu()
        for parts in zip(latents.split(BATCH), *(values.split(BATCH) for values in given))
    ]
    generator.train(was_training)
    return torch.cat(drawn)


def sample_new(
    generator: nn.Module, count: int, latent: str, seed: int = 0, labels: Tensor | None = None
) -> Tensor:
    """Draw images from new latent vectors, which are the same on every device.

    Parameters
    ----------
    generator
        One of the course's generators.
    count
        How many.
    latent
        "normal" or "uniform", as for `draw_latents`.
    seed
        Of the latent vectors.
    labels
        (count,) int64, which class to draw; without them a conditional generator draws its classes
        in turn.

    Returns
    -------
    Tensor
        (count, C, S, S) uint8, on the CPU.
    """
    random = torch.Generator().manual_seed(seed)
    own: Any = generator  # what the course's generators have, nn.Module does not declare
    latents = draw_latents(count, own.latent_size, latent, random)
    labels = classes_in_turn(count, own.classes) if labels is None else labels
    return sample(generator, latents, labels)


def classes_in_turn(count: int, classes: int) -> Tensor | None:
    """Return labels 0, 1, 2 ... and again from 0, (count,) int64; None if there are no classes."""
    return torch.arange(count) % classes if classes else None
