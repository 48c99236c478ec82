"""Where checkerboards come from: notebook 01, section 8."""

import torch
from torch import Tensor

from .convolution import conv_transpose2d_by_stamping, transposed_output_size


def write_counts(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Tensor:
    """Return how many pixels write to each output pixel of a transposed convolution.

    Parameters
    ----------
    size
        Side of the input, in pixels.
    kernel, stride, padding, output_padding
        In cells, the same for rows and columns.

    Returns
    -------
    Tensor
        (size', size') int64. Unequal neighbors away from the edge are where checkerboards come
        from (Odena, Dumoulin, Olah 2016, "Deconvolution and checkerboard artifacts").

    Raises
    ------
    UserError
        As `transposed_output_size`.
    """
    transposed_output_size(size, kernel, stride, padding, output_padding)
    ones = torch.ones(1, 1, size, size), torch.ones(1, 1, kernel, kernel)
    return conv_transpose2d_by_stamping(*ones, stride, padding, output_padding)[0, 0].long()


def checkerboard(images: Tensor) -> float:
    """Return how strong the checkerboard of period 2 is that a set of images has in common.

    At stride 2 there are four kinds of output pixels: even or odd row, even or odd column. This is
    the standard deviation of the four kinds' mean values, over that of all values.

    Parameters
    ----------
    images
        (B, H, W).

    Returns
    -------
    float
        0 if the four kinds are equally bright, about 1 if nothing but a checkerboard is there.
    """
    means = torch.stack(
        [images[:, row::2, column::2].mean() for row in (0, 1) for column in (0, 1)]
    )
    return (means.std() / images.std()).item()
