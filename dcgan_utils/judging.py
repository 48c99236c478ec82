"""How good samples are: figures in the features of a small classifier of real digits.

The classifier and what it makes of MNIST are part of the package (`judge/`), so judging a run on
padded MNIST needs no download; `python -m figures.classifier` made them. Real and generated images
go the same way to 28x28 pixels. A Frechet distance in these features can be compared with others
in these features only, never with a published FID.

SciPy and scikit-learn are imported where they are used: that takes a second, and a training does
not need them before its end.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoints import load, save
from .config import UserError
from .data import base_images, fit_images, mnist_is_here, scale, unscale
from .files import write_file
from .networks import Generator, draw_latents

FEATURES = 64  # numbers that the classifier makes of an image, before its last activation
SIDE = 28  # pixels, the size at which images are judged
FEWEST = 1000  # samples; with fewer, the covariance of 64 features is mostly noise
SURE = 0.95  # the classifier is sure of an image if it gives one class at least this probability
NEIGHBORS = 3  # k of precision and recall, as in Kynkaanniemi et al. (2019)
AT_MOST = 3000  # images in a figure that compares each with each
COMPARED = 1000  # images whose nearest neighbors among all known digits are looked for
LEARNED = 30_000  # MNIST digits that the classifier learned from; the reference begins after them
HALVES = 10  # random halves of the samples, for the spread
CROPPED = "padding cropped, 28 pixels as they are"
SOURCES = {"MNIST": "mnist", "embedded digits": "digits"}  # what can be judged: setting of `data`
FOLDER = Path(__file__).with_name("judge")


def new_classifier() -> nn.Sequential:
    """Return the classifier, untrained: (B, 1, 28, 28) in [-1, 1] to ten logits.

    All layers but the last two make the 64 features: what goes into the last ReLU. Of the networks
    we tried, this one sees blur best.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, FEATURES), nn.ReLU(), nn.Linear(FEATURES, 10),
    )  # fmt: skip


@functools.cache
def load_classifier() -> nn.Sequential:
    """Return the package's trained classifier, in evaluation mode on the CPU."""
    classifier = new_classifier()
    classifier.load_state_dict(load(FOLDER / "classifier.pt"))  # float16, computed in float32
    return classifier.eval()


@dataclass(frozen=True)
class Seen:
    """What the classifier makes of N images."""

    features: np.ndarray  # (N, 64) float64
    probabilities: np.ndarray  # (N, 10) float64

    def __len__(self) -> int:
        return len(self.features)

    def part(self, chosen: np.ndarray | slice) -> "Seen":
        """Return what it makes of some of the images."""
        return Seen(self.features[chosen], self.probabilities[chosen])


@torch.no_grad()
def look(pixels: Tensor) -> Seen:
    """Show images (N, 1, 28, 28) uint8 to the classifier."""
    classifier = load_classifier()
    features = torch.cat([classifier[:-2](scale(part)) for part in pixels.split(500)])  # (N, 64)
    probabilities = classifier[-2:](features).double().softmax(1)
    return Seen(features.double().numpy(), probabilities.numpy())


def to_judged_size(pixels: Tensor, fit: str) -> Tensor:
    """Bring images (N, 1, S, S) uint8 to (N, 1, 28, 28): padding is cropped, others are resized."""
    if fit == "pad":
        margin = (pixels.shape[-1] - SIDE) // 2
        return pixels[..., margin : margin + SIDE, margin : margin + SIDE]
    return fit_images(pixels, SIDE, "resize")


# Each figure, alone


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Frechet distance of two Gaussians fitted to features (N, F) and (M, F).

    |mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)), Heusel et al. (2017), arXiv:1706.08500,
    equation 6.
    """
    return _gaussian_distance((a.mean(0), np.cov(a.T)), (b.mean(0), np.cov(b.T)))


def _gaussian_distance(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
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
    return _share_among(fake, real, k), _share_among(real, fake, k)


def _share_among(points: np.ndarray, others: np.ndarray, k: int) -> float:
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


# What is judged, and what it is compared with


@torch.no_grad()
def draw_samples(generator: Generator, count: int, latent: str, seed: int = 0) -> Tensor:
    """Draw samples in evaluation mode, (count, C, S, S) uint8 on the CPU.

    Parameters
    ----------
    generator
        On any device; its mode is changed only while it draws.
    count
        How many.
    latent
        "normal" or "uniform", as for `draw_latents`.
    seed
        Of the latent vectors, which are the same on every device.
    """
    latents = draw_latents(
        count, generator.latent_size, latent, torch.Generator().manual_seed(seed)
    )
    device, training = next(generator.parameters()).device, generator.training
    generator.eval()
    pixels = torch.cat([unscale(generator(z.to(device))).cpu() for z in latents.split(500)])
    generator.train(training)
    return pixels


@dataclass(frozen=True)
class Reference:
    """What the classifier makes of real digits that went the same way as the samples."""

    source: str  # "MNIST" or "embedded digits"
    route: str  # how real and generated images came to 28x28 pixels, in words
    mean: np.ndarray  # (64,) of the features
    covariance: np.ndarray  # (64, 64)
    shares: np.ndarray  # (10,) of the classes
    features: np.ndarray  # (up to AT_MOST, 64), for precision and recall
    rows: Mapping[str, Mapping]  # `measure_with_spread` of other real digits, and of noise
    count: int  # images in each of the rows


def make_reference(source: str, route: str, real: Seen, others: Seen) -> Reference:
    """Make a reference of real digits; other real digits and noise are measured against it."""
    bare = Reference(
        source, route, real.features.mean(0), np.cov(real.features.T),
        class_shares(real.probabilities), real.features[:AT_MOST], rows={}, count=len(others),
    )  # fmt: skip
    rows = {"real digits": others, "noise": look(_noise(len(others)))}
    return dataclasses.replace(
        bare, rows={name: measure_with_spread(seen, bare) for name, seen in rows.items()}
    )


def _noise(count: int) -> Tensor:
    """Return images (count, 1, 28, 28) uint8 of independent gray levels."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, SIDE, SIDE), generator=random).to(torch.uint8)


def store_reference(reference: Reference, facts: Mapping) -> None:
    """Write a reference, and the facts about the classifier, into the package."""
    tensors = {
        "mean": reference.mean, "covariance": reference.covariance, "shares": reference.shares,
        "features": reference.features.astype(np.float16),
    }  # fmt: skip
    save(FOLDER / "mnist.pt", {name: torch.from_numpy(value) for name, value in tensors.items()})
    content = json.dumps({**facts, "rows": reference.rows}, indent=2) + "\n"
    write_file(FOLDER / "facts.json", content.encode())


def stored_facts() -> dict:
    """Return how the classifier was made (accuracy, data, seed), and the reference's rows."""
    return json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))


@functools.cache
def stored_reference() -> Reference:
    """Return the package's reference: MNIST as it is, which is what padding and cropping leave."""
    tensors = {name: value.double().numpy() for name, value in load(FOLDER / "mnist.pt").items()}
    rows = stored_facts()["rows"]  # of MNIST's test digits, and as much noise
    return Reference("MNIST", CROPPED, rows=rows, count=10_000, **tensors)


def reference_for(source: str, image_size: int, fit: str) -> Reference:
    """Return what the samples of a run are to be compared with.

    Padded MNIST needs no data. For the rest the digits themselves are loaded: resized ones go to
    `image_size` and back to 28 pixels, as the samples do.

    Parameters
    ----------
    source
        Where the run's images came from: "MNIST" or "embedded digits".
    image_size, fit
        The run's settings.

    Raises
    ------
    UserError
        If the digits can't be had.
    """
    if source == "MNIST" and fit == "pad":
        return stored_reference()
    base = base_images(SOURCES[source])
    real, others = base.split()
    real = real[LEARNED:]
    if source == "embedded digits":  # too few are held out: half of all against the other half
        chosen = torch.randperm(len(base.pixels), generator=torch.Generator().manual_seed(0))
        real, others = base.pixels[chosen].tensor_split(2)
    route = CROPPED if fit == "pad" else f"resized to {image_size} and back to {SIDE}"
    seen = (look(_same_way(digits, image_size, fit)) for digits in (real, others))
    return make_reference(source, route, *seen)


def _same_way(digits: Tensor, image_size: int, fit: str) -> Tensor:
    """Return digits (N, 1, 28, 28) as they are after the way to `image_size` and back."""
    return to_judged_size(fit_images(digits, image_size, fit), fit)


@dataclass(frozen=True)
class Known:
    """Digits to compare samples with pixel by pixel, all of which went the samples' way."""

    training: Tensor  # (N, 1, 28, 28) uint8: what runs train on
    held_out: Tensor  # (M, 1, 28, 28) uint8: half of the digits that no run trains on
    others: Tensor  # (up to COMPARED, 1, 28, 28) uint8: of the other half


def known_digits(source: str, image_size: int, fit: str) -> Known | None:
    """Return the digits that a run may have memorized; None if MNIST is not on this machine.

    Parameters
    ----------
    source, image_size, fit
        As for `reference_for`.
    """
    if source == "MNIST" and not mnist_is_here():
        return None
    base = base_images(SOURCES[source])
    training, held_out = (_same_way(part, image_size, fit) for part in base.split())
    others = held_out[1::2]
    others = others[:: max(1, len(others) // COMPARED)]  # MNIST's first digits are the neater ones
    return Known(training, held_out[::2], others)


# The verdict


def require_enough(count: int) -> None:
    """Refuse to judge too few samples.

    Raises
    ------
    UserError
        If there are fewer than `FEWEST`.
    """
    if count < FEWEST:
        raise UserError(
            f"count is {count}; allowed: {FEWEST} or more. With fewer samples the distance is "
            f"mostly noise."
        )


def measure(seen: Seen, reference: Reference) -> dict[str, float | list[float]]:
    """Return the figures of a set of images.

    Returns
    -------
    dict
        distance (Frechet), top_probability (mean), sure (share), shares (of the ten classes),
        divergence (Kullback-Leibler of the shares from the data's, in nats), precision and recall.
    """
    from scipy import stats

    features, top = seen.features, seen.probabilities.max(1)
    shares = class_shares(seen.probabilities)
    precision, recall = precision_and_recall(reference.features, features[:AT_MOST])
    gaussian = features.mean(0), np.cov(features.T)
    return {
        "distance": _gaussian_distance(gaussian, (reference.mean, reference.covariance)),
        "top_probability": float(top.mean()),
        "sure": float((top >= SURE).mean()),
        "shares": shares.tolist(),
        "divergence": float(stats.entropy(shares, reference.shares)),
        "precision": precision,
        "recall": recall,
    }


def measure_with_spread(seen: Seen, reference: Reference) -> dict[str, dict]:
    """Return the figures, each with how much it varies with the choice of samples.

    The spread is the standard deviation over random halves of the samples, drawn without
    replacement: for a mean it is the standard error of all N samples' mean.
    """
    random = np.random.default_rng(0)
    halves = [random.permutation(len(seen))[: len(seen) // 2] for _ in range(HALVES)]
    parts = [measure(seen.part(half), reference) for half in halves]
    return {
        name: {"value": value, "spread": np.std([part[name] for part in parts], axis=0).tolist()}
        for name, value in measure(seen, reference).items()
    }


def measure_neighbors(images: Tensor, known: Known) -> dict[str, dict]:
    """Return how near images (N, 1, 28, 28) are to digits of training and to held-out ones.

    A generator that copies what it trained on is nearer to that than real digits are. Blurred
    images are nearer to everything, so both figures are needed.

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


def judge(
    pixels: Tensor, fit: str, reference: Reference, known: Known | None = None
) -> dict[str, dict]:
    """Judge samples.

    A distance falls as the number of images grows. So no more of the samples are judged than there
    are real digits in the next column: of the embedded digits there are 898.

    Parameters
    ----------
    pixels
        (N, 1, S, S) uint8, 1,000 or more.
    fit
        The run's setting: how its images come back to 28 pixels.
    reference
        From `reference_for`, with the run's settings.
    known
        From `known_digits`; without it, nearest neighbors are left out.

    Returns
    -------
    dict
        "samples", "real digits" and "noise": what `measure_with_spread` and `measure_neighbors`
        return of each.

    Raises
    ------
    UserError
        If there are too few samples.
    """
    require_enough(len(pixels))
    images = to_judged_size(pixels[: reference.count], fit)
    verdict = {"samples": measure_with_spread(look(images), reference), **reference.rows}
    if known is None:
        return verdict
    compared = {"samples": images, "real digits": known.others, "noise": _noise(COMPARED)}
    return {name: verdict[name] | measure_neighbors(compared[name], known) for name in verdict}


NAMES = {
    "distance": "Fréchet distance",
    "top_probability": "mean top probability",
    "sure": f"share with a top probability of {SURE} or more",
    "rarest": "share of the rarest class",
    "most frequent": "share of the most frequent class",
    "divergence": "divergence of the classes [nats]",
    "precision": "precision",
    "recall": "recall",
    "to_training": "distance to the nearest training digit",
    "to_held_out": "distance to the nearest held-out digit",
}
PIXEL_BY_PIXEL = (
    "The last two rows compare images pixel by pixel, with gray levels from 0 to 1; no run trains "
    "on a held-out digit."
)
NOT_HERE = "MNIST is not on this machine, so samples could not be compared with training digits."
DECIMALS = {"distance": 1, "to_training": 2, "to_held_out": 2}  # of the others 3


def table(verdict: Mapping[str, Mapping], reference: Reference) -> str:
    """Return a verdict as a Markdown table, with what must be known to read it."""
    columns = {name: _flat(row) for name, row in verdict.items()}
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    measured = {key: name for key, name in NAMES.items() if key in columns["samples"]}
    for key, name in measured.items():
        digits = DECIMALS.get(key, 3)
        cells = (" ± ".join(f"{number:.{digits}f}" for number in row[key])
                 for row in columns.values())  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Real and generated images: {reference.source}, {reference.route}. The features are those "
        f"of a classifier that finds {stored_facts()['accuracy']:.1%} of MNIST's test digits. The "
        f"Fréchet distance can't be compared with a published FID, nor with another classifier's.",
        PIXEL_BY_PIXEL if "to_training" in measured else NOT_HERE,
    ]
    if reference.source == "embedded digits":
        lines.append(
            f"The classifier learned MNIST's digits, not these. One half of the 1,797 is judged "
            f"against the other, and as many samples ({reference.count}): compare the columns, do "
            f"not read one alone."
        )
    return "\n".join(lines) + "\n"


def _flat(row: Mapping) -> dict[str, tuple[float, float]]:
    """Return each figure of a row as (value, spread); of the shares the least and the largest."""
    flat = {name: (figure["value"], figure["spread"]) for name, figure in row.items()}
    shares = list(zip(*flat.pop("shares")))
    return flat | {"rarest": min(shares), "most frequent": max(shares)}


def short(verdict: Mapping[str, Mapping]) -> str:
    """Return a verdict as one line: distance, top probability and the shares of the classes."""
    row, real = _flat(verdict["samples"]), _flat(verdict["real digits"])
    return (
        f"Judged: distance {row['distance'][0]:.1f} (real digits {real['distance'][0]:.1f}; not "
        f"comparable with a published FID), mean "
        f"top probability {row['top_probability'][0]:.2f}, classes from {row['rarest'][0]:.1%} to "
        f"{row['most frequent'][0]:.1%}"
    )
