"""Checkers of notebook 11, inside the discriminator."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

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
def check_scaled(function: ex.Function) -> None:
    """Check exercise 11.3: features scaled without a look at the new images."""
    random = np.random.default_rng(0)
    for rows, more, columns in ((40, 7, 3), (5, 200, 6)):
        known = random.normal(3, 2, (rows, columns)) * np.arange(1, columns + 1)
        new = random.normal(-1, 5, (more, columns))
        known[:, 1], new[:, 1] = 4.0, 4.5  # a feature that says nothing about the known
        with np.errstate(all="ignore"):
            got = ex.require_parts(function(known, new), 2)
        mean, deviation = known.mean(0), known.std(0)
        for name, mine, given in zip(("for_known", "for_new"), got, (known, new)):
            if ex.require_tensor(mine, given.shape)[:, 1].abs().max() > 1e3:
                raise ex.Wrong("not_finite")
            mistakes = {
                "variance": _scaled(given, mean, known.var(0)),
                "mean_kept": _scaled(given, 0 * mean, deviation),
                "unbiased": _scaled(given, mean, known.std(0, ddof=1)),
            }
            right = _scaled(given, mean, deviation)
            ex.require_close(mine, right, ex.text(name), mistakes, "peeking")


def _scaled(features: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> Tensor:
    """Return features less a mean and divided by a deviation; 0 where the deviation is 0."""
    alike = deviation == 0
    scaled = (features - mean) / np.where(alike, 1, deviation)
    return torch.from_numpy(np.where(alike, 0, scaled))


@ex.exercise("11.4")
def check_order(function: ex.Function) -> None:
    """Check exercise 11.4: how often an image of one kind gets a higher logit than another's."""
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
