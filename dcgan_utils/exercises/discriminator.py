"""Checkers of notebook 11, inside the discriminator."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from dcgan_utils import exercises as ex


@ex.exercise("11.1")
def check_receptive_field(function: ex.Function) -> None:
    """Check exercise 11.1: which pixels of a line one output of stacked convolutions sees."""
    strided = (4, 2, 1)
    for layers, place in (
        ([(3, 1, 0)], 5),
        ([strided], 3),
        ([(3, 1, 0), (5, 1, 0)], 2),
        ([strided, strided], 0),
        ([strided, strided, strided], 2),
        ([(5, 3, 2), (3, 1, 1), (2, 2, 0)], 4),
    ):
        got = ex.require_numbers(function(layers, place), 2)
        first, last = right = _span(layers, place)
        mistakes = {
            "one_beyond": (first, last + 1),
            "no_padding": _span([(kernel, stride, 0) for kernel, stride, _ in layers], place),
            "cut_off": (max(0, first), last),
            "other_order": _span(layers[::-1], place),
        }
        case = ex.text("layers", layers=layers, place=place)
        ex.require_close(torch.tensor(got), torch.tensor(right), case, mistakes, "draw")


def _span(layers: Sequence[tuple[int, int, int]], place: int) -> tuple[int, int]:
    """Return the first and the last pixel that an output sees: back through the layers."""
    first = last = place
    for kernel, stride, padding in reversed(layers):
        first, last = first * stride - padding, last * stride - padding + kernel - 1
    return first, last


@ex.exercise("11.2")
def check_ways_back(function: ex.Function) -> None:
    """Check exercise 11.2: the gradient behind a LeakyReLU: plain, deconvolution, guided."""
    random = torch.Generator().manual_seed(0)
    for shape, leak in (((2, 3), 0.2), ((2, 3, 4, 4), 0.1), ((50,), 0.0)):
        values, gradient = (torch.randn(shape, generator=random) for _ in range(2))
        got = ex.require_parts(function(values, gradient, leak), 3)
        plain = torch.where(values > 0, gradient, leak * gradient)
        deconvolution = gradient.clamp(min=0)
        guided = deconvolution * (values > 0)
        masked, leaky = gradient * (values > 0), F.leaky_relu(gradient, leak)
        rows = (
            ("plain", plain, {"no_leak": masked, "whose_sign": leaky}),
            ("deconvolution", deconvolution, {"own_sign": masked, "leaks": leaky}),
            ("guided", guided, {"one_condition": masked, "guided_leaks": plain.clamp(min=0)}),
        )
        for part, (name, right, mistakes) in zip(got, rows):
            case = ex.text("for_gradient", name=name, leak=leak)
            ex.require_close(part, right, case, mistakes, "which_sign")


@ex.exercise("11.3")
def check_order(function: ex.Function) -> None:
    """Check exercise 11.3: how often an image of one kind gets a higher logit than another's."""
    for ours, theirs in (
        ([1.0], [0.0]),
        ([0.0, 1.0], [2.0, 3.0, 4.0]),
        ([3.0, 1.0, 4.0], [2.0, 1.5]),
        ([1.0, 2.0], [1.0, 2.0]),
        ([-9.0, -7.0, -7.0], [-8.0, -7.0, -10.0, -6.5]),
    ):
        got, pairs = function(ours, theirs), np.subtract.outer(ours, theirs)
        right = (pairs > 0).mean() + (pairs == 0).mean() / 2
        mistakes = {
            "other_way": 1 - right,
            "ties": (pairs > 0).mean(),
            "counted": (pairs > 0).sum(),
            "means": float(np.mean(ours) > np.mean(theirs)),
            "neighbors": np.mean([a > b for a, b in zip(ours, theirs)]),
        }
        case = ex.text("logits", ours=ours, theirs=theirs)
        ex.require_close(got, right, case, mistakes, "all_pairs")


@ex.exercise("11.4")
def check_keep(function: ex.Function) -> None:
    """Check exercise 11.4: the probabilities of keeping samples, if D were the best."""
    for logits in ([-0.47, 0.9163], [0.5], [3.0, -1.0, 0.5, 2.0], [1000.0, 999.0, 998.5]):
        given = torch.tensor(logits)
        odds = (given - given.max()).exp()  # no power of e is too large
        mistakes = {
            "probability": given.sigmoid(),
            "probability_scaled": given.sigmoid() / given.sigmoid().max(),
            "unscaled": given.exp(),
            "sum_is_one": given.softmax(0),
            "other_way": (given.min() - given).exp(),
        }
        case = ex.text("for_logits", logits=logits)
        ex.require_close(function(given), odds, case, mistakes, "in_proportion")
