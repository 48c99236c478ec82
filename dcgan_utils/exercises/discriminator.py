"""Checkers of notebook 11, inside the discriminator."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .common import Wrong, judge, require_answer, require_equal, require_tensor

Layer = tuple[int, int, int]  # kernel, stride, padding of a convolution
Span = tuple[int, int]  # first and last pixel


def check_receptive_field(function: Callable[[list[Layer], int], Span]) -> bool:
    """Check exercise 11.1: which pixels of a line one output of stacked convolutions sees."""
    strided, same = (4, 2, 1), (3, 1, 1)
    cases = [
        ([(3, 1, 0)], 0),
        ([(3, 1, 0)], 5),
        ([strided], 3),
        ([(3, 1, 0), (5, 1, 0)], 2),
        ([strided, strided], 0),
        ([strided, strided, strided], 2),
        ([(5, 3, 2), same, (2, 2, 0)], 4),
    ]

    def check() -> None:
        for layers, place in cases:
            given = list(layers)
            got = function(given, place)
            require_answer(got, (tuple, list), "two numbers")
            if given != layers:
                raise Wrong("Your function changed the list that it was given.")
            if len(got) != 2:
                raise Wrong(f"Expected two numbers, got {len(got)}.")
            first, last = got
            right = _span(layers, place)
            if (first, last) == right:
                continue
            said = f"For the layers {layers}, place {place}: not pixels {first} to {last}."
            raise Wrong(f"{said} {_hint(layers, place, (first, last))}")

    return judge("11.1", check, function)


def _span(layers: Sequence[Layer], place: int) -> Span:
    """Return the first and the last pixel that an output sees: back through the layers."""
    first = last = place
    for kernel, stride, padding in reversed(layers):
        first, last = first * stride - padding, last * stride - padding + kernel - 1
    return first, last


def _hint(layers: Sequence[Layer], place: int, got: tuple[float, float]) -> str:
    """Return what may have gone wrong."""
    first, last = _span(layers, place)
    bare = [(kernel, stride, 0) for kernel, stride, _ in layers]
    if got == (first, last + 1):
        return "The last pixel shall be one that is seen. How many are from 2 to 4?"
    if got == _span(bare, place):
        return "Padding puts zeros before the first pixel. Which way does that move the window?"
    if got == (max(0, first), last):
        return "Do not cut off what lies in the padding: a number below 0 says so."
    if got == _span(layers[::-1], place):
        return "You went through the layers in the other order. Which is nearest to the output?"
    if got == _span(layers[-1:], place):
        return "That is what the last layer sees of the maps before it. Go on to the pixels."
    if got[1] - got[0] == last - first:
        return "Its size is right, its place is not. Where does the window of place 0 begin?"
    if got[0] == first:
        return "It begins where it should. Each layer widens it. By how many steps, and how long?"
    return "Draw the last layer's window first. Which outputs of the layer before are its ends?"


def check_ways_back(function: Callable[[Tensor, Tensor, float], Sequence[Tensor]]) -> bool:
    """Check exercise 11.2: the gradient behind a LeakyReLU: plain, deconvolution, guided."""
    names = ("plain", "deconvolution", "guided")

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for shape, leak in (((2, 3), 0.2), ((2, 3, 4, 4), 0.1), ((50,), 0.0)):
            values, gradient = (torch.randn(shape, generator=random) for _ in range(2))
            given = values.clone(), gradient.clone()
            got = function(values, gradient, leak)
            require_answer(got, (tuple, list), "three tensors")
            if len(got) != 3:
                raise Wrong(f"Expected three tensors, got {len(got)}.")
            if not all(map(torch.equal, (values, gradient), given)):
                raise Wrong("Your function changed the tensors that it was given.")
            right = _ways_back(values, gradient, leak)
            for number, name in enumerate(names):
                mine = require_tensor(got[number], shape)
                case = f"for the {name} gradient, leak {leak}"
                mistakes = _mistakes_back(values, gradient, leak)[name]
                require_equal(mine, right[number], case, mistakes)

    return judge("11.2", check, function)


def _ways_back(values: Tensor, gradient: Tensor, leak: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the three gradients."""
    plain = torch.where(values > 0, gradient, leak * gradient)
    deconvolution = gradient.clamp(min=0)
    return plain, deconvolution, deconvolution * (values > 0)


def _mistakes_back(values: Tensor, gradient: Tensor, leak: float) -> dict[str, list]:
    """Return what usual mistakes give, with their hints."""
    plain, deconvolution, guided = _ways_back(values, gradient, leak)
    masked = gradient * (values > 0)
    activation = F.leaky_relu(values, leak)
    other = "That is another one of the three. Which of the two signs decides here?"
    return {
        "plain": [
            (masked, "Below zero, LeakyReLU has a slope that is not zero."),
            (torch.where(gradient > 0, gradient, leak * gradient), "Whose sign sets the slope?"),
            (gradient, "Nothing is changed. What is LeakyReLU's slope below zero?"),
            (activation, "That is the way forward. The way back starts from `gradient`."),
            (activation * gradient, "A slope, not a value, multiplies the gradient."),
        ],
        "deconvolution": [
            (plain, other),
            (guided, other),
            (masked, "Here the gradient's own sign decides; the input plays no part."),
            (gradient.abs(), "What is negative is not turned around. It stops."),
            (F.leaky_relu(gradient, leak), "What is negative stops altogether; nothing leaks."),
        ],
        "guided": [
            (plain, other),
            (deconvolution, other),
            (masked, "That asks for the sign of the input only. There are two conditions."),
            (plain.clamp(min=0), "Where the input was negative nothing passes, not even a leak."),
            (gradient.clamp(min=0) * values.clamp(min=0), "The input decides by its sign alone."),
        ],
    }


def check_scaled(function: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]) -> bool:
    """Check exercise 11.3: features scaled without a look at the new images."""

    def check() -> None:
        random = np.random.default_rng(0)
        for rows, more, columns in ((40, 7, 3), (5, 200, 6)):
            known = random.normal(3, 2, (rows, columns)) * np.arange(1, columns + 1)
            new = random.normal(-1, 5, (more, columns))
            known[:, 1], new[:, 1] = 4.0, 4.5  # a feature that says nothing about the known
            given = known.copy(), new.copy()
            with np.errstate(all="ignore"):
                got = function(known, new)
            require_answer(got, (tuple, list), "two arrays")
            if len(got) != 2:
                raise Wrong(f"Expected two arrays, got {len(got)}.")
            if not all(map(np.array_equal, (known, new), given)):
                raise Wrong("Your function changed the arrays that it was given.")
            right = _scaled(known, new)
            for name, mine, answer in zip(("known", "new"), got, right):
                require_answer(mine, np.ndarray, "an array")
                if mine.shape != answer.shape:
                    raise Wrong(f"Expected shape {answer.shape}, got {mine.shape}.")
                if not np.isfinite(mine[:, 1]).all() or abs(mine[:, 1]).max() > 1e3:
                    raise Wrong(
                        "The second feature is 4 for all known images. Its deviation is 0; what "
                        "shall become of it, so that a classifier can ignore it?"
                    )
                mistakes = [
                    (torch.from_numpy(wrong), hint) for wrong, hint in _peeks(known, new)[name]
                ]
                got_tensor = torch.from_numpy(mine.astype(float))
                expected = torch.from_numpy(answer)
                require_equal(got_tensor, expected, f"for the {name} images", mistakes)

    return judge("11.3", check, function)


def _scaled(known: np.ndarray, new: np.ndarray, mean=None, deviation=None) -> list[np.ndarray]:
    """Return both, less a mean and divided by a deviation; 0 where the deviation is 0."""
    mean = known.mean(0) if mean is None else mean
    deviation = known.std(0) if deviation is None else deviation
    alike = deviation == 0
    divisor = np.where(alike, 1, deviation)
    return [np.where(alike, 0, (part - mean) / divisor) for part in (known, new)]


def _peeks(known: np.ndarray, new: np.ndarray) -> dict[str, list]:
    """Return what usual mistakes give, with their hints."""
    both = np.concatenate([known, new])
    peek = "The new images have a part in the scale. Whose mean and deviation may be used?"
    one = "Each feature has a mean and a deviation of its own."
    faults = [
        (_scaled(known, new, both.mean(0), both.std(0)), peek),
        (_scaled(known, new, deviation=known.var(0)), "That divides by the variance."),
        (_scaled(known, new, mean=0 * known.mean(0)), "The mean has to be taken off first."),
        (_scaled(known, new, deviation=known.std(0, ddof=1)), "Divide by N, as NumPy does."),
        (_scaled(known, new, known.mean(), known.std()), one),
    ]
    pairs = {
        name: [(parts[number], hint) for parts, hint in faults]
        for number, name in enumerate(("known", "new"))
    }
    pairs["new"].append((_scaled(new, new)[0], peek))
    return pairs


def check_order(function: Callable[[Sequence[float], Sequence[float]], float]) -> bool:
    """Check exercise 11.4: how often an image of one kind gets a higher logit than another's."""
    cases = (
        ([1.0], [0.0]),
        ([0.0, 1.0], [2.0, 3.0, 4.0]),
        ([3.0, 1.0, 4.0], [2.0, 1.5]),
        ([1.0, 2.0], [1.0, 2.0]),
        ([-9.0, -7.0, -7.0], [-8.0, -7.0, -10.0, -6.5]),
    )

    def check() -> None:
        for ours, theirs in cases:
            given = list(ours), list(theirs)
            got = function(*given)
            require_answer(got, (int, float, np.floating, Tensor), "a number")
            if given != (ours, theirs):
                raise Wrong("Your function changed the lists that it was given.")
            pairs = np.subtract.outer(ours, theirs)
            right = float((pairs > 0).mean() + (pairs == 0).mean() / 2)
            mine = float(got)
            if math.isclose(mine, right, abs_tol=1e-6):
                continue
            said = f"For the logits {ours} and {theirs} it is not {mine:.4g}."
            raise Wrong(f"{said} {_hint_on_order(ours, theirs, pairs, mine, right)}")

    return judge("11.4", check, function)


def _hint_on_order(
    ours: Sequence[float], theirs: Sequence[float], pairs: np.ndarray, got: float, right: float
) -> str:
    """Return what may have gone wrong."""
    lengths = min(len(ours), len(theirs))
    hints = [
        (1 - right, "Is it how often the first is higher, or how often the second is?"),
        (float((pairs > 0).mean()), "Two logits may be equal. What is then fair to both?"),
        (float((pairs >= 0).mean()), "Two logits may be equal. What is then fair to both?"),
        (float((pairs > 0).sum()), "That is a count. Of how many pairs?"),
        (float(np.mean(ours) > np.mean(theirs)), "It is about pairs of images, not about means."),
        (float(np.mean(ours) - np.mean(theirs)), "That hangs on the scale. Compare pair by pair."),
        (float((np.array(ours) > 0).mean()), "Zero has no part in it: only the order counts."),
        (
            float(np.mean([a > b for a, b in zip(ours, theirs)])) if lengths else math.nan,
            "Each of the first meets each of the second, not only its neighbor.",
        ),
    ]
    near = [hint for value, hint in hints if math.isclose(value, got, abs_tol=1e-6)]
    return near[0] if near else "Write out all pairs of a small case, and count."
