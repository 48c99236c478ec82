"""Plausible wrong answers to the exercises of notebook 10, and what their hint must contain."""

import torch
from torch.nn.functional import one_hot

from dcgan_utils.exercises import (
    check_best_told,
    check_class_bias,
    check_label_maps,
    check_nearest_error,
)


def maps(of, dtype=torch.float32):
    """Return an answer to 10.1 that spreads what `of` makes of labels and classes."""

    def function(labels, classes, size):
        return of(labels, classes).to(dtype)[:, :, None, None].expand(-1, -1, size, size)

    return function


def bias(of):
    """Return an answer to 10.2 that takes the row of each label from `of(weight)`, (C, width)."""
    return lambda weight, labels: of(weight)[labels]


def nearest(distance, wrong=lambda answers, truth: answers != truth):
    """Return an answer to 10.4 with chosen faults."""

    def function(images, truth, known, labels):
        answers = labels[distance(images, known).argmin(1)]
        return wrong(answers, truth).double().mean().item()

    return function


def changing(images, truth, known, labels):
    error = nearest(torch.cdist)(images, truth, known, labels)
    images -= 1
    return error


WRONG = [
    (check_label_maps, maps(one_hot, torch.int64), "Expected float32"),
    (check_label_maps, maps(lambda y, n: 1 - one_hot(y, n)), "exchanged"),
    (check_label_maps, maps(lambda y, n: 2 * one_hot(y, n) - 1), "not -1"),
    (check_label_maps, maps(lambda y, n: y[:, None].expand(-1, n)), "says nothing"),
    (check_label_maps, maps(lambda y, n: y[:, None]), "One map for each class"),
    (check_label_maps, maps(lambda y, n: one_hot(n - 1 - y, n)), "Which map"),
    (check_label_maps, maps(lambda y, n: one_hot(y, 10)), "Expected shape"),
    (check_class_bias, bias(lambda w: w.sum((2, 3)).T), "image's own"),
    (check_class_bias, bias(lambda w: w[:, 1:].mean((2, 3)).T), "adds up"),
    (check_class_bias, bias(lambda w: w[:, 1:, 1:, 1:].sum((2, 3)).T), "corner"),
    (check_class_bias, bias(lambda w: w[:, 1:, 0, 0].T), "Which kernels"),
    (check_class_bias, lambda w, y: w[:, 1:].sum((1, 2, 3)).expand(len(y), -1), "at once"),
    (check_class_bias, lambda w, y: w.sum((1, 2, 3)).expand(len(y), -1), "all zeros"),
    (check_class_bias, lambda w, y: w[:, 1:].sum((2, 3))[:, y], "row for each label"),
    (check_best_told, lambda p, q: p / (p + q), "two tensors|Expected two"),
    (check_best_told, lambda p, q: (p / (p + q), (p / (p + q)).mean(1)), "mean of answers"),
    (check_best_told, lambda p, q: (p / (p + q), (p / (p + q)).sum(1)), "do not add up"),
    (check_best_told, lambda p, q: (q / (p + q), q.sum(1) / (p + q).sum(1)), "share of generated"),
    (check_best_told, lambda p, q: (p / (p + q), p.sum(0) / (p + q).sum(0)), "whatever|for each"),
    (check_best_told, lambda p, q: (p / q, p.sum(1) / q.sum(1)), "compares p with q|share"),
    (check_nearest_error, nearest(lambda a, b: -torch.cdist(a, b)), "farthest"),
    (check_nearest_error, nearest(lambda a, b: -a @ b.T), "bright"),
    (check_nearest_error, nearest(lambda a, b: torch.cdist(a, b, 1)), "absolute|Whose"),
    (check_nearest_error, nearest(torch.cdist, lambda a, b: a == b), "is right"),
    (check_nearest_error, changing, "changed"),
]

SECRETS = ["expand(-1", "sum((2, 3))", "p / (p + q)", "cdist"]
