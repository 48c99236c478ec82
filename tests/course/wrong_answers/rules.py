"""Plausible wrong answers to the exercises of notebook 07, and what their hint must contain."""

import copy
import itertools
import random

import numpy as np
import torch
from scipy import stats
from torch import nn

from dcgan_utils.exercises import check_instance_norm, check_luck, check_permutation
from dcgan_utils.networks import Discriminator


def surgery(put, kind=nn.BatchNorm2d, limit=10):
    """Return a surgery that puts `put(norm)`, a list, in place of each batch norm."""

    def function(layers):
        changed, replaced = [], 0
        for layer in layers:
            chosen = isinstance(layer, kind) and replaced < limit
            replaced += chosen
            changed += put(layer) if chosen else [layer]
        return nn.Sequential(*changed)

    return function


def instance_norm(norm, gamma=None, beta=None, maps=None, **settings):
    """Return an instance norm with chosen faults, in a list."""
    new = nn.InstanceNorm2d(maps or norm.num_features, **({"affine": True} | settings))
    if new.affine and not maps:
        with torch.no_grad():
            new.weight.copy_(norm.weight if gamma is None else gamma)
            new.bias.copy_(norm.bias if beta is None else beta)
    return [new]


def in_place(layers):
    for i, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            layers[i] = instance_norm(layer)[0]
    return layers


def moving_gamma(layers):
    new = surgery(instance_norm)(layers)
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    return new


def rebuilt(layers):
    size, first = 2 ** (2 + sum(isinstance(m, nn.BatchNorm2d) for m in layers) + 1), layers[0]
    new = Discriminator(size, first.in_channels, first.out_channels).main
    return surgery(instance_norm)(new)


def at_fixed_places(layers):
    new = copy.deepcopy(layers)
    for i in (3, 6):
        new[i] = instance_norm(layers[i])[0]
    return new


def permutation(ours, theirs, keep=np.abs, over=np.mean, least=0.0, n=None, without=0, plus=0):
    """Return a permutation test with chosen faults."""
    pooled, n = np.array([*ours, *theirs]), n or len(ours)
    deals = list(itertools.combinations(range(len(pooled)), n))
    shifts = [over(pooled[list(d)]) - over(np.delete(pooled, d)) for d in deals]
    observed = keep(over(ours) - over(theirs))
    far = sum(keep(shift) >= observed - 1e-9 + least for shift in shifts)
    return (far - without + plus) / (len(deals) + plus)


def at_random(ours, theirs):
    drawn, pooled, far = random.Random(3), [*ours, *theirs], 0
    observed = abs(np.mean(ours) - np.mean(theirs))
    for _ in range(5000):
        drawn.shuffle(pooled)
        a, b = pooled[: len(ours)], pooled[len(ours) :]
        far += abs(np.mean(a) - np.mean(b)) >= observed - 1e-9
    return far / 5000


def divided_by_ours(ours, theirs):
    return permutation(ours, theirs, over=lambda values: np.sum(values) / len(ours))


def tail_doubled(ours, theirs):
    sides = [permutation(ours, theirs, keep=lambda shift, s=s: s * shift) for s in (1, -1)]
    return min(1, 2 * min(sides))


def pooling_in_place(ours, theirs):
    right = permutation(ours, theirs)
    ours += theirs
    return right


WRONG = [
    (check_luck, lambda: [1 / 2, 16, 1], "one seed each"),
    (check_luck, lambda: [1 / 6, 32 / 6, 1], "one run that you name"),
    (check_luck, lambda: [0.11, 32 / 9, 1], "not nine cases"),
    (check_luck, lambda: [0.1, 3.2, 0.97], "either direction"),
    (check_luck, lambda: [0.5**9, 0.06, 0.06], "not independent"),
    (check_luck, lambda: [1 / 30, 1, 0.7], "counts the orders"),
    (check_luck, lambda: [5, 1.6, 0.806], "never below 0 or above 1"),
    (check_luck, lambda: [1 / 20, 2, 0.806], "need not be whole"),
    (check_luck, lambda: [1 / 20, 0.05, 0.806], "add to the mean"),
    (check_luck, lambda: [1 / 20, 1.6, 1.6], "never below 0 or above 1"),
    (check_luck, lambda: [1 / 20, 1.6, (19 / 20) ** 32], "none of them"),
    (check_luck, lambda: [1 / 20, 1.6, 0.326], "exactly one"),
    (check_luck, lambda: [1 / 20, 1.6, 0.396], "asks for less"),
    (check_luck, lambda: [1 / 20, 1.6, 1], "that one change is not so"),
    (check_luck, lambda: [1 / 20, 1.6], "three numbers, got 2"),
    (check_instance_norm, lambda layers: list(layers), "nn.Sequential"),
    (check_instance_norm, in_place, "changed the network"),
    (check_instance_norm, moving_gamma, "changed the network"),
    (check_instance_norm, lambda layers: layers, "whole batch"),
    (check_instance_norm, surgery(instance_norm, limit=1), "whole batch"),
    (check_instance_norm, at_fixed_places, "stopped with IndexError"),
    (check_instance_norm, rebuilt, "other weights"),
    (check_instance_norm, surgery(lambda norm: []), "Expected 9 layers .* got 7"),
    (check_instance_norm, surgery(lambda norm: [*instance_norm(norm), norm]), "got 11"),
    (check_instance_norm, surgery(lambda m: [nn.ReLU()], nn.LeakyReLU), "Only batch norms"),
    (
        check_instance_norm,
        surgery(lambda norm: [nn.GroupNorm(1, norm.num_features)]),
        "expected an InstanceNorm2d .* got a GroupNorm",
    ),
    (check_instance_norm, surgery(lambda n: instance_norm(n, affine=False)), "only if asked"),
    (
        check_instance_norm,
        surgery(lambda norm: [nn.InstanceNorm2d(norm.num_features, True)]),
        "only if asked",
    ),
    (check_instance_norm, surgery(lambda n: instance_norm(n, eps=0.8)), "adds 0.8 to each"),
    (
        check_instance_norm,
        surgery(lambda norm: instance_norm(norm, track_running_stats=True)),
        "running statistics",
    ),
    (check_instance_norm, surgery(lambda n: instance_norm(n, n.weight * 0 + 1)), "γ .* new layer"),
    (check_instance_norm, surgery(lambda n: instance_norm(n, None, n.bias * 0)), "β .* new layer"),
    (
        check_instance_norm,
        surgery(lambda n: instance_norm(n, n.bias, n.weight)),
        "γ .* other of the two",
    ),
    (check_instance_norm, surgery(lambda n: instance_norm(n, maps=4)), "is for 4 maps"),
    (check_permutation, lambda *x: permutation(*x, keep=lambda d: d), "one direction"),
    (check_permutation, lambda *x: permutation(*x, keep=lambda d: -d), "one direction"),
    (check_permutation, lambda *x: permutation(*x, without=1), "deal that happened"),
    (check_permutation, lambda *x: permutation(*x, plus=1), "Adding 1"),
    (check_permutation, lambda *x: permutation(*x, least=2e-9), "exactly as far apart"),
    (check_permutation, lambda *x: permutation(*x, least=1e-9), "rounding"),
    (check_permutation, lambda *x: 1 - permutation(*x), "less far apart"),
    (check_permutation, lambda *x: permutation(*x, over=np.median), "of the means"),
    (check_permutation, lambda *x: permutation(*x, over=np.sum), "differ in size"),
    (check_permutation, divided_by_ours, "differ in size"),
    (check_permutation, lambda a, b: permutation(a, b, n=(len(a) + len(b)) // 2), "differ in size"),
    (check_permutation, tail_doubled, "tail, doubled"),
    (check_permutation, at_random, "at random"),
    (check_permutation, lambda *x: stats.ttest_ind(*x).pvalue, "another test"),
    (check_permutation, lambda *x: np.mean(np.subtract.outer(*x) > 0), "do not compare pairs"),
    (check_permutation, lambda *x: 0.04, "How many deals"),
    (check_permutation, pooling_in_place, "changed the lists"),
]

# What a hint must not give away.
SECRETS = ["0.806", "1 - 0.95", "comb(", "affine", "copy_", "num_features", "combinations", "1e-9"]
