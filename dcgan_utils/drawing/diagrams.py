"""Drawings with the numbers in the cells: both convolutions, one place at a time.

Each function draws one moment into `ax` and returns it; `animations.animate` puts the moments in a
row. All grids of a drawing share one scale: a cell is one unit wide, rows run downwards.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from ..layers import conv2d, conv_transpose2d_by_stamping, insert_zeros, output_size
from .alt_texts import set_alt_text
from .plots import COLORS, in_style, new_axes

FILLED_IN = "#eeeeee"  # a cell of padding, or a zero between pixels
UNDER = "#CDE7F7"  # the same, under the kernel: a pale COLORS["window"]
CURRENT = "#333333"  # the output cell of this moment
EMPTY = "white"


def _text(value: float) -> str:
    """Return a number with a true minus sign, and without a fraction where it has none."""
    if np.isnan(value):
        return ""
    value = round(value, 2) + 0.0  # no minus before a zero
    return (f"{value:.0f}" if value == round(value) else f"{value:.2f}").replace("-", "−")


@in_style
def number_grid(
    values: Tensor,
    ax: Axes | None = None,
    place: tuple[float, float] = (0, 0),
    colors: Mapping[tuple[int, int], str] | None = None,
    title: str = "",
    size: float = 13,
    text: Callable[[float], str] = _text,
) -> Axes:
    """Draw a matrix as cells with their numbers.

    Parameters
    ----------
    values
        (rows, columns); NaN leaves a cell empty.
    ax
        Where to draw; by default new axes of the right size.
    place
        Column and row of the upper left corner, in cells.
    colors
        (row, column): the color of that cell. Others are white.
    title
        Stands above the grid.
    size
        Of the numbers, in points.
    text
        What is written for a number; by default the number.
    """
    rows, columns = values.shape
    if ax is None:
        ax = blank_axes(columns, rows + 1, scale=0.5)
    colors = colors or {}
    left, top = place
    for (row, column), value in np.ndenumerate(values.double().numpy()):
        color = colors.get((row, column), EMPTY)
        corner = (left + column, top + row)
        ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor="#888888", linewidth=0.8))
        ax.text(
            corner[0] + 0.5,
            corner[1] + 0.52,
            text(value),
            size=size,
            ha="center",
            va="center",
            color={CURRENT: "white", FILLED_IN: "#999999"}.get(color, "black"),
        )
    ax.text(left + columns / 2, top - 0.25, title, size=13, ha="center", va="bottom")
    return ax


@in_style
def blank_axes(columns: float, rows: float, scale: float = 0.45) -> Axes:
    """Return new axes without frame that hold so many cells of `scale` inches, rows downwards."""
    ax = new_axes(scale * columns, scale * rows)
    set_cells(ax, columns, rows)
    return ax


def set_cells(ax: Axes, columns: float, rows: float) -> None:
    """Make existing axes hold so many cells, with a row above them for titles."""
    ax.set(xlim=(-0.1, columns + 0.1), ylim=(rows - 0.9, -1.1), aspect="equal")
    ax.axis("off")


def cells_of(rows: int, columns: int, top: int = 0, left: int = 0) -> list[tuple[int, int]]:
    """Return row and column of each cell of a rectangle that begins at (top, left)."""
    return [(top + row, left + column) for row in range(rows) for column in range(columns)]


def _yellow(kernel: Tensor) -> dict[tuple[int, int], str]:
    return dict.fromkeys(cells_of(*kernel.shape), COLORS["kernel"])


def box(ax: Axes, left: float, top: float, columns: int, rows: int, color: str = "black") -> None:
    """Draw a thick frame around cells."""
    ax.add_patch(
        Rectangle((left, top), columns, rows, fill=False, edgecolor=color, linewidth=2.5, zorder=3)
    )


def _products(window: Tensor, kernel: Tensor, total: float) -> str:
    """Return the sum of products, written out: "1·2 + 0·(−1) + ... = 2"."""

    def factor(value: float) -> str:
        return f"({_text(value)})" if value < 0 else _text(value)

    terms = [
        f"{_text(a) if not number else factor(a)}·{factor(b)}"
        for number, (a, b) in enumerate(zip(window.flatten().tolist(), kernel.flatten().tolist()))
    ]
    return f"{' + '.join(terms)} = {_text(total)}"


def _sliding(
    ax: Axes | None,
    image: Tensor,
    given: Tensor,
    kernel: Tensor,
    stride: int,
    step: int,
    names: tuple[str, str],
) -> Axes:
    """Draw an image with added cells, the kernel at one place of it, and the output so far."""
    height, width = kernel.shape
    output = conv2d(image[None, None], kernel[None, None], stride)[0, 0]
    row, column = divmod(step, output.shape[1])
    top, left = row * stride, column * stride

    known = torch.full_like(output, torch.nan).flatten()
    known[: step + 1] = output.flatten()[: step + 1]
    added = {tuple(cell): FILLED_IN for cell in (~given).nonzero().tolist()}
    under = {
        cell: UNDER if cell in added else COLORS["window"]
        for cell in cells_of(height, width, top, left)
    }

    tall = max(len(image), len(output), height)
    kernel_at = image.shape[1] + 1.5
    output_at = kernel_at + width + 1.5
    columns, rows = output_at + output.shape[1], tall + 2.2
    if ax is None:
        ax = blank_axes(columns, rows)
    else:
        set_cells(ax, columns, rows)
    middle = [(tall - len(grid)) / 2 for grid in (image, kernel, output)]
    number_grid(image, ax, (0, middle[0]), added | under, names[0])
    box(ax, left, middle[0] + top, width, height)
    number_grid(kernel, ax, (kernel_at, middle[1]), _yellow(kernel), names[1])
    number_grid(
        known.reshape(output.shape), ax, (output_at, middle[2]), {(row, column): CURRENT}, "output"
    )
    window = image[top : top + height, left : left + width]
    text = _products(window, kernel, output[row, column].item())
    ax.text(columns / 2, tall + 0.75, text, size=13, ha="center", va="center")
    grids = f"{names[0]}; {names[1]}; output so far"
    return set_alt_text(ax, f"Grids of numbers: {grids}. At row {top}, column {left}: {text}.")


def draw_convolution(
    image: Tensor, kernel: Tensor, stride: int, padding: int, step: int, ax: Axes | None = None
) -> Axes:
    """Draw one place of a convolution: the window, the kernel, the sum and the output so far.

    Parameters
    ----------
    image
        (H, W).
    kernel
        (K, L).
    stride, padding
        In cells.
    step
        Which place, from 0 on, row by row.
    ax
        Where to draw.

    Raises
    ------
    UserError
        If the kernel does not fit, or stride or padding are not allowed.
    """
    for size, side in zip(image.shape, kernel.shape):
        output_size(size, side, stride, padding)
    padded = torch.nn.functional.pad(image, [padding] * 4)
    given = torch.nn.functional.pad(torch.ones_like(image), [padding] * 4).bool()
    names = ("input, padded" if padding else "input", "kernel")
    return _sliding(ax, padded, given, kernel, stride, step, names)


def draw_zero_insertion(
    x: Tensor, kernel: Tensor, stride: int, padding: int, step: int, ax: Axes | None = None
) -> Axes:
    """Draw one place of a fractional-strided convolution, as zeros put between and a convolution.

    Parameters as for `draw_convolution`; `step` counts output cells. The kernel is drawn flipped,
    as it is used.
    """

    def spread(values: Tensor) -> Tensor:
        above, left = (side - 1 - padding for side in kernel.shape)
        between = insert_zeros(values[None, None], stride)[0, 0]
        return torch.nn.functional.pad(between, [left, left, above, above])

    names = ("input, zeros put between and around", "kernel, flipped")
    given = spread(torch.ones_like(x)).bool()
    return _sliding(ax, spread(x), given, kernel.flip(0, 1), 1, step, names)


def draw_stamping(
    x: Tensor, kernel: Tensor, stride: int, padding: int, step: int, ax: Axes | None = None
) -> Axes:
    """Draw one pixel of a fractional-strided convolution stamping its kernel onto the output.

    Parameters as for `draw_convolution`; `step` counts input pixels. What padding cuts off is
    gray, the output is framed.
    """
    row, column = divmod(step, x.shape[1])
    height, width = kernel.shape
    so_far = x.flatten().clone()
    so_far[step + 1 :] = 0
    canvas = conv_transpose2d_by_stamping(
        so_far.reshape(1, 1, *x.shape), kernel[None, None], stride
    )[0, 0]
    stamp = x[row, column] * kernel
    top, left = row * stride, column * stride
    inside = (canvas.shape[0] - 2 * padding, canvas.shape[1] - 2 * padding)
    kept = cells_of(*inside, padding, padding)
    cut = {cell: FILLED_IN for cell in cells_of(*canvas.shape) if cell not in kept}
    under = dict.fromkeys(cells_of(height, width, top, left), COLORS["window"])

    tall = max(len(x), len(canvas))
    stamp_at = x.shape[1] + 1.5
    canvas_at = stamp_at + width + 1.5
    columns, rows = canvas_at + canvas.shape[1], tall + 2.2
    if ax is None:
        ax = blank_axes(columns, rows)
    else:
        set_cells(ax, columns, rows)
    number_grid(x, ax, (0, (tall - len(x)) / 2), {(row, column): CURRENT}, "input")
    value = _text(x[row, column].item())
    number_grid(stamp, ax, (stamp_at, (tall - height) / 2), _yellow(stamp), f"{value} × kernel")
    number_grid(canvas, ax, (canvas_at, 0), cut | under, "added so far")
    box(ax, canvas_at + left, top, width, height)
    box(ax, canvas_at + padding, padding, *inside[::-1], color=COLORS["generator"])
    text = f"pixel (row {row}, column {column}) stamps at (row {top}, column {left})"
    ax.text(columns / 2, tall + 0.75, text, size=13, ha="center", va="center")
    grids = f"input; {value} × kernel; added so far"
    return set_alt_text(ax, f"Grids of numbers: {grids}. A {text}.")


@in_style
def draw_channels(x: Tensor, weight: Tensor) -> Axes:
    """Draw a convolution with channels: a row of grids for each output channel.

    Parameters
    ----------
    x
        (C, H, W): the input channels.
    weight
        (O, C, K, L): for each output channel, a kernel for each input channel.
    """
    output = conv2d(x[None], weight)[0]
    (channels, high, wide), (outputs, _, _, side) = x.shape, weight.shape
    across, down = wide + side + 3, high + 2  # from one pair of grids to the next
    ax = blank_axes(channels * across + output.shape[2], outputs * down)
    for out in range(outputs):
        top = down * out
        for k in range(channels):
            left = across * k
            number_grid(x[k], ax, (left, top), title=f"input channel {k}")
            at = (left + wide + 1, top)
            number_grid(weight[out, k], ax, at, _yellow(weight[out, k]), f"kernel {out}, {k}")
            for place, sign in ((wide + 0.5, "∗"), (across - 1, "+" if k + 1 < channels else "=")):
                ax.text(left + place, top + 1, sign, ha="center", va="center", size=16)
        number_grid(output[out], ax, (across * channels, top), title=f"output channel {out}")
    sums = f"each of {outputs} output channels is a sum over {channels} input channels"
    return set_alt_text(ax, f"Grids of numbers: {sums}, each convolved with a kernel of its own.")
