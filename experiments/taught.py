"""What classifiers know of real digits if they learn from samples alone: the paper's Table 3."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from dcgan_utils.data import scale

from .classifier import fit

CLASSES = 10
EPOCHS, RATE = 3, 0.002  # of the small network


class Nearest:
    """How near images are to the nearest known image of each class; known ones may come in parts.

    Parameters
    ----------
    images
        (N, 1, S, S) uint8, whose neighbors are looked for, pixel by pixel.
    """

    def __init__(self, images: Tensor):
        self.points = images.flatten(1).float() / 255  # (N, S * S)
        self.least = torch.full((len(images), CLASSES), torch.inf)  # squared, without |point|^2

    def learn(self, known: Tensor, labels: Tensor) -> None:
        """Look among more images (M, 1, S, S) uint8 with labels (M,)."""
        for label in labels.unique().tolist():
            for part in known[labels == label].split(5000):  # keeps memory low
                others = part.flatten(1).float() / 255
                # |p - o|^2 without |p|^2, which is the same for all o
                values = (others.square().sum(1) - 2 * self.points @ others.T).amin(1)
                self.least[:, label] = torch.minimum(self.least[:, label], values)

    @property
    def labels(self) -> Tensor:
        """The class of the nearest of all, (N,) int64."""
        return self.least.argmin(1)

    def own_and_other(self, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distances (N,) to the nearest of the true class (N,) and of all others.

        Euclidean, with gray levels from 0 to 1. The answer is wrong where the second is less.
        """
        squares = self.least + self.points.square().sum(1, keepdim=True)
        distances = squares.clamp(min=0).sqrt()  # (N, 10)
        own = one_hot(truth, CLASSES).bool()
        return distances[own], distances.masked_fill(own, torch.inf).amin(1)


def nearest_labels(images: Tensor, known: Tensor, labels: Tensor) -> Tensor:
    """Return the labels (N,) of the known images that are nearest, pixel by pixel.

    Parameters
    ----------
    images, known
        (N, 1, S, S) and (M, 1, S, S) uint8.
    labels
        (M,) int64, of the known images.
    """
    nearest = Nearest(images)
    nearest.learn(known, labels)
    return nearest.labels


def small_network() -> nn.Sequential:
    """Return a small classifier, untrained: (B, 1, 28, 28) in [-1, 1] to ten logits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def error_of_network(pixels: Tensor, labels: Tensor, test: Tensor, truth: Tensor) -> float:
    """Return how often a small network that learned from some images is wrong about others."""
    random = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = small_network()
    fit(network, pixels, labels, random, EPOCHS, RATE)
    with torch.no_grad():
        answers = torch.cat([network(scale(part)).argmax(1) for part in test.split(1000)])
    return float((answers != truth).float().mean())
