"""Latent vectors: drawn, walked between, turned into images in batches, and found for an image."""

from typing import Any

import torch
from torch import Tensor, nn

from .config import UserError
from .data import scale, unscale

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


def straight_line(start: Tensor, end: Tensor, places: Tensor) -> Tensor:
    """Return latent vectors on the straight way from start to end.

    Parameters
    ----------
    start, end
        (N, latent_size).
    places
        (T,), from 0 for the start to 1 for the end.

    Returns
    -------
    Tensor
        (T, N, latent_size).
    """
    t = places[:, None, None]
    return (1 - t) * start + t * end


def great_circle(start: Tensor, end: Tensor, places: Tensor) -> Tensor:
    """Return latent vectors on the way from start to end that turns evenly around the origin.

    The direction moves along a great circle (slerp), the norm from one to the other evenly.
    White (2016), arXiv:1609.04468.

    Parameters
    ----------
    start, end
        (N, latent_size), not zero, and not opposite to each other.
    places
        (T,), from 0 for the start to 1 for the end.

    Returns
    -------
    Tensor
        (T, N, latent_size).
    """
    t = places[:, None, None]
    lengths = [z.norm(dim=1, keepdim=True) for z in (start, end)]
    one, other = start / lengths[0], end / lengths[1]  # (N, latent_size), of length 1
    angle = (one * other).sum(1, keepdim=True).clamp(-1, 1).acos().clamp(min=1e-4)  # (N, 1)
    direction = (((1 - t) * angle).sin() * one + (t * angle).sin() * other) / angle.sin()
    return ((1 - t) * lengths[0] + t * lengths[1]) * direction


def find_latents(
    generator: nn.Module,
    images: Tensor,
    candidates: Tensor,
    steps: int = 150,
    rate: float = 0.1,
    prior: float = 0.02,
) -> tuple[Tensor, Tensor]:
    """Return latent vectors for which a generator draws given images as well as it can.

    Gradient descent (Adam) on z alone, for all images at once, from the candidate that is drawn
    most like the image. It minimizes the squared difference of the pixels, with gray levels from 0
    to 1, plus `prior` times the squared norm of z, and finds a minimum nearby, not always the best.

    Parameters
    ----------
    generator
        In evaluation mode, without labels; its weights stay as they are.
    images
        (N, C, S, S) uint8.
    candidates
        (M, latent_size): where the search may begin.
    steps, rate, prior
        How long, how fast, and how much a large z costs.

    Returns
    -------
    latents, errors
        (N, latent_size), and (N,): the distance of what is drawn from the image, Euclidean.
    """
    device = next(generator.parameters()).device
    drawn = sample(generator, candidates).flatten(1).float()  # (M, pixels)
    nearest = torch.cdist(images.flatten(1).float(), drawn).argmin(1)  # (N,)
    z = candidates[nearest].to(device).requires_grad_()
    wanted = scale(images).to(device)
    optimizer = torch.optim.Adam([z], lr=rate)
    for _ in range(steps):
        # Gray levels 0 to 1 are half as far apart as -1 to 1: a quarter, squared.
        squared = (generator(z) - wanted).square().sum((1, 2, 3)) / 4  # (N,)
        loss = (squared + prior * z.square().sum(1)).sum()
        (z.grad,) = torch.autograd.grad(loss, z)
        optimizer.step()
    with torch.no_grad():
        errors = (generator(z) - wanted).square().sum((1, 2, 3)).sqrt() / 2
    return z.detach().cpu(), errors.cpu()
