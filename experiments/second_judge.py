"""A second judge, to see which findings hang on the first; `makers.make_second_judge` made it.

Another network than the first judge's (3x3 kernels, batch norm, strides in place of pooling,
features averaged over the image), another seed, and the other digits.
"""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_utils.data import scale
from dcgan_utils.files import load
from dcgan_utils.judging import Gaussian, frechet_distance

from . import store

STORED = store.RESULTS / "second_judge.pt"  # weights, mean and covariance of the reference


def new_network() -> nn.Sequential:
    """Return the classifier, untrained: (B, 1, 28, 28) in [-1, 1] to 128 features to ten logits."""
    layers: list[nn.Module] = []
    for before, after, stride in ((1, 32, 1), (32, 64, 2), (64, 96, 2), (96, 128, 2)):
        convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.GELU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


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
    return network.eval().requires_grad_(False), reference


def second_distance(pixels: Tensor) -> float:
    """Return the Fréchet distance of images (N, 1, 28, 28) uint8 in this judge's features."""
    network, reference = stored()
    return frechet_distance(gaussian(network, pixels), reference)
