"""What notebook 09 and its study share: sums of latent vectors, and the search for one.

Latent vectors are (N, latent_size); images are (N, 1, 28, 28) uint8, bright ink on black.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dcgan_utils import judging
from dcgan_utils.data import scale
from dcgan_utils.sampling import sample

SURE = 0.9  # the probability from which on a digit counts as read
LEANING, UPRIGHT = 0.35, 0.1  # the slant of a leaning digit at least, of an upright one at most


def draw(generator: nn.Module, latents: Tensor) -> Tensor:
    """Return the images of latent vectors."""
    return judging.to_judged_size(sample(generator, latents), "pad")


def slant(pixels: Tensor) -> Tensor:
    """Return how far digits (N,) lean to the right, in pixels a pixel of height; 0 is upright.

    The covariance of x and height by the variance of height, with the ink as the weight: the slope
    by which a shear would make the digit upright. NaN without ink.
    """
    ink = pixels[:, 0].double()  # (N, S, S)
    x = torch.arange(ink.shape[-1], dtype=torch.float64)
    height = -x[:, None]  # rows count downwards
    share = ink / ink.sum((1, 2), keepdim=True)
    across, up = (place - (share * place).sum((1, 2), keepdim=True) for place in (x, height))
    return (ink * across * up).sum((1, 2)) / (ink * up**2).sum((1, 2))


@dataclass(frozen=True)
class Pool:
    """Latent vectors whose digits the classifier is sure of, and what is measured in the images."""

    latents: Tensor  # (N, latent_size)
    digits: Tensor  # (N,) int64
    slants: Tensor  # (N,) float64


def new_pool(generator: nn.Module, latents: Tensor) -> Pool:
    """Draw latent vectors, and keep those that the classifier is sure of."""
    pixels = draw(generator, latents)
    top, digits = torch.from_numpy(judging.classify(pixels).probabilities).max(1)
    sure = top >= SURE
    return Pool(latents[sure], digits[sure], slant(pixels[sure]))


def terms(pool: Pool, count: int, random: torch.Generator) -> tuple[list[Tensor], int]:
    """Pick the latent vectors of a sum, three times (count, latent_size), and the digit to expect.

    Leaning ones of one digit, upright ones of it, upright ones of another: a - b + c should be that
    other digit, leaning.
    """

    def pick(among: Tensor, digit: int) -> Tensor:
        places = (among & (pool.digits == digit)).nonzero()[:, 0]
        return pool.latents[places[torch.randperm(len(places), generator=random)[:count]]]

    leaning, upright = pool.slants >= LEANING, pool.slants.abs() <= UPRIGHT
    while True:  # until there are enough samples of both digits
        one, other = torch.randperm(10, generator=random)[:2].tolist()
        found = [pick(leaning, one), pick(upright, one), pick(upright, other)]
        if all(len(part) == count for part in found):
            return found, other


def sums(pool: Pool, count: int, trials: int) -> tuple[dict[str, Tensor], Tensor]:
    """Return latent vectors (trials, latent_size) by how they were made, and the digits to expect.

    "sum" is a - b + c, of averages of `count`. "single" and "random" are c and a step as long as
    a - b, in the direction of a single difference, or in any.
    """
    random, points, digits = torch.Generator().manual_seed(0), [], []
    for _ in range(trials):
        (a, b, c), digit = terms(pool, count, random)  # (count, latent_size) each
        step, noise = a.mean(0) - b.mean(0), torch.randn(a.shape[1], generator=random)
        ways = normalize(torch.stack([step, a[0] - b[0], noise]))  # (3, latent_size)
        points.append(c.mean(0) + step.norm() * ways)
        digits.append(digit)
    return dict(zip(("sum", "single", "random"), torch.stack(points, 1))), torch.tensor(digits)


def successes(generator: nn.Module, z: Tensor, digits: Tensor) -> tuple[float, float]:
    """Return how many images are the digit asked for, and how many lean as well, as shares."""
    pixels = draw(generator, z)
    right = torch.from_numpy(judging.classify(pixels).probabilities.argmax(1)) == digits
    both = right & (slant(pixels) >= LEANING)
    return right.double().mean().item(), both.double().mean().item()


def find_latents(
    generator: nn.Module, images: Tensor, candidates: Tensor, steps: int = 150, prior: float = 0.02
) -> tuple[Tensor, Tensor]:
    """Return latent vectors for given images, and how far off (N,) each image is.

    Adam on z alone, from the candidate that is drawn most like the image, minimizes the squared
    Euclidean distance, with gray levels from 0 to 1, plus `prior` times the squared norm of z: a
    minimum nearby, not always the best. Images are (N, C, S, S) uint8, of the generator's size.
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
