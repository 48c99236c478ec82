"""The convolutions of notebook 01, written out, slow; an impossible size raises a `UserError`."""

import torch
from torch import Tensor
from torch.nn.functional import pad

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


def conv2d(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Slide each kernel over the image, unflipped: at every place, multiply and add.

    From x (B, C, H, W) and weight (O, C, K, L) to (B, O, H', W'), sizes as `output_size` says.
    """
    height, width = weight.shape[2:]
    rows = output_size(x.shape[2], height, stride, padding)
    columns = output_size(x.shape[3], width, stride, padding)
    x = pad(x, [padding] * 4)
    y = x.new_zeros(len(x), len(weight), rows, columns)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            window = x[:, :, top : top + height, left : left + width]  # (B, C, K, L)
            y[:, :, row, column] = torch.einsum("bckl,ockl->bo", window, weight)
    return y


def conv_transpose2d_by_stamping(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Transposed convolution, first view: each pixel stamps its kernel onto the output.

    Stamps `stride` cells apart are added where they overlap, and padding cuts the edge off. From x
    (B, C, H, W) and weight (C, O, K, L) to (B, O, H', W'), as `transposed_output_size` says.
    """
    height, width = weight.shape[2:]
    rows = transposed_output_size(x.shape[2], height, stride, padding, output_padding)
    columns = transposed_output_size(x.shape[3], width, stride, padding, output_padding)
    canvas = x.new_zeros(len(x), weight.shape[1], rows + 2 * padding, columns + 2 * padding)
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            stamp = torch.einsum("bc,cokl->bokl", x[:, :, row, column], weight)  # (B, O, K, L)
            top, left = row * stride, column * stride
            canvas[:, :, top : top + height, left : left + width] += stamp
    return canvas[:, :, padding : padding + rows, padding : padding + columns]


def insert_zeros(x: Tensor, stride: int) -> Tensor:
    """Put stride - 1 zeros between neighbors: (B, C, H, W) to (B, C, (H - 1) stride + 1, ...)."""
    spread = x.new_zeros(*x.shape[:2], *((side - 1) * stride + 1 for side in x.shape[2:]))
    spread[:, :, ::stride, ::stride] = x
    return spread


def conv_transpose2d_by_zeros(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Transposed convolution, second view: zeros between the pixels, then a convolution.

    The flipped kernel moves one cell of the spread image at a time, which is 1 / `stride` of a
    pixel: hence "fractional-strided". Shapes as in the first view.
    """
    above, left = (side - 1 - padding for side in weight.shape[2:])
    spread = insert_zeros(x, stride)
    spread = pad(spread, [left, left + output_padding, above, above + output_padding])
    return conv2d(spread, weight.flip(2, 3).transpose(0, 1))  # (O, C, K, L)


def write_counts(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Return how many of size × size pixels write to each of a transposed convolution's, int64."""
    ones = torch.ones(1, 1, size, size), torch.ones(1, 1, kernel, kernel)
    return conv_transpose2d_by_stamping(*ones, stride, padding, output_padding)[0, 0].long()


def checkerboard(images: Tensor) -> float:
    """Return how strong a checkerboard of period 2 images (B, H, W) have in common; 0 is none.

    Four means, of even or odd rows and columns: their standard deviation, over that of all pixels.
    """
    kinds = [images[:, row::2, column::2].mean() for row in (0, 1) for column in (0, 1)]
    return (torch.stack(kinds).std() / images.std()).item()
