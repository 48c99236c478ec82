"""What can be measured of a digit without a classifier: slant, thickness of the stroke, holes.

Each takes images (N, 1, S, S) uint8, bright ink on black, and returns (N,) numbers, float64 with
NaN for an image without ink, or int64.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

INK = 128  # gray level from which a pixel counts as part of the stroke
SMALLEST_HOLE = 2  # pixels; a single dark pixel inside a stroke is no loop


def slant(pixels: Tensor) -> Tensor:
    """Return how far digits lean to the right, in pixels a pixel of height; 0 is upright.

    The covariance of x and height, divided by the variance of height, with the ink as the weight:
    the slope by which a shear would make the digit upright. 1 is an angle of 45 degrees.
    """
    ink = pixels[:, 0].double()  # (N, S, S)
    x = torch.arange(ink.shape[-1], dtype=torch.float64)
    height = -x[:, None]  # rows count downwards
    share = ink / ink.sum((1, 2), keepdim=True)
    across, up = (place - (share * place).sum((1, 2), keepdim=True) for place in (x, height))
    return (ink * across * up).sum((1, 2)) / (ink * up**2).sum((1, 2))


def thickness(pixels: Tensor) -> Tensor:
    """Return the mean thickness of a digit's strokes, in pixels.

    Twice its area by its border, as of a rectangle of length L and thickness T: 2 L T / 2 L. The
    area is the sum of the ink, the border the sum of its gradient's length.
    """
    ink = pad(pixels[:, 0].double(), (1, 1, 1, 1))  # (N, S + 2, S + 2)
    down, right = (slope[:, 1:-1, 1:-1] for slope in torch.gradient(ink, dim=(1, 2)))
    return 2 * ink.sum((1, 2)) / (down**2 + right**2).sqrt().sum((1, 2))


def holes(pixels: Tensor) -> Tensor:
    """Return how many regions the strokes of a digit enclose: 1 for a 0, 2 for an 8."""
    from scipy import ndimage  # here, since it takes a while

    counts = []
    for image in pad(pixels[:, 0] < INK, (1, 1, 1, 1), value=True).numpy():
        regions, _ = ndimage.label(image)  # neighbors by an edge: strokes may touch by a corner
        sizes = np.bincount(regions.ravel())[1:]  # without the strokes
        counts.append(int((sizes >= SMALLEST_HOLE).sum()) - 1)  # without the outside
    return torch.tensor(counts)
