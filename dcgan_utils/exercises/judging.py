"""Checkers of notebook 06, judging the samples."""

import copy
import itertools
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from dcgan_utils import exercises as ex

from ..data import load_source
from ..judging import classify, frechet_distance, load_classifier


@ex.exercise("6.1")
def check_distances(function: ex.Function) -> None:
    """Check exercise 6.1: five Frechet distances and a KID, worked out by hand."""
    rows = [
        (9, "by_feature", {"squared": 3}),
        (4, "by_feature", {"spread": 64, "squared": 2, "both_parts": 0}),
        (7, "by_feature", {"spread": 23, "both_parts": 5}),
        (16, "by_feature", {"how_many": 0.25, "squared": 4}),
        (25, "by_feature", {"both_parts": 0, "spread": 625, "squared": 5}),
        (3, "moments", {"not_frechet": 1}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("6.2")
def check_nearest_moved(function: ex.Function) -> None:
    """Check exercise 6.2: the nearest distance that forgives moves of up to two pixels."""
    random = torch.Generator().manual_seed(0)
    known = torch.zeros(3, 1, 9, 9, dtype=torch.uint8)
    known[..., 2:7, 2:7] = torch.randint(0, 256, (3, 1, 5, 5), generator=random)
    moves = [(0, 0), (2, -2), (-2, 2), (1, 0), (0, -1), (-2, -1), (0, 4)]  # the last is too far
    images = torch.stack([torch.roll(known[i % 3], move, (1, 2)) for i, move in enumerate(moves)])
    images[:, 0, 4, 4] ^= 64  # and one pixel is changed
    two, stay = range(-2, 3), range(1)
    right = _nearest_moved(images, known, two, two)
    mistakes = {
        "one_axis": _nearest_moved(images, known, stay, two),
        "range_end": _nearest_moved(images, known, range(-2, 2), range(-2, 2)),
        "one_direction": _nearest_moved(images, known, range(3), range(3)),
        "squared": right**2,
        "gray_levels": right * 255,
    }
    got = function(images, known)
    ex.require_close(got, right, "", mistakes, "add_the_moves", tolerance=2e-3)


def _nearest_moved(
    images: Tensor, known: Tensor, down: Iterable[int], across: Iterable[int]
) -> Tensor:
    """Return the distances (N,) of images to the nearest known one, over all moves."""
    moves = itertools.product(down, across)
    moved = torch.stack([torch.roll(images, move, (2, 3)) for move in moves])  # (moves, N, 1, S, S)
    apart = (moved[:, :, None].double() - known.double()) / 255  # (moves, N, M, 1, S, S)
    return apart.flatten(3).norm(dim=3).amin((0, 2))


@ex.exercise("6.3")
def check_comparison(function: ex.Function) -> None:
    """Check exercise 6.3: the mended comparison of two recipes, one more fault at a time."""
    random = np.random.default_rng(0)
    data = random.standard_normal((400, 4)) * np.linspace(1, 2, 400)[:, None]
    for hint, *counts in (
        ("reference", [60], [60]),
        ("seeds", [60, 60, 60], [60, 60, 60, 60]),
        ("samples", [90, 300, 150], [200, 60, 140, 250]),
    ):
        recipes = [
            [random.standard_normal((n, 4)) + 0.1 * which + seed for seed, n in enumerate(runs)]
            for which, runs in enumerate(counts)
        ]
        got = ex.require_numbers(function(*recipes, data), 2)
        for name, mine, runs in zip(("ours", "theirs"), got, recipes):
            right = np.mean([frechet_distance(run[:60], data) for run in runs])
            ex.require_close(mine, right, ex.text(name), otherwise=hint)


APART, ALIKE, CHEATED = 4.5, 1.0, 50  # pixel distance at least, Frechet distance at most, images


@ex.exercise("6.4")
def check_cheat(function: ex.Function) -> None:
    """Check exercise 6.4: images far from what they copy, which the classifier takes for them."""
    copies = load_source("embedded").pixels[:: 5000 // CHEATED]
    got = function(copies, copy.deepcopy(load_classifier()), torch.Generator().manual_seed(0))
    got = ex.require_tensor(got, copies.shape, dtype=torch.uint8)
    apart = float((got.float() - copies.float()).div(255).flatten(1).norm(dim=1).mean())
    if apart < APART:
        raise ex.Wrong("too_near", apart=apart, least=APART)
    distance = frechet_distance(classify(got).features, classify(copies).features)
    if distance > ALIKE:
        raise ex.Wrong("found_out", distance=distance, most=ALIKE)
