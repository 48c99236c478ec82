"""Plausible wrong answers to the exercises of notebook 01, and what their hint must contain."""

import torch
from torch import nn

from dcgan_utils.exercises import (
    check_even_weights,
    check_secret_layer,
    check_sizes,
    check_transposed_convolution,
    check_upsampler,
)


def unmasked(**faults):
    """Return an answer to 1.2 by gradients, with a fault in `kernel`, `stride` or `padding`."""

    def function(layer):
        x = torch.zeros(1, 1, 40, 40, requires_grad=True)
        y = layer(x)[0, 0]
        corners = []
        for place in (5, 6):
            (seen,) = torch.autograd.grad(y[place, place], x, retain_graph=True)
            rows, columns = seen[0, 0].nonzero(as_tuple=True)
            corners.append(rows.min().item())
        stride = corners[1] - corners[0]
        found = {
            "kernel": seen[0, 0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1],
            "stride": stride,
            "padding": 5 * stride - corners[0],
        }
        return tuple(faults.get(name, lambda value: value)(found[name]) for name in found)

    return function


def one_impulse(layer):
    """Return what a single bright pixel leaves behind: every stride-th weight, flipped."""
    x = torch.zeros(1, 1, 41, 41)
    x[..., 20, 20] = 1
    y = layer(x)[0, 0]
    rows, columns = y.nonzero(as_tuple=True)
    return y[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], 1, 0


def at_the_corner(layer):
    """Return the first output's window, of which the padding hides a part."""
    x = torch.zeros(1, 1, 40, 40, requires_grad=True)
    (seen,) = torch.autograd.grad(layer(x)[0, 0, 0, 0], x)
    rows, columns = seen[0, 0].nonzero(as_tuple=True)
    return seen[0, 0, : rows.max() + 1, : columns.max() + 1], 1, 0


def weights(make, scale=0.02):
    """Return an answer to 1.5, made of weights (I, O, k, k) and of small ones (I, O, k/s, k/s)."""

    def function(inputs, outputs, kernel, stride, random):
        small = kernel // stride
        full = scale * torch.randn(inputs, outputs, kernel, kernel, generator=random)
        less = scale * torch.randn(inputs, outputs, small, small, generator=random)
        return make(full, less, stride)

    return function


def enlarged(small, stride):
    """Return each weight repeated stride × stride times, which is right."""
    return small.repeat_interleave(stride, 2).repeat_interleave(stride, 3)


def stamps(crop=2, overwrite=False, flip=False, swap=False, channel=None, in_place=False):
    """Return a transposed convolution with chosen faults; `crop` edges are cut, 2 is right."""

    def function(x, weight, stride, padding):
        if in_place:
            x.add_(1)
        weight = weight.flip(2, 3) if flip else weight
        weight = weight.transpose(0, 1) if swap else weight
        outputs, side = weight.shape[1], weight.shape[-1]
        height, width = ((size - 1) * stride + side for size in x.shape[1:])
        sheet = torch.zeros(outputs, height, width)
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                parts = x[:, row, column, None, None, None] * weight
                stamp = parts.sum(0) if channel is None else parts[channel]
                area = (
                    slice(None),
                    slice(row * stride, row * stride + side),
                    slice(column * stride, column * stride + side),
                )
                sheet[area] = stamp if overwrite else sheet[area] + stamp
        first = padding if crop == 2 else 0
        last = padding * (crop >= 1)
        return sheet[:, first : height - last, first : width - last]

    return function


def upsampler(*settings):
    """Return a function that returns two transposed convolutions with these settings."""
    return lambda: nn.Sequential(
        nn.ConvTranspose2d(8, 4, **settings[0]), nn.ConvTranspose2d(4, 1, **settings[-1])
    )


THREE = {"kernel_size": 3, "stride": 2, "padding": 1}
PADDED = {**THREE, "output_padding": 1}
FOUR = {"kernel_size": 4, "stride": 2, "padding": 1}

WRONG = [
    (check_sizes, lambda: [28, 14, 13, 14, 13], "six numbers, got 5"),
    (check_sizes, lambda: 28, "list of six numbers"),
    (check_sizes, lambda: [26, 14, 13, 14, 13, 7], "Number 1.*both ends"),
    (check_sizes, lambda: [28, 13, 13, 14, 13, 7], "Number 2.*both ends"),
    (check_sizes, lambda: [28, 14, 14, 14, 13, 7], "Number 3.*still fit"),
    (check_sizes, lambda: [28, 14, 12, 14, 13, 7], "Number 3.*first place"),
    (check_sizes, lambda: [28, 14, 13, 14, 14, 7], "Number 5.*last stamp"),
    (check_sizes, lambda: [28, 14, 13, 14, 13, 1], "Number 6.*last stamp"),
    (check_secret_layer, lambda layer: torch.ones(3, 3), "three values"),
    (check_secret_layer, lambda layer: (torch.ones(3, 3), 1), "got 2 values"),
    (check_secret_layer, one_impulse, "turned by 180°"),
    (check_secret_layer, at_the_corner, "fall on the padding"),
    (check_secret_layer, unmasked(kernel=lambda kernel: kernel.T), "swapped"),
    (check_secret_layer, unmasked(kernel=torch.zeros_like), "at its own place"),
    (check_secret_layer, unmasked(stride=lambda stride: 1), "stride 2.*got 1.*neighbors"),
    (check_secret_layer, unmasked(padding=lambda padding: 0), "padding 1.*got 0"),
    (check_secret_layer, unmasked(padding=lambda padding: -padding), "padding 1.*got -1"),
    (check_transposed_convolution, stamps(crop=0), "padding cut off"),
    (check_transposed_convolution, stamps(crop=1), "padding cut off"),
    (check_transposed_convolution, stamps(overwrite=True), "overlapping"),
    (check_transposed_convolution, stamps(flip=True), "orientation"),
    (check_transposed_convolution, stamps(swap=True), "channels of weight swapped"),
    (check_transposed_convolution, stamps(channel=0), "all input channels"),
    (check_transposed_convolution, stamps(in_place=True), "changed the input"),
    (check_upsampler, upsampler(THREE), "14x14 of 7x7, got 13x13"),
    (check_upsampler, upsampler(PADDED), "layer 1 to write equally often"),
    (check_upsampler, upsampler(FOUR, PADDED), "layer 2 to write equally often"),
    (check_upsampler, upsampler(FOUR, THREE), r"\(1, 1, 28, 28\)"),
    (
        check_upsampler,
        lambda: nn.Sequential(nn.Upsample(scale_factor=4), nn.Conv2d(8, 1, 3, 1, 1)),
        "two layers of ConvTranspose2d",
    ),
    (check_even_weights, weights(lambda full, small, s: full), r"got 0\.\d+\. Which weights"),
    (check_even_weights, weights(lambda full, small, s: small.repeat(1, 1, s, s)), "another than"),
    (
        check_even_weights,
        weights(lambda full, small, s: full[:, :, ::s].repeat_interleave(s, 2)),
        "one direction only",
    ),
    (check_even_weights, weights(lambda full, small, s: 0 * full), "about 0.02, got 0"),
    (check_even_weights, weights(lambda full, small, s: enlarged(small, s), 0.04), "about 0.02"),
    (
        check_even_weights,
        weights(lambda full, small, s: enlarged(small[:, :, :1, :1], full.shape[-1])),
        "16 equal weights",
    ),
    (
        check_even_weights,
        weights(lambda full, small, s: enlarged(small, s)[:1].repeat(len(full), 1, 1, 1)),
        "all alike",
    ),
    (check_even_weights, weights(lambda full, small, s: enlarged(small, 2)), "use both"),
    (
        check_even_weights,
        weights(lambda full, small, s: enlarged(small, s) if s == 2 else full),
        "kernel 6, stride 3",
    ),
    (
        check_even_weights,
        lambda i, o, k, s, random: enlarged(0.02 * torch.randn(i, o, k // s, k // s), s),
        "draw them from it",
    ),
    (check_even_weights, weights(lambda full, small, s: small), "Expected shape"),
]

# What a hint must not give away.
SECRETS = ["autograd", "repeat_interleave", "+=", "kernel_size=4", "28, 14", "is 13"]
