"""Latent vectors between two others, and for a given image: notebook 09."""

import torch
from torch import Tensor, nn

from dcgan_utils.data import scale
from dcgan_utils.sampling import sample


def straight_line(start: Tensor, end: Tensor, places: Tensor) -> Tensor:
    """Return latent vectors (T, N, latent_size) on the straight way from start to end.

    Start and end are (N, latent_size); places (T,) go from 0 for the start to 1 for the end.
    """
    t = places[:, None, None]
    return (1 - t) * start + t * end


def great_circle(start: Tensor, end: Tensor, places: Tensor) -> Tensor:
    """Return latent vectors on the way from start to end that turns evenly around the origin.

    The direction moves along a great circle (slerp), the norm from one to the other evenly.
    White (2016), arXiv:1609.04468. Shapes as for `straight_line`; start and end are not zero, and
    not opposite to each other.
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
