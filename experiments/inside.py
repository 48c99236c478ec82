"""What a discriminator computes on its way to a logit, as notebook 11 takes it apart.

Used by the notebook and by `experiments.features`.
"""

import copy
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_utils.data import fit_images, scale
from dcgan_utils.networks import Discriminator, initialize_weights

GRID = 4  # maps are pooled to so many places a side, as in section 5 of the paper


def images_for(pixels: Tensor) -> Tensor:
    """Return digits (N, 1, 28, 28) uint8 as D of `classroom` sees them: (N, 1, 32, 32)."""
    return scale(fit_images(pixels, 32, "pad"))


def untrained(seed: int) -> Discriminator:
    """Return a discriminator as a run of `classroom` begins with; its weights are random."""
    network = Discriminator(32, 1, 32, first_bias=True)
    initialize_weights(network, torch.Generator().manual_seed(seed))
    return network


def resettled(network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Return a copy in evaluation mode, whose running statistics are the means over some batches.

    Parameters
    ----------
    network
        Stays as it is.
    batches
        Images (B, 1, S, S); each batch is one step of the running mean.
    """
    network = copy.deepcopy(network).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over all batches
    with torch.no_grad():
        for batch in batches:
            network(batch)
    return network.eval()


@torch.no_grad()
def hidden_maps(discriminator: Discriminator, images: Tensor) -> list[Tensor]:
    """Return what each hidden layer makes of images (B, 1, 32, 32), after its LeakyReLU.

    Returns
    -------
    list of Tensor
        (B, 32, 16, 16), (B, 64, 8, 8), (B, 128, 4, 4).
    """
    maps = []
    for layer in discriminator.main[:-1]:
        images = layer(images)
        if isinstance(layer, nn.LeakyReLU):
            maps.append(images.clone())  # the next layer but one may work in place
    return maps


def features(discriminator: Discriminator, pixels: Tensor) -> list[Tensor]:
    """Return the features of digits, a matrix for each hidden layer.

    Each map is max-pooled to 4x4 and all are flattened, as in section 5 of the paper.

    Parameters
    ----------
    discriminator
        In evaluation mode.
    pixels
        (N, 1, 28, 28) uint8.

    Returns
    -------
    list of Tensor
        (N, 512), (N, 1024), (N, 2048) for the discriminator of `classroom`.
    """
    parts = []
    for part in pixels.split(500):  # keeps memory low
        maps = hidden_maps(discriminator, images_for(part))
        parts.append([F.adaptive_max_pool2d(layer, GRID).flatten(1) for layer in maps])
    return [torch.cat(layer) for layer in zip(*parts)]


@torch.no_grad()
def answers(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Return D's logits (N,) of images (N, 1, 32, 32), each by itself; D is in evaluation mode."""
    return torch.cat([discriminator(part) for part in images.split(500)])


@torch.no_grad()
def answers_in_batches(discriminator: nn.Module, images: Tensor, size: int = 32) -> Tensor:
    """Return D's logits (N,) as in training: batch norm takes each batch's own statistics.

    Images that fill no batch are left out: N is a multiple of `size`.
    """
    network = copy.deepcopy(discriminator).train()  # whose running statistics change
    whole = len(images) // size * size
    return torch.cat([network(part) for part in images[:whole].split(size)])
