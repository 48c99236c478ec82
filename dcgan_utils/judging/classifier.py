"""The judge's eye: a small classifier of digits that never changes, and what it makes of images.

The classifier is part of the package (`stored/`), so nothing is downloaded;
`python -m experiments.classifier` made it.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..data import fit_images, scale
from ..files import load

FEATURES = 64  # numbers that the classifier makes of an image, before its last activation
SIDE = 28  # pixels, the size at which images are judged
LEARNED = 30_000  # MNIST digits that the classifier learned from; the reference begins after them
STORED = Path(__file__).with_name("stored")


def new_classifier() -> nn.Sequential:
    """Return the classifier, untrained: (B, 1, 28, 28) in [-1, 1] to ten logits.

    All layers but the last two make the 64 features: what goes into the last ReLU. Among the few
    networks that were tried when it was made, this one saw blur best, and it was chosen for that.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, FEATURES),
        nn.ReLU(),
        nn.Linear(FEATURES, 10),
    )


@functools.cache
def load_classifier() -> nn.Sequential:
    """Return the package's trained classifier, in evaluation mode on the CPU."""
    classifier = new_classifier()
    classifier.load_state_dict(load(STORED / "classifier.pt"))  # float16, computed in float32
    return classifier.eval()


def stored_facts() -> dict:
    """Return how the classifier was made (accuracy, data, seed), and the reference's rows."""
    return json.loads((STORED / "facts.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Classified:
    """What the classifier makes of N images."""

    features: np.ndarray  # (N, 64) float64
    probabilities: np.ndarray  # (N, 10) float64

    def __len__(self) -> int:
        return len(self.features)

    def part(self, chosen: np.ndarray | slice) -> "Classified":
        """Return what it makes of some of the images."""
        return Classified(self.features[chosen], self.probabilities[chosen])


@torch.no_grad()
def classify(pixels: Tensor) -> Classified:
    """Show images (N, 1, 28, 28) uint8 to the classifier."""
    classifier = load_classifier()
    features = torch.cat([classifier[:-2](scale(part)) for part in pixels.split(500)])  # (N, 64)
    return from_features(features)


@torch.no_grad()
def from_features(features: Tensor) -> Classified:
    """Return what the classifier makes of images whose features (N, 64) are known."""
    probabilities = load_classifier()[-2:](features.float()).double().softmax(1)
    return Classified(features.double().numpy(), probabilities.numpy())


def to_judged_size(pixels: Tensor, fit: str) -> Tensor:
    """Bring images (N, 1, S, S) uint8 to (N, 1, 28, 28): padding is cropped, others are resized."""
    if fit == "pad":
        margin = (pixels.shape[-1] - SIDE) // 2
        return pixels[..., margin : margin + SIDE, margin : margin + SIDE]
    return fit_images(pixels, SIDE, "resize")
