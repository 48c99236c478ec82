"""Plausible wrong answers to the exercises of notebook 11, and what their hint must contain."""

import numpy as np
import torch
import torch.nn.functional as F

from dcgan_utils.exercises import (
    check_order,
    check_receptive_field,
    check_scaled,
    check_ways_back,
)


def span(layers, place, order=reversed, padded=True, beyond=0, floor=None):
    """Return a receptive field with chosen faults."""
    first = last = place
    for kernel, stride, padding in order(layers):
        padding *= padded
        first, last = first * stride - padding, last * stride - padding + kernel - 1
    return first if floor is None else max(floor, first), last + beyond


def kernels_added(layers, place):
    first, _ = span(layers, place)
    return first, first + sum(kernel for kernel, _, _ in layers) - len(layers)


def own_stride(layers, place):
    """Widen by the layer's own stride in place of the product of those before."""
    first, _ = span(layers, place)
    return first, first + sum((kernel - 1) * stride for kernel, stride, _ in layers)


def forgets_the_place(layers, place):
    return span(layers, 0)


def emptied(layers, place):
    found = span(layers, place)
    layers.clear()
    return found


def ways(values, gradient, leak, **wrong):
    """Return the three gradients, some replaced by `wrong` ones."""
    right = {
        "plain": torch.where(values > 0, gradient, leak * gradient),
        "deconvolution": gradient.clamp(min=0),
        "guided": gradient.clamp(min=0) * (values > 0),
    }
    return tuple((right | wrong).values())


def in_place(values, gradient, leak):
    right = ways(values, gradient, leak)
    gradient.clamp_(min=0)
    return right


def scaled(known, new, mean=None, deviation=None, own=False):
    """Return scaled features with chosen faults."""
    mean = known.mean(0) if mean is None else mean
    deviation = known.std(0) if deviation is None else deviation
    safe = np.where(deviation == 0, 1, deviation)
    parts = [np.where(deviation == 0, 0, (part - mean) / safe) for part in (known, new)]
    if own:
        parts[1] = scaled(new, new)[0]
    return parts


def of_both(known, new):
    both = np.concatenate([known, new])
    return scaled(known, new, both.mean(0), both.std(0))


def changed(known, new):
    right = scaled(known, new)
    known -= known.mean(0)
    return right


def order(ours, theirs, equal=0.5):
    """Return the share of pairs, with another weight for equal ones."""
    pairs = np.subtract.outer(ours, theirs)
    return float((pairs > 0).mean() + equal * (pairs == 0).mean())


def sorting(ours, theirs):
    right = order(ours, theirs)
    theirs.sort()
    return right


WRONG = [
    (check_receptive_field, lambda la, p: span(la, p, beyond=1), "one that is seen"),
    (check_receptive_field, lambda la, p: span(la, p, padded=False), "Padding puts zeros"),
    (check_receptive_field, lambda la, p: span(la, p, floor=0), "Do not cut off"),
    (check_receptive_field, lambda la, p: span(la, p, order=iter), "other order"),
    (check_receptive_field, lambda la, p: span(la[-1:], p), "Go on to the pixels"),
    (check_receptive_field, forgets_the_place, "Its size is right"),
    (check_receptive_field, kernels_added, "Each layer widens it"),
    (check_receptive_field, own_stride, "Each layer widens it"),
    (check_receptive_field, lambda la, p: span(la, p)[0], "two numbers"),
    (check_receptive_field, lambda la, p: (-5, 90), "Draw the last layer"),
    (check_receptive_field, emptied, "changed the list"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, plain=g * (v > 0)), "not zero"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, plain=F.leaky_relu(g, a)), "Whose sign"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, plain=g), "Nothing is changed"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, plain=F.leaky_relu(v, a)), "way forward"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, plain=F.leaky_relu(v, a) * g), "A slope"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, deconvolution=g * (v > 0)), "own sign"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, deconvolution=g.abs()), "not turned around"),
    (
        check_ways_back,
        lambda v, g, a: ways(v, g, a, deconvolution=F.leaky_relu(g, a)),
        "nothing leaks",
    ),
    (check_ways_back, lambda v, g, a: ways(v, g, a, guided=g.clamp(min=0)), "another one"),
    (check_ways_back, lambda v, g, a: ways(v, g, a, guided=g * (v > 0)), "two conditions"),
    (
        check_ways_back,
        lambda v, g, a: ways(v, g, a, guided=torch.where(v > 0, g, a * g).clamp(min=0)),
        "not even a leak",
    ),
    (
        check_ways_back,
        lambda v, g, a: ways(v, g, a, guided=g.clamp(min=0) * v.clamp(min=0)),
        "sign alone",
    ),
    (check_ways_back, lambda v, g, a: ways(v, g, a)[:2], "three tensors, got 2"),
    (check_ways_back, lambda v, g, a: [part.sum() for part in ways(v, g, a)], "Expected shape"),
    (check_ways_back, in_place, "changed the tensors"),
    (check_scaled, of_both, "Whose mean and deviation"),
    (check_scaled, lambda k, n: scaled(k, n, own=True), "Whose mean and deviation"),
    (check_scaled, lambda k, n: scaled(k, n, deviation=k.var(0)), "variance"),
    (check_scaled, lambda k, n: scaled(k, n, mean=0 * k.mean(0)), "taken off first"),
    (check_scaled, lambda k, n: scaled(k, n, deviation=k.std(0, ddof=1)), "Divide by N"),
    (check_scaled, lambda k, n: scaled(k, n, k.mean(), k.std()), "second feature|of its own"),
    (check_scaled, lambda k, n: [(p - k.mean(0)) / k.std(0) for p in (k, n)], "deviation is 0"),
    (
        check_scaled,
        lambda k, n: [(p - k.mean(0)) / (k.std(0) + 1e-8) for p in (k, n)],
        "deviation is 0",
    ),
    (check_scaled, lambda k, n: scaled(k, n)[0], "two arrays"),
    (check_scaled, lambda k, n: [p[:, ::2] for p in scaled(k, n)], "Expected shape"),
    (check_scaled, changed, "changed the arrays"),
    (check_order, lambda a, b: 1 - order(a, b), "how often the second"),
    (check_order, lambda a, b: order(a, b, equal=0), "may be equal"),
    (check_order, lambda a, b: order(a, b, equal=1), "may be equal"),
    (check_order, lambda a, b: float(np.greater.outer(a, b).sum()), "a count|may be equal"),
    (check_order, lambda a, b: float(np.mean(a) > np.mean(b)), "not about means"),
    (check_order, lambda a, b: float(np.mean(a) - np.mean(b)), "hangs on the scale"),
    (check_order, lambda a, b: float(np.mean(np.array(a) > 0)), "Zero has no part"),
    (check_order, lambda a, b: float(np.mean([x > y for x, y in zip(a, b)])), "not only its"),
    (check_order, lambda a, b: 0.3, "all pairs"),
    (check_order, sorting, "changed the lists"),
]

# What a hint must not give away.
SECRETS = ["- 1)", "clamp", "reversed", "0.5 *", "where(", "std(0)", "outer"]
