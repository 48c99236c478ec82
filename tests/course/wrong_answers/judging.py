"""Plausible wrong answers to the exercises of notebook 06, and what their hint must contain."""

import itertools
import math

import numpy as np
import torch

from dcgan_utils.exercises import (
    check_cheat,
    check_comparison,
    check_divergence,
    check_frechet_predictions,
    check_nearest_moved,
)
from dcgan_utils.judging import frechet_distance


def divergence(p, q, log=np.log, keep=lambda p: p > 0):
    """Return a divergence with chosen faults; it never becomes infinite."""
    with np.errstate(all="ignore"):
        return float(np.sum((p * log(p / q))[keep(p)]))


def nearest(images, known, down=range(-2, 3), across=range(-2, 3), gray=255, power=1, last=False):
    """Return nearest distances with chosen faults."""
    flat = known.flatten(1).float() / gray
    best = torch.full((len(images),), torch.inf)
    for move in itertools.product(down, across):
        moved = torch.roll(images, move, dims=(2, 3)).flatten(1).float() / gray
        found = torch.cdist(moved, flat).min(1).values
        best = found if last else torch.minimum(best, found)
    return best**power


def compare(ours, theirs, data, over=np.mean, n=None, same=True, theirs_data=slice(None)):
    """Return a comparison with chosen faults."""
    least = min(len(run) for run in [*ours, *theirs])

    def judged(recipe, part):
        mine = least if same else n or min(len(run) for run in recipe)
        return over([frechet_distance(run[:mine], data[part]) for run in recipe])

    return judged(ours, slice(None)), judged(theirs, theirs_data)


def as_published(ours, theirs, data):
    half = len(data) // 2
    first = [frechet_distance(run, data) for run in ours]
    second = [frechet_distance(run[:100], data[:half]) for run in theirs[:1]]
    return min(first), np.mean(second)


def changing_nearest(images, known):
    result = nearest(images, known)
    images.zero_()
    return result


def noisy(copies, classifier, random):
    """Return copies with noise, whose features nobody has brought back."""
    noise = 140 * torch.randn(copies.shape, generator=random)
    return (copies.float() + noise).clamp(0, 255).to(torch.uint8)


WRONG = [
    (check_cheat, lambda c, k, r: c.clone(), "0.00 from what they copy"),
    (check_cheat, lambda c, k, r: torch.roll(c, 1, 3), "average|to the copies"),
    (check_cheat, noisy, "directions"),
    (check_cheat, lambda c, k, r: c.float(), "dtype"),
    (check_cheat, lambda c, k, r: c[:10], "shape"),
    (check_cheat, lambda c, k, r: c.fill_(0), "changed"),
    (check_frechet_predictions, lambda: [3, 4, 7, 16, 25], "square"),
    (check_frechet_predictions, lambda: [9, 64, 7, 16, 25], "standard deviations or variances"),
    (check_frechet_predictions, lambda: [9, 4, 5, 16, 25], "two parts"),
    (check_frechet_predictions, lambda: [9, 4, 23, 16, 25], "standard deviations or variances"),
    (check_frechet_predictions, lambda: [9, 4, 7, 0.25, 25], "How many features"),
    (check_frechet_predictions, lambda: [9, 4, 7, 16, 0], "two parts"),
    (check_frechet_predictions, lambda: [9, 4, 7, 16, 625], "standard deviations or variances"),
    (check_frechet_predictions, lambda: [9, 4, 7, 16, 77], "feature by feature"),
    (check_frechet_predictions, lambda: [9, 4, 7, 16], "five numbers, got 4"),
    (check_divergence, lambda p, q: divergence(q, p), "other direction"),
    (check_divergence, lambda p, q: divergence(p, q, np.log2), "nats"),
    (check_divergence, lambda p, q: -divergence(p, q), "sign"),
    (check_divergence, lambda p, q: float(np.log(p / q).sum()), "counts with its share"),
    (check_divergence, lambda p, q: divergence(p, q) / len(p), "sum over the classes"),
    (check_divergence, lambda p, q: divergence(p, q, keep=lambda p: p > -1), "never show"),
    (check_divergence, lambda p, q: divergence(p + 1e-3, q + 1e-3), "formula of section 5"),
    (check_divergence, lambda p, q: divergence(p, q + 1e-9), "infinity"),
    (check_divergence, lambda p, q: math.inf if (p * q == 0).any() else divergence(p, q), "never"),
    (check_divergence, lambda p, q: p * np.log(p / q), "a number"),
    (check_nearest_moved, lambda x, k: nearest(x, k, down=[0]), "left and right alone"),
    (check_nearest_moved, lambda x, k: nearest(x, k, across=[0]), "up and down alone"),
    (check_nearest_moved, lambda x, k: nearest(x, k, range(-2, 2), range(-2, 2)), "range end"),
    (check_nearest_moved, lambda x, k: nearest(x, k, range(3), range(3)), "negative"),
    (check_nearest_moved, lambda x, k: nearest(x, k, [0], [0]), "Are the moves tried"),
    (check_nearest_moved, lambda x, k: nearest(x, k, range(-4, 5), range(-4, 5)), "more than two"),
    (check_nearest_moved, lambda x, k: nearest(x, k, gray=1), "0 to 1"),
    (check_nearest_moved, lambda x, k: nearest(x, k, power=2), "squared"),
    (check_nearest_moved, lambda x, k: nearest(x, k, last=True), "section 8"),
    (check_nearest_moved, lambda x, k: nearest(k, x), "each of 7 images"),
    (check_nearest_moved, changing_nearest, "changed"),
    (check_comparison, as_published, "seeds"),
    (check_comparison, lambda *x: compare(*x, over=min), "seeds"),
    (check_comparison, lambda *x: compare(*x, over=lambda d: d[0]), "seeds"),
    (check_comparison, lambda *x: compare(*x, over=np.median), "seeds"),
    (check_comparison, lambda *x: compare(*x, same=False), "same number of samples"),
    (check_comparison, lambda *x: compare(*x, same=False, n=400), "same number of samples"),
    (check_comparison, lambda *x: compare(*x, theirs_data=slice(200)), "same real digits"),
    (check_comparison, lambda *x: compare(*x)[::-1], "word by word"),
    (check_comparison, lambda *x: compare(*x)[:1], "two numbers"),
]

# What a hint must not give away.
SECRETS = [
    "(1 - 3)",
    "64 * 0.5",
    "p > 0",
    "p[drawn]",
    "range(-2, 3)",
    "torch.minimum",
    "[:n]",
    "randn",
    "autograd",
]
