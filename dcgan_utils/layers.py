"""Convolutions: their sizes, what they write, and those at a network's ends, made fast.

A CPU's convolution library is slow where there is one channel or one position. `Conv2d` and
`ConvTranspose2d` are PyTorch's own, computed as notebook 01 draws them: as a matrix.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, fold, linear, unfold

from .config import UserError


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many places a kernel finds along one side of an image, padded at both ends.

    floor((size + 2 padding - kernel) / stride) + 1, Dumoulin and Visin (2016), arXiv:1603.07285.
    """
    padded = size + 2 * padding
    if not 1 <= kernel <= padded or stride < 1 or padding < 0:
        raise UserError(
            f"kernel is {kernel}, stride {stride}, padding {padding}; allowed: a kernel of 1 to "
            f"{padded}, the padded size, a stride of 1 or more and a padding of 0 or more."
        )
    return (padded - kernel) // stride + 1


def transposed_output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> int:
    """Return the side that a transposed convolution makes: (size - 1) stride + kernel - 2 padding.

    `output_padding` cells more choose among the sizes that a convolution rounds down to `size`.
    """
    result = (size - 1) * stride + kernel - 2 * padding + output_padding
    if min(kernel, stride, result) < 1 or padding < 0 or not 0 <= output_padding < stride:
        raise UserError(
            f"kernel is {kernel}, stride {stride}, padding {padding}, output_padding "
            f"{output_padding}, output size {result}; allowed: kernel, stride and output size of 1 "
            f"or more, padding of 0 or more, output_padding of 0 to stride - 1."
        )
    return result


def write_counts(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Return how many of size × size pixels write to each of a transposed convolution's, int64."""
    ones = torch.ones(1, 1, size, size), torch.ones(1, 1, kernel, kernel)
    counts = conv_transpose2d(*ones, stride=stride, padding=padding, output_padding=output_padding)
    return counts[0, 0].long()


def checkerboard(images: Tensor, period: int = 2) -> float:
    """Return how strong a pattern of this period images (B, H, W) have in common; 0 is none.

    Pixels are of one kind if their rows and columns differ by multiples of the period. It is the
    standard deviation of the kinds' means, over that of all pixels.
    """
    places = range(period)
    kinds = [images[:, row::period, column::period].mean() for row in places for column in places]
    return (torch.stack(kinds).std() / images.std()).item()


class Conv2d(nn.Conv2d):
    """PyTorch's `Conv2d`; on a CPU a product of windows and weights, where that is faster.

    Copying windows pays where a gradient goes back to an image of few channels.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, H, W)."""
        one_window = input.shape[2:] == self.kernel_size and self.padding == (0, 0)
        image = self.in_channels <= 3 and input.requires_grad
        if input.device.type != "cpu" or not (one_window or image):
            return super().forward(input)
        if one_window:
            window = input.permute(0, 2, 3, 1).flatten(1)  # (B, k*k*C)
            return linear(window, _rows(self.weight), self.bias)[:, :, None, None]
        size, stride, padding = self.kernel_size, self.stride, cast(Any, self.padding)
        windows = unfold(input, size, padding=padding, stride=stride)  # (B, C*k*k, positions)
        maps = linear(windows.transpose(1, 2), self.weight.flatten(1), self.bias)
        height = (input.shape[2] + 2 * padding[0] - size[0]) // stride[0] + 1
        return maps.unflatten(1, (height, -1)).permute(0, 3, 1, 2)


class ConvTranspose2d(nn.ConvTranspose2d):
    """PyTorch's `ConvTranspose2d`; on a CPU one product makes the stamps of all positions."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve (B, C, H, W), as the transpose does."""
        if input.device.type != "cpu" or output_size is not None or self.bias is not None:
            return super().forward(input, output_size)
        size, stride, padding = self.kernel_size, self.stride, cast(Any, self.padding)
        if input.shape[2:] == (1, 1) and padding == (0, 0):
            stamps = input.flatten(1) @ _rows(self.weight)  # (B, k*k*C')
            return stamps.unflatten(1, (*size, -1)).permute(0, 3, 1, 2)
        positions = input.flatten(2).transpose(1, 2)  # (B, positions, C)
        stamps = positions @ self.weight.flatten(1)  # (B, positions, C'*k*k)
        shape = tuple(
            (side - 1) * step - 2 * pad + kernel
            for side, step, pad, kernel in zip(input.shape[2:], stride, padding, size)
        )
        return fold(stamps.transpose(1, 2), shape, size, padding=padding, stride=stride)


def _rows(weight: Tensor) -> Tensor:
    """Return weights (M, N, k, k) as (M, k*k*N); channels-last ones are not copied for it."""
    return weight.permute(0, 2, 3, 1).flatten(1)
