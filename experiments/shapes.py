"""What can be measured of a digit without a classifier: slant, thickness of the stroke, holes."""

import numpy as np
import torch
from torch import Tensor

INK = 128  # gray level from which a pixel counts as part of the stroke
SMALLEST_HOLE = 2  # pixels; a single dark pixel inside a stroke is no loop


def slant(pixels: Tensor) -> Tensor:
    """Return how far digits lean to the right, in pixels a pixel of height; 0 is upright.

    The covariance of x and height, divided by the variance of height, with the ink as the weight:
    the slope by which a shear would make the digit upright. 1 is an angle of 45 degrees.

    Parameters
    ----------
    pixels
        (N, 1, S, S) uint8, bright ink on black.

    Returns
    -------
    Tensor
        (N,) float64; NaN for an image without ink.
    """
    ink = pixels[:, 0].double()  # (N, S, S)
    x = torch.arange(ink.shape[-1], dtype=torch.float64)
    height = -x[:, None]  # rows count downwards
    total = ink.sum((1, 2))
    x_mean, height_mean = ((ink * place).sum((1, 2)) / total for place in (x, height))
    across, up = x - x_mean[:, None, None], height - height_mean[:, None, None]  # (N, ...)
    return (ink * across * up).sum((1, 2)) / (ink * up**2).sum((1, 2))


def thickness(pixels: Tensor) -> Tensor:
    """Return the mean thickness of a digit's strokes, in pixels.

    A stroke of length L and thickness T has an area of L T and a border of about 2 L, so T is twice
    the area by the border. Gray levels count in part: the area is the sum of the ink, the border
    the sum of its gradient's length.

    Parameters
    ----------
    pixels
        (N, 1, S, S) uint8, bright ink on black.

    Returns
    -------
    Tensor
        (N,) float64; NaN for an image without ink.
    """
    ink = torch.nn.functional.pad(pixels[:, 0].double(), (1, 1, 1, 1))  # (N, S + 2, S + 2)
    down = (ink[:, 2:, 1:-1] - ink[:, :-2, 1:-1]) / 2
    right = (ink[:, 1:-1, 2:] - ink[:, 1:-1, :-2]) / 2
    return 2 * ink.sum((1, 2)) / (down**2 + right**2).sqrt().sum((1, 2))


def holes(pixels: Tensor) -> Tensor:
    """Return how many regions the strokes of a digit enclose: 1 for a 0, 2 for an 8.

    Parameters
    ----------
    pixels
        (N, 1, S, S) uint8, bright ink on black.

    Returns
    -------
    Tensor
        (N,) int64.
    """
    from scipy import ndimage

    dark = torch.nn.functional.pad(pixels[:, 0] < INK, (1, 1, 1, 1), value=True).numpy()
    counts = []
    for image in dark:
        regions, _ = ndimage.label(image)  # neighbors by an edge: strokes may touch by a corner
        sizes = np.bincount(regions.ravel())[1:]  # without the strokes
        counts.append(int((sizes >= SMALLEST_HOLE).sum()) - 1)  # without the outside
    return torch.tensor(counts)
