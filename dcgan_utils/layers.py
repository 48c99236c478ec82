"""Sizes of convolutions, how often pixels are written, and how strong a checkerboard is."""

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d

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
