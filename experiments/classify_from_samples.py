"""Classifiers that learn from some images, and how often they are wrong about others."""

import itertools
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from dcgan_utils.data import scale
from dcgan_utils.judging import nearest_distances

CLASSES = 10
BATCH = 128
EPOCHS, RATE = 3, 0.002  # of the small network


def class_distances(images: Tensor, known: Tensor, labels: Tensor) -> Tensor:
    """Return how far images are from the nearest known one of each class, pixel by pixel: (N, 10).

    Euclidean, with gray levels from 0 to 1, of images (N, 1, S, S) and known ones (M, 1, S, S),
    uint8, with labels (M,). The nearest neighbor's class is `argmin(1)` of it; what two sets of
    known images bring is `torch.minimum` of both.
    """
    classes = [known[labels == label] for label in range(CLASSES)]
    return torch.stack([torch.from_numpy(nearest_distances(images, own)) for own in classes], 1)


def batches(count: int, size: int, random: Generator) -> Iterator[Tensor]:
    """Yield the numbers of each batch's images without end, in a new order each time round."""
    while True:
        whole = torch.randperm(count, generator=random).split(size)
        yield from whole[: max(1, count // size)]


def train(
    classifier: nn.Module, examples: Iterable[tuple[Tensor, Tensor]], steps: int, rate: float
) -> None:
    """Train a classifier for some steps, each on a batch of images and labels (B,)."""
    optimizer = torch.optim.AdamW(classifier.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    for images, labels in itertools.islice(examples, steps):
        loss = F.cross_entropy(classifier(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    classifier.eval()


def fit(
    network: nn.Module, pixels: Tensor, labels: Tensor, random: Generator, epochs: int, rate: float
) -> None:
    """Train a classifier on images (N, 1, 28, 28) uint8 and labels (N,).

    Each batch is moved by up to two pixels, all of it alike.
    """

    def examples() -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in batches(len(pixels), BATCH, random):
            move = torch.randint(-2, 3, (2,), generator=random).tolist()
            yield torch.roll(scale(pixels[chosen]), move, (2, 3)), labels[chosen]  # black borders

    train(network, examples(), epochs * (len(pixels) // BATCH), rate)


def answers_of_network(pixels: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """Return the labels that a small network, which learned from some images, gives others (N,)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(  # (B, 1, 28, 28) in [-1, 1] to ten logits
            nn.Conv2d(1, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, CLASSES),
        )
    fit(network, pixels, labels, Generator().manual_seed(0), EPOCHS, RATE)
    with torch.no_grad():
        return torch.cat([network(scale(part)).argmax(1) for part in test.split(1000)])
