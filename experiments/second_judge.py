"""A second judge, to see which findings hang on the first: `python -m experiments.second_judge`.

Needs MNIST; takes about 2 minutes on 2 CPU cores. Another network than the first judge's (3x3
kernels, batch norm, strides in place of pooling, features averaged over the image), another seed,
and the other digits: it learns from MNIST's last 30,000 training digits, and the first 30,000 are
its reference. It was made once and not chosen among several. Its weights lie in results/.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_utils.data import load_source, scale
from dcgan_utils.files import load, save
from dcgan_utils.judging import LEARNED, Gaussian, frechet_distance

from .classifier import fit
from .tables import RESULTS

STORED = RESULTS / "second_judge.pt"
SEED, EPOCHS, RATE = 1, 5, 0.003


def new_network() -> nn.Sequential:
    """Return the classifier, untrained: (B, 1, 28, 28) in [-1, 1] to ten logits.

    All layers but the last make the 128 features.
    """
    layers: list[nn.Module] = []
    for before, after, stride in ((1, 32, 1), (32, 64, 2), (64, 96, 2), (96, 128, 2)):
        layers += [
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.GELU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def train(pixels: Tensor, labels: Tensor) -> nn.Sequential:
    """Return the classifier, trained on images (N, 1, 28, 28) uint8 and labels (N,)."""
    random = torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = new_network()
    return fit(network, pixels, labels, random, EPOCHS, RATE)


@torch.no_grad()
def gaussian(network: nn.Sequential, pixels: Tensor) -> Gaussian:
    """Return mean (128,) and covariance (128, 128) of the features of images (N, 1, 28, 28)."""
    features = torch.cat([network[:-1](scale(part)) for part in pixels.split(500)]).double().numpy()
    return features.mean(0), np.cov(features.T)


@functools.cache
def stored() -> tuple[nn.Sequential, Gaussian]:
    """Return the trained classifier, and the mean and covariance of its reference."""
    state = load(STORED)
    reference = state.pop("mean").numpy(), state.pop("covariance").numpy()
    network = new_network()
    network.load_state_dict(state)  # float16, computed in float32
    return network.eval(), reference


def second_distance(pixels: Tensor) -> float:
    """Return the Frechet distance of images (N, 1, 28, 28) uint8 in this judge's features."""
    network, reference = stored()
    return frechet_distance(gaussian(network, pixels), reference)


def main(path: Path = STORED) -> None:
    """Train, store, and say what it makes of the test digits."""
    learned, held_out = load_source("mnist").split()
    network = train(learned.pixels[LEARNED:], learned.labels[LEARNED:])
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    network.load_state_dict(state)  # as it is stored
    mean, covariance = map(torch.from_numpy, gaussian(network, learned.pixels[:LEARNED]))
    save(path, state | {"mean": mean, "covariance": covariance})
    stored.cache_clear()
    with torch.no_grad():
        parts = held_out.pixels.split(500)
        answers = torch.cat([network(scale(part)).argmax(1) for part in parts])
    right = (answers == held_out.labels).float().mean()
    print(f"{right:.2%} of the test digits right, at a distance of", end=" ")
    print(f"{second_distance(held_out.pixels):.2f}")


if __name__ == "__main__":
    main()
