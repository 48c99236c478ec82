"""Numbers that say how good images are: pure functions, and `METRICS`, the rows of the report.

A Frechet distance in these features can be compared with others in these features only, never with
a published FID. Another metric is one more entry in `METRICS`; nothing has to be trained for it:

    METRICS["sure_of_3"] = SampleMetric("mean probability of a 3", lambda seen, reference: ...)

SciPy and scikit-learn are imported where they are used: that takes a second, and a run does not
need them before its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .classifier import Classified

if TYPE_CHECKING:
    from .references import Reference

SURE = 0.95  # the classifier is sure of an image if it gives one class at least this probability
NEIGHBORS = 3  # k of precision and recall, as in Kynkaanniemi et al. (2019)
AT_MOST = 3000  # images in a metric that compares each with each
HALVES = 10  # random halves of the samples, for the spread


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Frechet distance of two Gaussians fitted to features (N, F) and (M, F).

    |mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)), Heusel et al. (2017), arXiv:1706.08500,
    equation 6.
    """
    return gaussian_distance((a.mean(0), np.cov(a.T)), (b.mean(0), np.cov(b.T)))


def gaussian_distance(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the Frechet distance of two Gaussians, each (mean, covariance)."""
    from scipy import linalg

    # The eigenvalues of S_a S_b are those of R S_b R, which is symmetric, with R = S_a^(1/2).
    values, vectors = linalg.eigh(a[1])
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    roots = np.sqrt(linalg.eigvalsh(root @ b[1] @ root).clip(min=0))
    difference = a[0] - b[0]
    return float(difference @ difference + np.trace(a[1]) + np.trace(b[1]) - 2 * roots.sum())


def class_shares(probabilities: np.ndarray) -> np.ndarray:
    """Return the share (10,) of images in which each class is the most probable one."""
    return np.bincount(probabilities.argmax(1), minlength=10) / len(probabilities)


def share_as_asked(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images (N, 10) whose most probable class is what was asked for (N,)."""
    return float((probabilities.argmax(1) == labels).mean())


def precision_and_recall(
    real: np.ndarray, fake: np.ndarray, k: int = NEIGHBORS
) -> tuple[float, float]:
    """Return how much of `fake` lies among `real`, and of `real` among `fake`.

    A point lies among others if it is no farther from one of them than that one's k-th nearest
    neighbor is. Kynkaanniemi et al. (2019), arXiv:1904.06991, equations 1 and 2.

    Parameters
    ----------
    real, fake
        Features (N, F) and (M, F).
    k
        Which neighbor sets the radius around a point.
    """
    return share_among(fake, real, k), share_among(real, fake, k)


def share_among(points: np.ndarray, others: np.ndarray, k: int = NEIGHBORS) -> float:
    """Return the share of points (N, F) that lie among others (M, F); see above."""
    from sklearn.neighbors import NearestNeighbors

    # The nearest neighbor of a point among its own is the point itself.
    radii = NearestNeighbors(n_neighbors=k + 1).fit(others).kneighbors(others)[0][:, -1]
    among = 0
    for part in torch.from_numpy(points).split(500):  # keeps memory low
        distances = torch.cdist(part, torch.from_numpy(others)).numpy()  # (part, others)
        among += (distances <= radii).any(1).sum()
    return float(among / len(points))


def nearest_distances(images: Tensor, others: Tensor) -> np.ndarray:
    """Return the distance of each image to the nearest one of others, pixel by pixel.

    Parameters
    ----------
    images, others
        (N, 1, S, S) and (M, 1, S, S) uint8.

    Returns
    -------
    ndarray
        (N,), Euclidean, with gray levels from 0 to 1.
    """
    points, known = (pixels.flatten(1).float() / 255 for pixels in (images, others))
    nearest = torch.full((len(points),), torch.inf)
    for part in known.split(5000):  # keeps memory low
        nearest = torch.minimum(nearest, torch.cdist(points, part).amin(1))
    return nearest.double().numpy()


def nearest_neighbor_error(
    samples: np.ndarray, labels: np.ndarray, real: np.ndarray, real_labels: np.ndarray
) -> float:
    """Return how often a real image's label is not that of the nearest sample.

    Good and varied samples teach a nearest-neighbor classifier nearly as well as real images do.
    Radford et al. (2015), supplementary material.

    Parameters
    ----------
    samples, real
        (N, F) and (M, F): pixels or features.
    labels, real_labels
        (N,) and (M,).
    """
    from sklearn.neighbors import KNeighborsClassifier

    return 1 - float(KNeighborsClassifier(1).fit(samples, labels).score(real, real_labels))


# The rows of the report


@dataclass(frozen=True)
class SampleMetric:
    """One row of the report."""

    title: str
    measure: Callable[[Classified, Reference], float]  # of what the classifier makes of images
    decimals: int = 3


def _distance(seen: Classified, reference: Reference) -> float:
    gaussian = seen.features.mean(0), np.cov(seen.features.T)
    return gaussian_distance(gaussian, (reference.mean, reference.covariance))


def _divergence(seen: Classified, reference: Reference) -> float:
    """Return the Kullback-Leibler divergence of the shares from the data's, in nats."""
    from scipy import stats

    return float(stats.entropy(class_shares(seen.probabilities), reference.shares))


METRICS: dict[str, SampleMetric] = {
    "distance": SampleMetric("Fréchet distance", _distance, decimals=1),
    "top_probability": SampleMetric(
        "mean top probability", lambda seen, _: float(seen.probabilities.max(1).mean())
    ),
    "sure": SampleMetric(
        f"share with a top probability of {SURE} or more",
        lambda seen, _: float((seen.probabilities.max(1) >= SURE).mean()),
    ),
    "rarest": SampleMetric(
        "share of the rarest class", lambda seen, _: float(class_shares(seen.probabilities).min())
    ),
    "most_frequent": SampleMetric(
        "share of the most frequent class",
        lambda seen, _: float(class_shares(seen.probabilities).max()),
    ),
    "divergence": SampleMetric("divergence of the classes [nats]", _divergence),
    "precision": SampleMetric(
        "precision",
        lambda seen, reference: share_among(seen.features[:AT_MOST], reference.features),
    ),
    "recall": SampleMetric(
        "recall", lambda seen, reference: share_among(reference.features, seen.features[:AT_MOST])
    ),
}


def measure(
    seen: Classified, reference: Reference, metrics: Mapping[str, SampleMetric] | None = None
) -> dict[str, float]:
    """Return metrics of a set of images, by key; all of `METRICS` unless some are given."""
    metrics = METRICS if metrics is None else metrics
    return {key: metric.measure(seen, reference) for key, metric in metrics.items()}


def measure_with_spread(
    seen: Classified, reference: Reference, metrics: Mapping[str, SampleMetric] | None = None
) -> dict[str, dict[str, float]]:
    """Return metrics, each as its value and how much it varies with the choice of samples.

    The spread is the standard deviation over random halves of the samples, drawn without
    replacement: for a mean it is the standard error of all N samples' mean.
    """
    random = np.random.default_rng(0)
    halves = [random.permutation(len(seen))[: len(seen) // 2] for _ in range(HALVES)]
    parts = [measure(seen.part(half), reference, metrics) for half in halves]
    return {
        key: {"value": value, "spread": float(np.std([part[key] for part in parts]))}
        for key, value in measure(seen, reference, metrics).items()
    }
