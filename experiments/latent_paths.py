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

    The direction moves along a great circle (slerp), the norm evenly; White (2016),
    arXiv:1609.04468. Shapes as above; start and end are not zero, and not opposite to each other.
    """
    t = places[:, None, None]
    lengths = [z.norm(dim=1, keepdim=True) for z in (start, end)]
    one, other = start / lengths[0], end / lengths[1]  # (N, latent_size), of length 1
    angle = (one * other).sum(1, keepdim=True).clamp(-1, 1).acos().clamp(min=1e-4)  # (N, 1)
    direction = (((1 - t) * angle).sin() * one + (t * angle).sin() * other) / angle.sin()
    return ((1 - t) * lengths[0] + t * lengths[1]) * direction


def find_latents(
    generator: nn.Module, images: Tensor, candidates: Tensor, steps: int = 150, prior: float = 0.02
) -> tuple[Tensor, Tensor]:
    """Return latent vectors (N, latent_size) for given images, and how far off (N,) each image is.

    Adam on z alone, from the candidate that is drawn most like the image, minimizes the squared
    Euclidean distance, with gray levels from 0 to 1, plus `prior` times the squared norm of z. It
    finds a minimum nearby, not always the best. Images are (N, C, S, S) uint8, candidates
    (M, latent_size); the generator is in evaluation mode and without labels, and stays as it is.
    """
    device = next(generator.parameters()).device
    drawn = sample(generator, candidates).flatten(1).float()  # (M, pixels)
    nearest = torch.cdist(images.flatten(1).float(), drawn).argmin(1)  # (N,)
    z, wanted = candidates[nearest].to(device).requires_grad_(), scale(images).to(device)
    optimizer = torch.optim.Adam([z], lr=0.1)

    def squared() -> Tensor:  # (N,); gray levels 0 to 1 are half as far apart as -1 to 1
        return (generator(z) - wanted).square().sum((1, 2, 3)) / 4

    for _ in range(steps):
        (z.grad,) = torch.autograd.grad((squared() + prior * z.square().sum(1)).sum(), z)
        optimizer.step()
    return z.detach().cpu(), squared().detach().sqrt().cpu()
