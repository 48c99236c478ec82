"""Plausible wrong answers to the exercises of notebook 12, and what their hint must contain."""

import torch

from dcgan_utils.exercises import check_mean_of_shares, check_shares, check_statistics


def rest_to_the_last(batch, count):
    return [batch // count] * (count - 1) + [batch - batch // count * (count - 1)]


def changed(means, sizes):
    for mean, size in zip(means, sizes):
        mean *= size / sum(sizes)
    return sum(means)


def statistics(means, variances, counts, weigh=True, between=True, unbiased=False):
    """Return mean and variance with chosen faults."""
    weights = counts / counts.sum() if weigh else torch.full_like(counts, 1 / len(counts))
    mean = (weights * means).sum()
    variance = (weights * (variances + between * (means - mean) ** 2)).sum()
    n = counts.sum()
    return mean, variance * n / (n - 1) if unbiased else variance


def weighed_in_part(means, variances, counts):
    mean, _ = statistics(means, variances, counts)
    weights = counts / counts.sum()
    return mean, variances.mean() + (weights * (means - mean) ** 2).sum()


WRONG = [
    (check_shares, lambda batch, count: [batch // count] * count, "add up to 33"),
    (check_shares, lambda batch, count: [batch / count] * count, "whole numbers"),
    (check_shares, rest_to_the_last, "differ by more than 1"),
    (check_shares, lambda batch, count: [batch], "Expected 2 shares"),
    (check_mean_of_shares, lambda means, sizes: torch.stack(means).mean(0), "count alike"),
    (check_mean_of_shares, lambda means, sizes: sum(means), "sum of means"),
    (
        check_mean_of_shares,
        lambda means, sizes: sum(m * s for m, s in zip(means, sizes)),
        "Divide by the number",
    ),
    (check_mean_of_shares, changed, "changed the gradients"),
    (
        check_statistics,
        lambda *given: statistics(*given, between=False),
        "that is variance too",
    ),
    (check_statistics, lambda *given: statistics(*given, weigh=False), "Larger shares count"),
    (check_statistics, lambda *given: statistics(*given, unbiased=True), "not by one less"),
    (check_statistics, weighed_in_part, "also in the mean of the variances"),
]
SECRETS = ["* count", "// count", "(means - mean)", "zip(", "sum(sizes)", "* size"]
