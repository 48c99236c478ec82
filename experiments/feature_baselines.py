"""What D's features are compared with: other features, and a supervised network; and how.

All take digits (N, 1, 28, 28) uint8. A linear classifier tells what features are worth.
"""

import itertools
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from .classify_from_samples import batches, train
from .discriminator_features import GRID, images_for, logits_for, untrained

Extract = Callable[[Tensor], Tensor]  # digits to features (N, d)
Task = tuple[Tensor, Tensor, Tensor, Tensor]  # features or digits, their labels; others, theirs

COMPONENTS = 100  # principal components of the pixels that are kept
CENTERS, PATCH, PATCHES = 224, 6, 50_000  # of k-means: as many features as D's three layers have
SCALINGS = ("each", "together")  # how features are scaled: see `to_unit_scale`
STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C: the smaller, the more regularized
FOLDED = 100  # labels up to which each fifth takes its turn
BATCH = 32  # of the supervised network


def raw_pixels(digits: Tensor) -> Tensor:
    """Return gray levels (N, 784), from 0 to 1."""
    return digits.flatten(1).float() / 255


def principal_components(known: Tensor) -> Extract:
    """Return the projection of pixels on the first principal components of known digits."""
    points = raw_pixels(known)
    mean = points.mean(0)
    _, directions = torch.linalg.eigh(torch.cov((points - mean).T))  # ascending
    kept = directions[:, -COMPONENTS:]  # (784, COMPONENTS)
    return lambda digits: (raw_pixels(digits) - mean) @ kept


def patches_of(digits: Tensor) -> Tensor:
    """Return all patches of digits at 32x32, each with mean 0: (N, 27 * 27, 36)."""
    patches = F.unfold(images_for(digits), PATCH).transpose(1, 2)
    return patches - patches.mean(2, keepdim=True)


def k_means(known: Tensor, random: torch.Generator) -> Extract:
    """Return how much nearer than usual whitened patches are to centers, max-pooled as D's maps.

    Coates, Lee, Ng (2011), An analysis of single-layer networks in unsupervised feature learning,
    which pools by sums.
    """
    few = patches_of(known[torch.randperm(len(known), generator=random)[:1000]]).flatten(0, 1)
    few = few[few.std(1) > 0.1]  # most patches of a digit are plain black
    few = few[torch.randperm(len(few), generator=random)[:PATCHES]]
    values, directions = torch.linalg.eigh(few.T @ few / len(few))
    whiten = directions / (values.clamp(min=0) + 0.1).sqrt()  # (36, 36)
    seed = int(torch.randint(2**31, (1,), generator=random))
    found = MiniBatchKMeans(CENTERS, n_init=3, random_state=seed).fit((few @ whiten).numpy())
    centers = torch.from_numpy(found.cluster_centers_).float()

    def pooled(digits: Tensor) -> Tensor:
        away = torch.cdist(patches_of(digits) @ whiten, centers)  # (B, 729, CENTERS)
        nearer = (away.mean(2, keepdim=True) - away).clamp(min=0)
        maps = nearer.transpose(1, 2).unflatten(2, (27, 27))
        return F.adaptive_max_pool2d(maps, GRID).flatten(1)

    return lambda digits: torch.cat([pooled(part) for part in digits.split(100)])


def to_unit_scale(scaling: str, known: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """Return features (N, d) and (M, d) less the mean of the known ones, by their deviation.

    "each" divides each feature by its own, to which a hundredth of the largest is added, so that
    one that hardly varies is not blown up; "together" divides all by one number.
    """
    mean, deviation = known.mean(0), known.std(0)
    if scaling == "each":
        deviation = deviation + 0.01 * deviation.max()
    else:
        deviation = deviation.square().mean().sqrt()
    return (known - mean) / deviation, (new - mean) / deviation


def linear_error(task: Task, scaling: str, strength: float) -> float:
    """Return how often logistic regression, fitted to known features, is wrong about others."""
    known, labels, new, truth = task
    known, new = to_unit_scale(scaling, known, new)
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    with warnings.catch_warnings(action="ignore"):  # a fit that is not quite done counts as it is
        model.fit(known.numpy(), labels.numpy())
    return float((model.predict(new.numpy()) != truth.numpy()).mean())


def choose(features: Tensor, labels: Tensor) -> tuple[str, float]:
    """Return the scaling and the C with the least error on every fifth label.

    With few labels each fifth takes its turn, as twenty digits say little.
    """
    tasks = []
    for turn in range(5 if len(labels) <= FOLDED else 1):
        tried = torch.arange(len(labels)) % 5 == turn
        tasks.append((features[~tried], labels[~tried], features[tried], labels[tried]))
    choices = itertools.product(SCALINGS, STRENGTHS)  # the first wins, if several are equal
    return min(choices, key=lambda choice: sum(linear_error(task, *choice) for task in tasks))


def supervised_error(task: Task, seed: int, steps: int, rate: float) -> float:
    """Return how often D with ten outputs, trained with labels, is wrong about other digits."""
    known, labels, new, truth = task
    network, random = untrained(seed), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.main[-1] = nn.Conv2d(128, 10, 4)
    model, images = nn.Sequential(network.main, nn.Flatten()), images_for(known)
    chosen = batches(len(images), BATCH, random)
    train(model, ((images[k], labels[k]) for k in chosen), steps, rate)
    return (logits_for(model, images_for(new)).argmax(1) != truth).double().mean().item()
