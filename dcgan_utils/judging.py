"""How good samples are: metrics in the features of a small classifier of digits, and a report.

Only digits can be judged. `python -m experiments make judge` made what lies in `stored/`. A Fréchet
distance in these features compares with others in these features only, never with a published FID.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .data import SOURCES, fit_images, load_source, scale
from .files import load

STORED = Path(__file__).with_name("stored")
SIDE = 28  # pixels, the size at which images are judged
LEARNED = 30_000  # MNIST digits that the classifier learned from; the reference begins after them
AT_MOST = 3000  # images in precision and recall, the first ones; each is compared with each
FEWEST = 1000  # samples; with fewer, the covariance of 64 features is mostly noise
COMPARED = 1000  # images whose nearest neighbors among the known digits are looked for
ONLY_DIGITS = "The judge knows gray digits only, and this run has {}. See real_beside_fake.png."
Gaussian = tuple[np.ndarray, np.ndarray]  # mean (F,) and covariance (F, F) of features
Row = dict[str, dict[str, float]]  # by the key of a metric, its "value" and its "spread"


def new_classifier() -> nn.Sequential:
    """Return the classifier, untrained: (B, 1, 28, 28) in [-1, 1] to 64 features to ten logits."""
    layers: list[nn.Module] = []
    for before, after in ((1, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(64 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10)]
    return nn.Sequential(*layers)


@functools.cache
def load_classifier() -> nn.Sequential:
    """Return the package's trained classifier, in evaluation mode on the CPU."""
    classifier = new_classifier()
    classifier.load_state_dict(load(STORED / "classifier.pt"))  # float16, computed in float32
    return classifier.eval().requires_grad_(False)


@dataclass(frozen=True)
class Classified:
    """What the classifier makes of N images."""

    features: np.ndarray  # (N, 64) float64
    probabilities: np.ndarray  # (N, 10) float64

    def __len__(self) -> int:
        return len(self.features)

    @property
    def shares(self) -> np.ndarray:
        """The share (10,) of images in which each class is the most probable one."""
        return np.bincount(self.probabilities.argmax(1), minlength=10) / len(self)

    def part(self, chosen: np.ndarray | slice) -> Classified:
        """Return what it makes of some of the images."""
        return Classified(self.features[chosen], self.probabilities[chosen])


def classify(pixels: Tensor) -> Classified:
    """Show images (N, 1, 28, 28) uint8 to the classifier."""
    layers = load_classifier()[:-2]
    return _from_features(torch.cat([layers(scale(part)) for part in pixels.split(500)]))


def _from_features(features: Tensor) -> Classified:
    probabilities = load_classifier()[-2:](features.float()).double().softmax(1)
    return Classified(features.double().numpy(), probabilities.numpy())


def to_judged_size(pixels: Tensor, fit: str) -> Tensor:
    """Bring images (N, 1, S, S) uint8 to (N, 1, 28, 28): padding is cropped, others are resized."""
    crop = slice((pixels.shape[-1] - SIDE) // 2, (pixels.shape[-1] + SIDE) // 2)
    return pixels[..., crop, crop] if fit == "pad" else fit_images(pixels, SIDE, "resize")


def frechet_distance(a: np.ndarray | Gaussian, b: np.ndarray | Gaussian) -> float:
    """Return |mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of Gaussians, or features (N, F).

    Heusel et al. (2017), arXiv:1706.08500, equation 6.
    """
    from scipy import linalg  # here, since it takes a while

    (mean_a, cov_a), (mean_b, cov_b) = (
        (of.mean(0), np.cov(of.T)) if isinstance(of, np.ndarray) else of for of in (a, b)
    )
    # The eigenvalues of S_a S_b are those of R S_b R, which is symmetric, with R = S_a^(1/2).
    values, vectors = linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    roots = np.sqrt(linalg.eigvalsh(root @ cov_b @ root).clip(min=0))
    difference = mean_a - mean_b
    return float(difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2 * roots.sum())


def share_among(points: np.ndarray, others: np.ndarray, k: int = 3) -> float:
    """Return the share of points (N, F) no farther from one of others than its k-th neighbor is.

    Precision of points, or recall: Kynkäänniemi et al. (2019), arXiv:1904.06991, equations 1, 2.
    """
    mine, known = torch.from_numpy(points[:AT_MOST]), torch.from_numpy(others[:AT_MOST])
    radii = torch.cdist(known, known).topk(k + 1, largest=False).values[:, -1]  # one is itself
    return float((torch.cdist(mine, known) <= radii).any(1).double().mean())


def nearest_distances(images: Tensor, others: Tensor) -> np.ndarray:
    """Return the distance (N,) of each image, uint8 taken as 0 to 1, to the nearest of others."""
    points, known = (pixels.flatten(1).float() / 255 for pixels in (images, others))
    nearest = [torch.cdist(points, part).amin(1) for part in known.split(5000)]  # memory stays low
    return torch.stack(nearest).amin(0).double().numpy()


def _divergence(seen: Classified, real: Reference) -> float:
    """Return the Kullback-Leibler divergence of the samples' shares from the data's, in nats."""
    from scipy import stats

    return stats.entropy(seen.shares, real.shares)


@dataclass(frozen=True)
class Metric:
    """A row of the report; another one needs a function and an entry of `METRICS`."""

    title: str
    measure: Callable[[Classified, Reference], float]
    decimals: int = 3


METRICS = {
    "distance": Metric(
        "Fréchet distance", lambda seen, real: frechet_distance(seen.features, real.gaussian), 1
    ),
    "top_probability": Metric(
        "mean top probability", lambda seen, _: seen.probabilities.max(1).mean()
    ),
    "sure": Metric(
        "share with a top probability of 0.95 or more",
        lambda seen, _: (seen.probabilities.max(1) >= 0.95).mean(),
    ),
    "rarest": Metric("share of the rarest class", lambda seen, _: seen.shares.min()),
    "most_frequent": Metric("share of the most frequent class", lambda seen, _: seen.shares.max()),
    "divergence": Metric("divergence of the classes [nats]", _divergence),
    "precision": Metric("precision", lambda seen, real: share_among(seen.features, real.features)),
    "recall": Metric("recall", lambda seen, real: share_among(real.features, seen.features)),
}
_OWN_METRICS = dict(METRICS)  # those that facts.json holds values of
Metrics = Mapping[str, Metric]


def measure(seen: Classified, real: Reference, metrics: Metrics = METRICS) -> dict[str, float]:
    """Return metrics of a set of images, by key."""
    return {key: float(metric.measure(seen, real)) for key, metric in metrics.items()}


def measure_with_spread(seen: Classified, real: Reference, metrics: Metrics = METRICS) -> Row:
    """Return metrics, each with its spread: the standard deviation over ten random halves."""
    random = np.random.default_rng(0)
    halves = [random.permutation(len(seen))[: len(seen) // 2] for _ in range(10)]
    parts = [measure(seen.part(half), real, metrics) for half in halves]
    return {
        key: {"value": value, "spread": float(np.std([part[key] for part in parts]))}
        for key, value in measure(seen, real, metrics).items()
    }


@dataclass(frozen=True, eq=False)
class Reference:
    """What the classifier makes of real digits that came to 28x28 pixels as the samples did."""

    source: str  # where they are from: "MNIST" or "embedded digits"
    route: str  # how real and generated images came to 28x28 pixels, in words
    gaussian: Gaussian  # of the features
    shares: np.ndarray  # (10,) of the classes
    features: np.ndarray  # (N, 64), for precision and recall
    others: Classified  # of other real digits; no more samples than these are judged
    facts: Mapping = field(default_factory=dict)  # of the stored one: accuracy, "rows", ...

    def rows(self) -> dict[str, Row]:
        """Return the metrics of "real digits" and of "noise", stored but for new metrics."""
        rows: dict[str, Row] = {}
        stored = _OWN_METRICS if self.facts else {}
        new = {key: metric for key, metric in METRICS.items() if metric is not stored.get(key)}
        for name in ("real digits", "noise"):
            row = dict(self.facts["rows"][name]) if self.facts else {}
            if new:
                seen = self.others if name == "real digits" else classify(noise(len(self.others)))
                row |= measure_with_spread(seen, self, new)
            rows[name] = {key: row[key] for key in METRICS}
        return rows


def noise(count: int) -> Tensor:
    """Return images (count, 1, 28, 28) uint8 of independent gray levels."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, SIDE, SIDE), generator=random).to(torch.uint8)


@functools.cache
def stored_reference() -> Reference:
    """Return the package's reference: MNIST itself, which is what padding and cropping leave."""
    tensors = load(STORED / "mnist.pt")
    others = _from_features(tensors.pop("others"))  # of MNIST's 10,000 test digits
    mean, covariance, shares, features = (tensor.double().numpy() for tensor in tensors.values())
    gaussian, route = (mean, covariance), "padding cropped, 28 pixels as they are"
    facts = json.loads((STORED / "facts.json").read_text("utf-8"))
    return Reference("MNIST", route, gaussian, shares, features, others, facts)


def reference_for(data: str, image_size: int, fit: str) -> Reference:
    """Return what a run's samples are compared with: MNIST, or its own digits, resized alike."""
    if fit == "pad":
        return stored_reference()
    learned, held_out = (part.fitted(image_size, fit) for part in load_source(data).split())
    unseen = learned.pixels[LEARNED if data == "mnist" else 0 :]
    real, others = (classify(to_judged_size(part, fit)) for part in (unseen, held_out.pixels))
    gaussian = real.features.mean(0), np.cov(real.features.T)
    route = f"resized to {image_size} and back to {SIDE}"
    return Reference(learned.source, route, gaussian, real.shares, real.features, others)


def known_digits(data: str, image_size: int, fit: str) -> dict[str, Tensor] | None:
    """Return digits (N, 1, 28, 28) uint8 by how runs use them, or None if they are not here."""
    if not SOURCES[data].is_here():
        return None
    parts = (part.fitted(image_size, fit).pixels for part in load_source(data).split())
    training, held_out = (to_judged_size(pixels, fit) for pixels in parts)
    every = 2 * max(1, len(held_out) // 2 // COMPARED)  # MNIST's first digits are the neater ones
    # Samples, and "others" like them, are compared with what runs train on and with "held_out".
    return {"training": training, "held_out": held_out[::2], "others": held_out[1::every]}


def judge_samples(
    pixels: Tensor, fit: str, reference: Reference, known: Mapping[str, Tensor] | None = None
) -> dict[str, Row]:
    """Return the metrics of "samples" (N, 1, S, S) uint8, of "real digits" and of "noise"."""
    images = to_judged_size(pixels[: len(reference.others)], fit)  # more have a smaller distance
    verdict = {"samples": measure_with_spread(classify(images), reference), **reference.rows()}
    if known is not None:
        compared = {"samples": images, "real digits": known["others"], "noise": noise(COMPARED)}
        for name, row in verdict.items():
            for key in ("training", "held_out"):
                found = nearest_distances(compared[name][:COMPARED], known[key])
                error = found.std(ddof=1) / len(found) ** 0.5  # of the mean
                row[f"to_{key}"] = {"value": float(found.mean()), "spread": float(error)}
    return verdict


def table(verdict: Mapping[str, Row], reference: Reference) -> str:
    """Return a verdict as a Markdown table, with what must be known to read it."""
    rows = {key: (metric.title, metric.decimals) for key, metric in METRICS.items()}
    rows["to_training"] = "distance to the nearest training digit", 2
    rows["to_held_out"] = "distance to the nearest held-out digit", 2
    lines = ["| | " + " | ".join(verdict) + " |", "|---" * (len(verdict) + 1) + "|"]
    for key in verdict["samples"]:
        title, decimals = rows[key]
        pairs = [(row[key]["value"], row[key]["spread"]) for row in verdict.values()]
        cells = [f"{value:.{decimals}f} ± {spread:.{decimals}f}" for value, spread in pairs]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    notes = [
        f"Real digits: {reference.source}; real and generated images: {reference.route}. The "
        f"features are those of a classifier that finds {stored_reference().facts['accuracy']:.1%} "
        f"of MNIST's test digits. The distance can't be compared with a published FID.",
        "The last two rows compare pixels, from 0 to 1; no run trains on a held-out digit."
        if "to_training" in verdict["samples"]
        else "MNIST is not on this machine, so samples could not be compared with training digits.",
    ]
    if reference.source == "embedded digits":
        notes.append("The classifier learned from these digits, too: real ones look a bit better.")
    return "\n".join([*lines, "", *notes]) + "\n"


def one_line(verdict: Mapping[str, Row]) -> str:
    """Return a verdict as one line: distance, top probability and the shares of the classes."""
    row = {key: metric["value"] for key, metric in verdict["samples"].items()}
    real = verdict["real digits"]["distance"]["value"]
    return (
        f"Judged: distance {row['distance']:.1f} (real digits {real:.1f}; not comparable with a "
        f"published FID), mean top probability {row['top_probability']:.2f}, classes from "
        f"{row['rarest']:.1%} to {row['most_frequent']:.1%}"
    )
