"""Strided and fractional-strided convolution by hand: notebook 01."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..config import UserError


def _require_sizes(stride: int, padding: int) -> None:
    if stride < 1:
        raise UserError(f"stride is {stride}; allowed: 1 or more. Use 1 to move cell by cell.")
    if padding < 0:
        raise UserError(f"padding is {padding}; allowed: 0 or more. Use 0 for no padding.")


def _require_channels(x: Tensor, weight: Tensor, axis: int) -> None:
    for name, value in (("x", x), ("weight", weight)):
        if value.ndim != 4:
            raise UserError(
                f"{name} has shape {tuple(value.shape)}; allowed: four axes. "
                f"Reshape one image to (1, C, H, W), one kernel to (1, 1, K, K)."
            )
    if x.shape[1] != weight.shape[axis]:
        raise UserError(
            f"x has {x.shape[1]} channels, but weight of shape {tuple(weight.shape)} takes "
            f"{weight.shape[axis]}; both must be the same."
        )


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many places a kernel finds along one side of an image.

    floor((size + 2 padding - kernel) / stride) + 1, relationship 6 of Dumoulin and Visin (2016),
    "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.

    Parameters
    ----------
    size, kernel, stride, padding
        In cells along one side; padding is added at both ends.

    Raises
    ------
    UserError
        If stride or padding is not allowed, or the kernel does not fit even once.

    Examples
    --------
    >>> output_size(5, kernel=3, stride=2, padding=1)
    3
    >>> output_size(64, kernel=4, stride=2, padding=1)
    32
    """
    _require_sizes(stride, padding)
    if not 1 <= kernel <= size + 2 * padding:
        raise UserError(
            f"kernel is {kernel}; allowed: 1 to {size + 2 * padding}, the padded size. "
            f"Take a smaller kernel or more padding."
        )
    return (size + 2 * padding - kernel) // stride + 1


def transposed_output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> int:
    """Return the side that a transposed convolution makes: (size - 1) stride + kernel - 2 padding.

    Parameters
    ----------
    size, kernel, stride, padding
        In cells along one side.
    output_padding
        Cells added at the far end, to choose among the sizes that the convolution would round down
        to `size`.

    Raises
    ------
    UserError
        If a value is not allowed, or nothing would be left.

    Examples
    --------
    >>> transposed_output_size(3, kernel=3, stride=2, padding=1)
    5
    >>> transposed_output_size(3, kernel=3, stride=2, padding=1, output_padding=1)
    6
    """
    _require_sizes(stride, padding)
    if not 0 <= output_padding < stride:
        raise UserError(
            f"output_padding is {output_padding}; allowed: 0 to stride - 1, here {stride - 1}. "
            f"For a larger output take a larger stride or kernel."
        )
    result = (size - 1) * stride + kernel - 2 * padding + output_padding
    if kernel < 1 or result < 1:
        raise UserError(
            f"kernel {kernel} with padding {padding} leaves an output of size {result}; "
            f"allowed: 1 or more. Take a larger kernel or less padding."
        )
    return result


def conv2d(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Slide each kernel over the image: at every place, multiply and add.

    What deep learning calls convolution is a cross-correlation: the kernel is not flipped.

    Parameters
    ----------
    x
        (B, C, H, W).
    weight
        (O, C, K, L): one kernel of C channels for each of the O output channels.
    stride, padding
        In cells, the same for rows and columns.

    Returns
    -------
    Tensor
        (B, O, H', W'), with the sizes that `output_size` gives.

    Raises
    ------
    UserError
        If shapes do not fit together or a value is not allowed.
    """
    _require_channels(x, weight, axis=1)
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


def _transposed_sizes(
    x: Tensor, weight: Tensor, stride: int, padding: int, output_padding: int
) -> tuple[int, int]:
    """Return the rows and columns of a transposed convolution's output; refuse bad arguments."""
    _require_channels(x, weight, axis=0)
    rows, columns = (
        transposed_output_size(x.shape[axis], weight.shape[axis], stride, padding, output_padding)
        for axis in (2, 3)
    )
    return rows, columns


def conv_transpose2d_by_stamping(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Transposed convolution, first view: each pixel stamps its kernel onto the output.

    Stamps lie `stride` cells apart and are added where they overlap. Padding then cuts the edge
    off.

    Parameters
    ----------
    x
        (B, C, H, W).
    weight
        (C, O, K, L), as `torch.nn.ConvTranspose2d` stores it.
    stride, padding, output_padding
        In cells, the same for rows and columns.

    Returns
    -------
    Tensor
        (B, O, H', W'), with the sizes that `transposed_output_size` gives.

    Raises
    ------
    UserError
        If shapes do not fit together or a value is not allowed.
    """
    rows, columns = _transposed_sizes(x, weight, stride, padding, output_padding)
    height, width = weight.shape[2:]
    canvas = x.new_zeros(len(x), weight.shape[1], rows + 2 * padding, columns + 2 * padding)
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            stamp = torch.einsum("bc,cokl->bokl", x[:, :, row, column], weight)  # (B, O, K, L)
            top, left = row * stride, column * stride
            canvas[:, :, top : top + height, left : left + width] += stamp
    return canvas[:, :, padding : padding + rows, padding : padding + columns]


def insert_zeros(x: Tensor, stride: int) -> Tensor:
    """Put stride - 1 zeros between neighbors: (B, C, H, W) to (B, C, (H - 1) stride + 1, ...).

    Raises
    ------
    UserError
        If the stride is less than 1.
    """
    _require_sizes(stride, padding=0)
    rows, columns = ((side - 1) * stride + 1 for side in x.shape[2:])
    spread = x.new_zeros(*x.shape[:2], rows, columns)
    spread[:, :, ::stride, ::stride] = x
    return spread


def conv_transpose2d_by_zeros(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Transposed convolution, second view: zeros between the pixels, then a convolution.

    The kernel is flipped and moves one cell of the spread image at a time, which is 1 / `stride`
    of a pixel: hence "fractional-strided".

    Parameters, result and errors are those of `conv_transpose2d_by_stamping`.
    """
    _transposed_sizes(x, weight, stride, padding, output_padding)
    above, left = (side - 1 - padding for side in weight.shape[2:])
    spread = insert_zeros(x, stride)
    spread = pad(spread, [left, left + output_padding, above, above + output_padding])
    flipped = weight.flip(2, 3).transpose(0, 1)  # (O, C, K, L)
    return conv2d(spread, flipped)


def convolution_matrix(
    weight: Tensor, rows: int, columns: int, stride: int = 1, padding: int = 0
) -> Tensor:
    """Return the matrix M of a convolution: `conv2d(x, weight)`, flattened, is M @ x, flattened.

    Each column of M is the convolution of an image that is 1 at one place and 0 elsewhere.

    Parameters
    ----------
    weight
        (O, C, K, L).
    rows, columns
        Size of the image that is convolved.
    stride, padding
        In cells.

    Returns
    -------
    Tensor
        (O H' W', C rows columns).

    Raises
    ------
    UserError
        As `conv2d`.
    """
    places = weight.shape[1] * rows * columns
    one_pixel_each = torch.eye(places, dtype=weight.dtype).reshape(places, -1, rows, columns)
    return conv2d(one_pixel_each, weight, stride, padding).reshape(places, -1).T


def conv_transpose2d_by_matrix(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Transposed convolution, third view: the transpose of the convolution's matrix.

    Parameters, result and errors are those of `conv_transpose2d_by_stamping`.
    """
    rows, columns = _transposed_sizes(x, weight, stride, padding, output_padding)
    matrix = convolution_matrix(weight, rows, columns, stride, padding)
    y = x.reshape(len(x), -1) @ matrix  # the same as (matrix.T @ x.T).T
    return y.reshape(len(x), weight.shape[1], rows, columns)
