"""What the sliders of notebook 01 move: how often cells are read, and how evenly written."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from ..layers import conv2d, conv_transpose2d_by_stamping, output_size, write_counts
from .diagrams import CURRENT, FILLED_IN, UNDER, box, cells_of, number_grid, set_cells
from .plots import COLORS, in_style, new_axes

UNREAD = "#F2B48B"  # a pixel that no window reaches: a pale COLORS["generator"]


@in_style
def draw_reads(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    window: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often a convolution reads each cell of a square image, and how large its output is.

    Parameters
    ----------
    size, kernel, stride, padding
        In cells along one side.
    window
        Which place of the window is shown, row by row; past the last it is the last.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
        Its title is the formula with these numbers, and how many pixels are never read. A kernel
        that does not fit gets a sentence in place of a picture.

    Raises
    ------
    UserError
        If the stride or the padding is not allowed.
    """
    ax = ax or new_axes(8, 4.6)
    padded = size + 2 * padding
    if kernel > padded:
        set_cells(ax, 16, 9)
        sentence = f"A kernel of {kernel} does not fit into a padded image of {padded}:\n"
        sentence += "take a smaller kernel or more padding."
        ax.text(8, 4, sentence, ha="center", size=13)
        return ax
    side = output_size(size, kernel, stride, padding)
    remainder = (padded - kernel) % stride
    reads = torch.nn.functional.pad(write_counts(side, kernel, stride), [0, remainder] * 2)
    inside = cells_of(size, size, padding, padding)
    unread = dict.fromkeys([cell for cell in inside if not reads[cell]], UNREAD)
    colors = {cell: FILLED_IN for cell in cells_of(padded, padded) if cell not in inside} | unread
    row, column = divmod(min(window, side**2 - 1), side)
    under = cells_of(kernel, kernel, row * stride, column * stride)
    colors |= {cell: COLORS["window"] if cell in inside else UNDER for cell in under}

    columns = padded + 1.5 + side
    set_cells(ax, columns, padded + 1)
    points = min(13, 210 / columns)
    number_grid(reads, ax, (0, 0), colors, "how often each cell is read", points)
    box(ax, column * stride, row * stride, kernel, kernel)
    blank = torch.full((side, side), torch.nan)
    at = (padded + 1.5, (padded - side) / 2)
    number_grid(blank, ax, at, {(row, column): CURRENT}, f"output {side}×{side}")
    missed = f"{len(unread)} of {size**2} pixels are never read"
    ax.set_title(
        f"⌊({size} + 2·{padding} − {kernel}) / {stride}⌋ + 1 = {side}, remainder {remainder}\n"
        f"{missed if unread else 'every pixel is read'}"
    )
    return ax


@in_style
def draw_evenness(kernel: int, stride: int, seed: int = 0) -> Axes:
    """Draw what a layer makes of an image that is 1 everywhere, away from the edge.

    Three maps: stamps of ones, which count how often a cell is written; stamps of random weights;
    and the same weights as an ordinary convolution of the enlarged image.

    Parameters
    ----------
    kernel, stride
        In cells.
    seed
        Draws the weights, from N(0, 1).
    """
    weights = torch.randn(1, 1, kernel, kernel, generator=torch.Generator().manual_seed(seed))
    ones = torch.ones(1, 1, kernel + 8, kernel + 8)
    start = (kernel // stride + 1) * stride  # past the edge, on the first kind of cell
    middle = slice(start, start + 6)
    counts = write_counts(kernel + 8, kernel, stride)[middle, middle].double()
    random = conv_transpose2d_by_stamping(ones, weights, stride)[0, 0][middle, middle]
    enlarged = conv2d(ones, weights)[0, 0, :6, :6]  # an image of ones, enlarged, is one still
    _, panels = plt.subplots(1, 3, figsize=(10, 3.9), gridspec_kw={"wspace": 0.06})
    names = ("weights of 1", "random weights", "the same, after enlarging")
    for ax, values, name in zip(panels, (counts, random, enlarged), names):
        largest = values.abs().max().item() if values is counts else weights.norm().item()
        ax.imshow(values.numpy(), cmap="PuOr_r", vmin=-1.5 * largest, vmax=1.5 * largest)
        low, high = _tenths(values.min().item()), _tenths(values.max().item())
        for (row, column), value in np.ndenumerate(values.numpy()):
            ax.text(column, row, _tenths(value), size=11, ha="center", va="center")
        ax.set_title(f"{name}:\n{low} everywhere" if low == high else f"{name}:\n{low} to {high}")
        ax.set_anchor("S")  # room for the title
        ax.axis("off")
    return ax


def _tenths(value: float) -> str:
    """Return a number with one digit after the point; a whole number without."""
    return (f"{value:.0f}" if value == round(value) else f"{value:.1f}").replace("-", "−")
