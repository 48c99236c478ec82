"""Plausible wrong answers to the exercises of notebook 01, and what their hint must contain."""

import torch
import torch.nn.functional as F
from torch import nn

from dcgan_utils.exercises import (
    check_convolution,
    check_sizes,
    check_transposed_convolution,
    check_upsampler,
)


def loops(pad=True, flip=False, swap=False, step=True, rows_for_both=False, in_place=False):
    """Return a convolution with chosen faults."""

    def function(image, kernel, stride, padding):
        if in_place:
            image.mul_(2)
        kernel = kernel.flip(0, 1) if flip else kernel.T if swap else kernel
        padded = F.pad(image, [padding] * 4) if pad else image
        height, width = kernel.shape
        rows = (padded.shape[0] - height) // stride + 1
        columns = rows if rows_for_both else (padded.shape[1] - width) // stride + 1
        output = torch.zeros(rows, columns)
        for i in range(rows):
            for j in range(columns):
                top, left = (i * stride, j * stride) if step else (i, j)
                output[i, j] = (padded[top : top + height, left : left + width] * kernel).sum()
        return output

    return function


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
    (check_convolution, loops(pad=False), "Expected shape"),
    (check_convolution, loops(flip=True), "flipped"),
    (check_convolution, loops(swap=True), "swapped"),
    (check_convolution, loops(step=False), "window of output"),
    (check_convolution, loops(rows_for_both=True), "stopped with|Count rows and columns"),
    (check_convolution, loops(in_place=True), "changed the image"),
    (
        check_convolution,
        lambda x, k, s, p: torch.zeros_like(
            F.conv2d(x[None, None], k[None, None], stride=s, padding=p)[0, 0]
        ),
        "all zeros",
    ),
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
]

# What a hint must not give away.
SECRETS = ["stride + 1", "i * stride", "+=", "kernel_size=4", "28, 14", "is 13"]
