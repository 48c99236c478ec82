"""Latent vectors: drawn, and turned into images in batches."""

from typing import Any

import torch
from torch import Tensor, nn

from .config import UserError
from .data import unscale


def draw_latents(count: int, size: int, kind: str, generator: torch.Generator) -> Tensor:
    """Draw latent vectors (count, size) from N(0, 1), or of the kind "uniform" on [-1, 1]."""
    z = torch.empty(count, size, device=generator.device)
    if kind == "normal":
        return z.normal_(generator=generator)
    if kind == "uniform":
        return z.uniform_(-1.0, 1.0, generator=generator)
    raise UserError(f"latent is {kind!r}; allowed: normal or uniform.")


@torch.no_grad()
def sample(generator: nn.Module, latents: Tensor, labels: Tensor | None = None) -> Tensor:
    """Draw latents (N, latent_size), for labels (N,) if any, as images (N, C, S, S) uint8."""
    device = next(generator.parameters()).device
    inputs = (latents,) if labels is None else (latents, labels)
    modes = [(module, module.training) for module in generator.modules()]
    generator.eval()
    try:
        drawn = [
            unscale(generator(*(part.to(device) for part in parts))).cpu()
            for parts in zip(*(values.split(500) for values in inputs))  # more are no faster
        ]
    finally:  # each module is in its own mode again
        for module, mode in modes:
            module.training = mode
    return torch.cat(drawn)


def sample_new(
    generator: nn.Module, count: int, latent: str, seed: int = 0, labels: Tensor | None = None
) -> Tensor:
    """Draw images (count, C, S, S) uint8 from new latent vectors, the same on every device.

    `latent` is "normal" or "uniform"; labels are (count,) int64, which class to draw: without them
    a conditional generator draws its classes in turn.
    """
    random = torch.Generator().manual_seed(seed)
    own: Any = generator  # what the course's generators have, nn.Module does not declare
    latents = draw_latents(count, own.latent_size, latent, random)
    labels = classes_in_turn(count, own.classes) if labels is None else labels
    return sample(generator, latents, labels)


def classes_in_turn(count: int, classes: int) -> Tensor | None:
    """Return labels 0, 1, 2 ... and again from 0, (count,) int64; None if there are no classes."""
    return torch.arange(count) % classes if classes else None
