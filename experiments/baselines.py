"""What D's features are held against in notebook 11: other features, and a network that is taught.

None but the last sees a label. Each takes digits (N, 1, 28, 28) uint8.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .inside import GRID, images_for, untrained

Extract = Callable[[Tensor], Tensor]  # pixels (N, 1, 28, 28) uint8 to features (N, d)

COMPONENTS = 100  # principal components of the pixels that are kept
CENTERS, PATCH, PATCHES = 224, 6, 50_000  # of k-means: as many features as D's three layers have
BATCH = 32  # of the network that is taught


def raw_pixels(pixels: Tensor) -> Tensor:
    """Return gray levels (N, 784), from 0 to 1."""
    return pixels.flatten(1).float() / 255


def principal_components(known: Tensor) -> Extract:
    """Return the projection of pixels on the first principal components of known digits."""
    points = raw_pixels(known)
    mean = points.mean(0)
    _, directions = torch.linalg.eigh(torch.cov((points - mean).T))  # ascending
    kept = directions[:, -COMPONENTS:]  # (784, COMPONENTS)
    return lambda pixels: (raw_pixels(pixels) - mean) @ kept


def patches_of(pixels: Tensor) -> Tensor:
    """Return all patches of digits at 32x32, each with mean 0: (N, 27 * 27, 36)."""
    patches = F.unfold(images_for(pixels), PATCH).transpose(1, 2)
    return patches - patches.mean(2, keepdim=True)


def k_means(known: Tensor, random: torch.Generator) -> Extract:
    """Return features by k-means of whitened patches, which no gradient has touched.

    A feature says how much nearer than usual a patch is to a center; then the largest in each of
    4x4 parts of the image counts, as for D's maps.

    References
    ----------
    Coates, Lee, Ng (2011), An analysis of single-layer networks in unsupervised feature learning,
    whose features pool by sums. The paper compares with such features in its table 1.
    """
    from sklearn.cluster import MiniBatchKMeans

    few = patches_of(known[torch.randperm(len(known), generator=random)[:1000]]).flatten(0, 1)
    few = few[few.std(1) > 0.1]  # most patches of a digit are plain black
    few = few[torch.randperm(len(few), generator=random)[:PATCHES]]
    values, directions = torch.linalg.eigh(few.T @ few / len(few))
    whiten = directions / (values.clamp(min=0) + 0.1).sqrt()  # (36, 36)
    seed = int(torch.randint(2**31, (1,), generator=random))
    found = MiniBatchKMeans(CENTERS, n_init=3, random_state=seed).fit((few @ whiten).numpy())
    centers = torch.from_numpy(found.cluster_centers_).float()

    def extract(pixels: Tensor) -> Tensor:
        parts = []
        for part in pixels.split(100):
            away = torch.cdist(patches_of(part) @ whiten, centers)  # (B, 729, CENTERS)
            nearer = (away.mean(2, keepdim=True) - away).clamp(min=0)
            maps = nearer.transpose(1, 2).unflatten(2, (27, 27))
            parts.append(F.adaptive_max_pool2d(maps, GRID).flatten(1))
        return torch.cat(parts)

    return extract


def taught(pixels: Tensor, labels: Tensor, seed: int, steps: int, rate: float) -> nn.Module:
    """Return D's architecture with ten outputs in place of one, taught with labels (N,)."""
    network = untrained(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.main[-1] = nn.Conv2d(128, 10, 4)
    model = nn.Sequential(network.main, nn.Flatten())  # (B, 10)
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    images, size = images_for(pixels), min(BATCH, len(pixels))
    model.train()
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(images), generator=random)
        chosen, order = order[:size], order[size:]
        loss = F.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def share_wrong(network: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    """Return how often a network's largest logit is not the label's (N,)."""
    answers = [network(images_for(part)).argmax(1) for part in pixels.split(500)]
    return float(np.mean((torch.cat(answers) != labels).numpy()))
