"""What samples are compared with: real digits that went the same way, noise, and known digits.

What the classifier makes of MNIST is part of the package (`stored/`), so judging a run on padded
digits needs no download; `python -m experiments.classifier` made it.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..data import SOURCES, fit_images, load_source
from ..files import load, save, write_file
from .classifier import (
    LEARNED,
    SIDE,
    STORED,
    Classified,
    classify,
    from_features,
    stored_facts,
    to_judged_size,
)
from .metrics import AT_MOST, METRICS, class_shares, measure_with_spread, nearest_distances

COMPARED = 1000  # images whose nearest neighbors among all known digits are looked for
CROPPED = "padding cropped, 28 pixels as they are"


@dataclass(frozen=True, eq=False)
class Reference:
    """What the classifier makes of real digits that went the same way as the samples."""

    source: str  # where they come from: "MNIST" or "embedded digits"
    route: str  # how real and generated images came to 28x28 pixels, in words
    mean: np.ndarray  # (64,) of the features
    covariance: np.ndarray  # (64, 64)
    shares: np.ndarray  # (10,) of the classes
    features: np.ndarray  # (up to AT_MOST, 64), for precision and recall
    others: Classified  # of other real digits, as many as samples are judged at most
    known_rows: Mapping[str, Mapping] = field(default_factory=dict)  # metrics measured before

    def rows(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the metrics of other real digits and of noise, each with its spread.

        Those that were measured before are not measured again; a new metric is.
        """
        found = {}
        for name in ("real digits", "noise"):
            row = dict(self.known_rows.get(name, {}))
            if missing := {key: METRICS[key] for key in METRICS if key not in row}:
                seen = self.others if name == "real digits" else classify(noise(len(self.others)))
                row |= measure_with_spread(seen, self, missing)
            found[name] = {key: row[key] for key in METRICS}
        return found


def make_reference(
    source: str, route: str, real: Classified, others: Classified, rows: Mapping | None = None
) -> Reference:
    """Make a reference of real digits; other real digits and noise are measured against it."""
    return Reference(
        source,
        route,
        real.features.mean(0),
        np.cov(real.features.T),
        class_shares(real.probabilities),
        real.features[:AT_MOST],
        others,
        rows or {},
    )


def noise(count: int) -> Tensor:
    """Return images (count, 1, 28, 28) uint8 of independent gray levels."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, SIDE, SIDE), generator=random).to(torch.uint8)


def store_reference(reference: Reference, facts: Mapping) -> None:
    """Write a reference, and the facts about the classifier, into the package."""
    tensors = {
        "mean": reference.mean,
        "covariance": reference.covariance,
        "shares": reference.shares,
        "features": reference.features.astype(np.float16),
        "others": reference.others.features.astype(np.float16),
    }
    save(STORED / "mnist.pt", {name: torch.from_numpy(value) for name, value in tensors.items()})
    content = json.dumps({**facts, "rows": reference.rows()}, indent=2) + "\n"
    write_file(STORED / "facts.json", content.encode())


@functools.cache
def stored_reference() -> Reference:
    """Return the package's reference: MNIST as it is, which is what padding and cropping leave."""
    tensors = load(STORED / "mnist.pt")
    others = from_features(tensors.pop("others"))  # of MNIST's 10,000 test digits
    arrays = {name: value.double().numpy() for name, value in tensors.items()}
    return Reference("MNIST", CROPPED, others=others, known_rows=stored_facts()["rows"], **arrays)


def reference_for(data: str, image_size: int, fit: str) -> Reference:
    """Return what the samples of a run are to be compared with.

    Padded digits need no data: the reference is MNIST, also for a run on the embedded digits. For
    the rest the run's own digits are loaded: resized ones go to `image_size` and back to 28 pixels,
    as the samples do.

    Parameters
    ----------
    data
        The run's setting: "mnist" or "embedded".
    image_size, fit
        The run's settings.

    Raises
    ------
    UserError
        If the digits can't be had.
    """
    if fit == "pad":
        return stored_reference()
    images = load_source(data)
    learned, held_out = images.split()
    unseen = learned.pixels[LEARNED if data == "mnist" else 0 :]
    route = f"resized to {image_size} and back to {SIDE}"
    real, others = (
        classify(_same_way(pixels, image_size, fit)) for pixels in (unseen, held_out.pixels)
    )
    return make_reference(images.source, route, real, others)


def _same_way(digits: Tensor, image_size: int, fit: str) -> Tensor:
    """Return digits (N, 1, 28, 28) as they are after the way to `image_size` and back."""
    return to_judged_size(fit_images(digits, image_size, fit), fit)


@dataclass(frozen=True, eq=False)
class KnownDigits:
    """Digits to compare samples with pixel by pixel, all of which went the samples' way."""

    training: Tensor  # (N, 1, 28, 28) uint8: what runs train on
    held_out: Tensor  # (M, 1, 28, 28) uint8: half of the digits that no run trains on
    others: Tensor  # (up to COMPARED, 1, 28, 28) uint8: of the other half


def known_digits(data: str, image_size: int, fit: str) -> KnownDigits | None:
    """Return the digits that a run may have memorized; None if they are not on this machine.

    Parameters
    ----------
    data, image_size, fit
        As for `reference_for`.
    """
    if not SOURCES[data].is_here():
        return None
    learned, rest = load_source(data).split()
    training, held_out = (_same_way(part.pixels, image_size, fit) for part in (learned, rest))
    half, others = held_out[::2], held_out[1::2]
    others = others[:: max(1, len(others) // COMPARED)]  # MNIST's first digits are the neater ones
    return KnownDigits(training, half, others)


def measure_neighbors(images: Tensor, known: KnownDigits) -> dict[str, dict[str, float]]:
    """Return how near images (N, 1, 28, 28) are to digits of training and to held-out ones.

    A generator that copies what it trained on is nearer to that than real digits are. Blurred
    images are nearer to everything, so both metrics are needed.

    Returns
    -------
    dict
        to_training and to_held_out, of the first `COMPARED` images: mean and its standard error.
    """
    near = {
        "to_training": nearest_distances(images[:COMPARED], known.training),
        "to_held_out": nearest_distances(images[:COMPARED], known.held_out),
    }
    return {
        name: {"value": float(d.mean()), "spread": float(d.std(ddof=1) / len(d) ** 0.5)}
        for name, d in near.items()
    }
