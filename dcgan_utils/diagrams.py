"""Drawings with the numbers in their cells, of whole networks to scale, and of single operations.

Each function draws one moment and returns its axes; `animate` puts the moments in a row, `sliders`
and `buttons` let a hand choose them.
"""

import base64
import copy
import html
import io
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon, Rectangle
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from .animations import join
from .language import say
from .layers import output_size, write_counts
from .plots import COLORS, in_style, new_axes, set_alt_text, tile, to_png

# Numbers in cells: notebook 01. A cell is one unit wide, rows run downwards.
FILLED_IN = "#eeeeee"  # a cell of padding, or a zero between pixels
UNDER = "#CDE7F7"  # the same, under the kernel: a pale COLORS["window"]
CURRENT = "#333333"  # the output cell of this moment
UNREAD = "#F2B48B"  # a pixel that no window reaches: a pale COLORS["generator"]

Colors = Mapping[tuple[int, int], str]  # of a grid's cells, by row and column
Place = tuple[float, float]  # column and row of a grid's upper left corner


def number_text(value: float, digits: int = 2) -> str:
    """Return a number with a true minus sign, and without a fraction where it has none."""
    if math.isnan(value):
        return ""
    whole = abs(value - round(value)) < 1e-6
    value = round(value, digits) + 0.0  # no minus before a zero
    return f"{value:.{0 if whole else digits}f}".replace("-", "−")


@in_style
def number_grid(
    values: Tensor,
    ax: Axes,
    place: Place,
    colors: Colors | None = None,
    title: str = "",
    size: float = 13,
    text: Callable[[float], str] = number_text,
) -> Axes:
    """Draw a matrix as cells with their numbers, NaN as an empty cell, and a title above them.

    Cells are white by default; `size` is in points, and `text` turns a number into what is written.
    """
    rows, columns = values.shape
    left, top = place
    for cell, value in np.ndenumerate(values.double().numpy()):
        color = (colors or {}).get(cell, "white")
        x, y = left + cell[1], top + cell[0]
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor=color, edgecolor="#888888", linewidth=0.8))
        ink = {CURRENT: "white", FILLED_IN: "#999999"}.get(color, "black")
        ax.text(x + 0.5, y + 0.52, text(value), size=size, ha="center", va="center", color=ink)
    ax.text(left + columns / 2, top - 0.25, title, size=13, ha="center", va="bottom")
    return ax


def blank_axes(columns: float, rows: float, scale: float = 0.45) -> Axes:
    """Return new axes without frame that hold so many cells of `scale` inches, rows downwards."""
    return set_cells(new_axes(scale * columns, scale * rows), columns, rows)


def set_cells(ax: Axes, columns: float, rows: float) -> Axes:
    """Make axes hold so many cells, with a row above them for titles, and return them."""
    ax.set(xlim=(-0.1, columns + 0.1), ylim=(rows - 0.9, -1.1), aspect="equal")
    ax.axis("off")
    return ax


def _paint(color: str, rows: int, columns: int, top: int = 0, left: int = 0) -> dict:
    """Return the `Colors` of a rectangle of cells in one color that begins at (top, left)."""
    return {(top + row, left + column): color for row in range(rows) for column in range(columns)}


def _frame(ax: Axes, place: Place, rows: int, columns: int, color: str = "black") -> None:
    """Draw a thick frame around cells."""
    ax.add_patch(Rectangle(place, columns, rows, fill=False, color=color, linewidth=2.5, zorder=3))


def _row_of_grids(
    sentence: str, grids: Sequence[tuple[str, Tensor, Colors]]
) -> tuple[Axes, list[Place]]:
    """Draw grids side by side above a sentence; return new axes and the place of each grid."""
    tall = max(len(values) for _, values, _ in grids)
    columns = sum(values.shape[1] for _, values, _ in grids) + 1.5 * (len(grids) - 1)
    ax = blank_axes(columns, tall + 2.2)
    left, places = 0.0, []
    for title, values, colors in grids:
        places.append((left, (tall - len(values)) / 2))
        number_grid(values, ax, places[-1], colors, title)
        left += values.shape[1] + 1.5
    ax.text(columns / 2, tall + 0.75, sentence, size=13, ha="center", va="center")
    return ax, places


def _sliding(names: Sequence[str], x: Tensor, kernel: Tensor, stride: int, step: int) -> Axes:
    """Draw the kernel at one place of x (2, H, W), and the output so far."""
    image, given = x  # (H, W) each: the numbers, and 0 for each zero that was filled in
    output = conv2d(image[None, None], kernel[None, None], stride=stride)[0, 0]
    row, column = divmod(step, output.shape[1])
    top, left = row * stride, column * stride
    height, width = kernel.shape
    colors = dict.fromkeys(map(tuple, (given == 0).nonzero().tolist()), FILLED_IN)
    for cell, color in _paint(COLORS["window"], height, width, top, left).items():
        colors[cell] = UNDER if cell in colors else color
    window = image[top : top + height, left : left + width].flatten()
    pairs = zip(window.tolist(), kernel.flatten().tolist())
    products = " + ".join(f"{number_text(pixel)}·{number_text(weight)}" for pixel, weight in pairs)
    products = re.sub(r"(?<=[· ])−[\d.]+", r"(\g<0>)", products)  # "1·2 + 0·(−1)"
    total = f"{products} = {number_text(output[row, column].item())}"
    so_far = output.where(torch.arange(output.numel()).view_as(output) <= step, torch.nan)
    grids = [
        (names[0], image, colors),
        (names[1], kernel, _paint(COLORS["kernel"], *kernel.shape)),
        ("output", so_far, {(row, column): CURRENT}),
    ]
    ax, [(x_at, y_at), *_] = _row_of_grids(total, grids)
    _frame(ax, (x_at + left, y_at + top), height, width)
    words = f"Grids of numbers: {names[0]}; {names[1]}; output so far."
    return set_alt_text(ax, f"{words} At row {top}, column {left}: {total}.")


def draw_convolution(image: Tensor, kernel: Tensor, stride: int, padding: int, step: int) -> Axes:
    """Draw one place of a convolution of (H, W) with (K, L): window, kernel, sum, output so far.

    `step` counts the places from 0 on, row by row.
    """
    names = ("input, padded" if padding else "input", "kernel")
    widened = pad(torch.stack([image, torch.ones_like(image)]), [padding] * 4)
    return _sliding(names, widened, kernel, stride, step)


def draw_zero_insertion(x: Tensor, kernel: Tensor, stride: int, padding: int, step: int) -> Axes:
    """Draw output cell `step` of a fractional-strided convolution, as a convolution."""
    names = ("input, zeros put between and around", "kernel, flipped")
    above, left = (side - 1 - padding for side in kernel.shape)
    spread = x.new_zeros(2, *((size - 1) * stride + 1 for size in x.shape))
    spread[:, ::stride, ::stride] = torch.stack([x, torch.ones_like(x)])
    widened = pad(spread, [left, left, above, above])
    return _sliding(names, widened, kernel.flip(0, 1), 1, step)


def draw_stamping(x: Tensor, kernel: Tensor, stride: int, padding: int, step: int) -> Axes:
    """Draw input pixel `step` of a fractional-strided convolution stamping its kernel."""
    row, column = divmod(step, x.shape[1])
    top, left = row * stride, column * stride
    so_far = x.where(torch.arange(x.numel()).view_as(x) <= step, 0)
    canvas = conv_transpose2d(so_far[None, None], kernel[None, None], stride=stride)[0, 0]
    rows, columns = (side - 2 * padding for side in canvas.shape)  # of the output, which is framed
    colors = _paint(FILLED_IN, *canvas.shape) | _paint("white", rows, columns, padding, padding)
    colors |= _paint(COLORS["window"], kernel.shape[0], kernel.shape[1], top, left)
    stamp = f"{number_text(x[row, column].item())} × kernel"
    sentence = f"pixel (row {row}, column {column}) stamps at (row {top}, column {left})"
    grids = [
        ("input", x, {(row, column): CURRENT}),
        (stamp, x[row, column] * kernel, _paint(COLORS["kernel"], *kernel.shape)),
        ("added so far", canvas, colors),
    ]
    ax, [*_, (x_at, y_at)] = _row_of_grids(sentence, grids)
    _frame(ax, (x_at + left, y_at + top), *kernel.shape)
    _frame(ax, (x_at + padding, y_at + padding), rows, columns, COLORS["generator"])
    return set_alt_text(ax, f"Grids of numbers: input; {stamp}; added so far. A {sentence}.")


@in_style
def draw_channels(x: Tensor, weight: Tensor) -> Axes:
    """Draw a convolution of x (C, H, W) with weight (O, C, K, L): a row for each output channel."""
    output = conv2d(x[None], weight)[0]
    (channels, high, wide), (outputs, _, _, side) = x.shape, weight.shape
    across, down = wide + side + 3, high + 2  # from one pair of grids to the next
    ax = blank_axes(channels * across + output.shape[2], outputs * down)
    yellow = _paint(COLORS["kernel"], *weight.shape[2:])
    for out in range(outputs):
        top = down * out
        for k in range(channels):
            left = across * k
            number_grid(x[k], ax, (left, top), title=f"input channel {k}")
            number_grid(weight[out, k], ax, (left + wide + 1, top), yellow, f"kernel {out}, {k}")
            for place, sign in ((wide + 0.5, "∗"), (across - 1, "+" if k + 1 < channels else "=")):
                ax.text(left + place, top + 1, sign, ha="center", va="center", size=16)
        number_grid(output[out], ax, (across * channels, top), title=f"output channel {out}")
    sums = f"each of {outputs} output channels is a sum over {channels} input channels"
    return set_alt_text(ax, f"Grids of numbers: {sums}, each convolved with a kernel of its own.")


@in_style
def draw_reads(size: int, kernel: int, stride: int, padding: int = 0, window: int = 0) -> Axes:
    """Draw how often a convolution reads each cell of a square image, and how large its output is.

    `window` is the place that is shown, row by row. A kernel that does not fit gets a sentence.
    """
    ax = new_axes(8, 4.6)
    padded = size + 2 * padding
    if kernel > padded:
        set_cells(ax, 16, 9)
        sentence = f"A kernel of {kernel} does not fit into a padded image of {padded}:\n"
        ax.text(8, 4, f"{sentence}take a smaller kernel or more padding.", ha="center", size=13)
        return ax
    side = output_size(size, kernel, stride, padding)
    remainder = (padded - kernel) % stride
    reads = pad(write_counts(side, kernel, stride), [0, remainder] * 2)
    row, column = divmod(min(window, side**2 - 1), side)
    inside = _paint("white", size, size, padding, padding)
    unread = [cell for cell in inside if not reads[cell]]
    colors = _paint(FILLED_IN, padded, padded) | inside | dict.fromkeys(unread, UNREAD)
    for cell in _paint("", kernel, kernel, row * stride, column * stride):
        colors[cell] = COLORS["window"] if cell in inside else UNDER
    columns = padded + 1.5 + side
    set_cells(ax, columns, padded + 1)
    number_grid(reads, ax, (0, 0), colors, "how often each cell is read", min(13, 210 / columns))
    _frame(ax, (column * stride, row * stride), kernel, kernel)
    blank = torch.full((side, side), torch.nan)
    at = (padded + 1.5, (padded - side) / 2)
    number_grid(blank, ax, at, {(row, column): CURRENT}, f"output {side}×{side}")
    formula = f"⌊({size} + 2·{padding} − {kernel}) / {stride}⌋ + 1 = {side}, remainder {remainder}"
    missed = f"{len(unread)} of {size**2} pixels are never read"
    ax.set_title(f"{formula}\n{missed if unread else 'every pixel is read'}")
    return ax


# Networks: notebook 04. All is taken from a network by running it once. These are inches.
WIDTH = 10.0
GAP = 1.0  # between two blocks: an arrow and its labels
TALLEST = 2.3  # the largest feature map, as drawn
MARGIN = 0.4  # left and right of the blocks
OBLIQUE = 0.5 / math.sqrt(2)  # edges that lead away from the reader: 45 degrees, half length


CONVOLUTIONS = nn.Conv2d, nn.ConvTranspose2d

Layer = tuple[nn.Module, Tensor]  # a layer, and its output when one batch went through


def trace(network: nn.Module, x: Tensor) -> list[Layer]:
    """Send a batch x through a network and list the layers it passes, with their outputs.

    It goes through a copy in evaluation mode.
    """
    layers: list[Layer] = []
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda own, _, y: layers.append((own, y.clone())))
    with torch.no_grad():
        network(x)
    return layers


def _steps(network: nn.Module, x: Tensor) -> list[list[Layer]]:
    """Group layers: each step is a convolution, or another change of shape, and what follows."""
    steps: list[list[Layer]] = []
    shape = x.shape
    for layer, output in trace(network, x):
        if isinstance(layer, CONVOLUTIONS) or output.shape != shape or not steps:
            steps.append([])
        steps[-1].append((layer, output))
        shape = output.shape
    return steps


@in_style
def draw_network(network: nn.Module, x: Tensor) -> Axes:
    """Draw each feature map as a block, to scale; its length is the number of channels.

    The layers stand between the blocks; there is width for seven convolutions.
    """
    steps = _steps(network, x)
    blocks = [_block(x.shape[1:]), *(_block(step[0][1].shape[1:]) for step in steps)]
    enlarges = blocks[-1][1] > blocks[0][1]
    per_pixel = TALLEST / (1 + OBLIQUE) / max(side for _, side, _ in blocks)
    width = WIDTH - 2 * MARGIN - GAP * len(steps)
    width -= sum(OBLIQUE * per_pixel * side for _, side, _ in blocks)
    per_channel = max(width, 1.0) / sum(channels for channels, _, _ in blocks)
    ax = new_axes(WIDTH, 3.4)
    left = MARGIN
    for index, (channels, side, size) in enumerate(blocks):
        if index:
            _draw_arrow(ax, left, steps[index - 1])
            left += GAP
        length, height = per_channel * channels, per_pixel * side
        _draw_block(ax, left, length, height, COLORS["generator" if enlarges else "discriminator"])
        right = left + length + OBLIQUE * height
        ax.text((left + right) / 2, -height * (1 + OBLIQUE) / 2 - 0.06, size, va="top", ha="center")
        left = right

    # beside the small blocks an upright bar of pixels and a level one of channels
    left, bottom = 0.1 if enlarges else WIDTH - 2.6, -TALLEST / 2 - 0.25
    for unit, name, across, up in ((per_pixel, "pixel", 0, 1), (per_channel, "channel", 1, 0)):
        count = 2 ** max(0, round(math.log2(0.5 / unit)))  # a power of two, about half an inch long
        ends = [left, left + across * count * unit], [bottom, bottom + up * count * unit]
        ax.plot(*ends, color="0.15", linewidth=2.5, solid_capstyle="butt")
        text = f"{count} {name}{'s' * (count > 1)}"
        ax.text(left + 0.08 * up, bottom + 0.06 * across, text, va="bottom", fontsize=11)
        left += 1.25

    count = sum(numbers.numel() for numbers in network.parameters())
    sizes = [size for _, _, size in blocks]
    title = f"{type(network).__name__}: {sizes[0]} to {sizes[-1]} with {count:,} parameters"
    ylim = (-TALLEST / 2 - 0.4, TALLEST / 2 + 0.1)
    ax.set(title=title, xlim=(0, WIDTH), ylim=ylim, aspect="equal")
    ax.axis("off")
    scale = "drawn to scale as one block for each feature map"
    return set_alt_text(ax, f"{title}, {scale}: {', '.join(sizes)}.")


def _block(shape: Sequence[int]) -> tuple[int, int, str]:
    """Return the channels, the side and the written size of a feature map; a vector has side 1."""
    channels, side = shape[0], shape[-1] if len(shape) == 3 else 1
    return channels, side, f"{side}×{side}×{channels}"


def _draw_block(ax: Axes, left: float, length: float, height: float, color: str) -> None:
    """Draw a box as seen from its front, a little from above and from the right."""
    back = OBLIQUE * height
    bottom = -(height + back) / 2
    right, top = left + length, bottom + height
    front = [(left, bottom), (right, bottom), (right, top), (left, top)]
    lid = [(left, top), (right, top), (right + back, top + back), (left + back, top + back)]
    end = [(right, bottom), (right + back, bottom + back), (right + back, top + back), (right, top)]
    for corners, strength in ((front, 0.45), (lid, 0.25), (end, 0.8)):
        fill = tuple(1 - strength * (1 - part) for part in to_rgb(color))
        ax.add_patch(Polygon(corners, facecolor=fill, edgecolor="0.15", linewidth=0.8, zorder=2))


def _draw_arrow(ax: Axes, left: float, step: Sequence[Layer]) -> None:
    """Draw the arrow from one block to the next and name the layers of the step above it."""
    (first, _), *others = step
    names = [type(layer).__name__ for layer, _ in others[::-1]]
    lines = [(name.replace("BatchNorm2d", "batch norm"), "0.35") for name in names]
    if isinstance(first, CONVOLUTIONS):
        side = first.kernel_size[0]
        lines += [(f"stride {first.stride[0]}", "black"), (f"{side}×{side}", "black")]
    else:
        lines.append((type(first).__name__, "black"))
    arrow = {"arrowstyle": "-|>", "color": "0.15", "linewidth": 1.4}
    ax.annotate("", (left + GAP - 0.06, 0), (left + 0.06, 0), arrowprops=arrow)
    for number, (text, color) in enumerate(lines):
        y = 0.07 + 0.18 * number
        ax.text(left + GAP / 2, y, text, ha="center", va="bottom", fontsize=11, color=color)


@in_style
def draw_feature_maps(network: nn.Module, x: Tensor, count: int = 16) -> list[Axes]:
    """Draw what the first of a batch becomes, at each step that `draw_network` draws.

    Of maps, the `count` that vary most are drawn, each from black to white; of numbers, all.
    """
    steps = _steps(network, x[:1])
    layers = [x[0], *(step[-1][1][0] for step in steps)]  # (channels, height, width) each
    axes = plt.subplots(1, len(layers), figsize=(WIDTH, 2.3))[1]
    for ax, maps in zip(axes, layers):
        channels, side, size = _block(maps.shape)
        maps = maps.reshape(channels, side, side)  # a vector's numbers are maps of one pixel
        if side > 1:
            maps = maps[maps.flatten(1).std(dim=1).argsort(descending=True)[:count]]
        each = (1, 2) if side > 1 else (0, 1, 2)  # single numbers are compared with one another
        low, high = maps.amin(each, keepdim=True), maps.amax(each, keepdim=True)
        shown = ((maps - low) / (high - low).clamp(min=1e-6) * 255).round().byte()
        columns, gap = math.ceil(len(shown) ** 0.5), max(side // 8, int(side > 1))
        ax.imshow(tile(shown[:, None], columns, gap), interpolation="nearest")
        logit = f"logit {maps[0].mean():.1f}".replace("-", "−")
        ax.set_title(logit if channels == side == 1 else size)
        ax.axis("off")
    titles = ", ".join(ax.get_title("left") for ax in axes)
    set_alt_text(axes[0], f"What one input of {type(network).__name__} becomes: {titles}.")
    return list(axes)


# Moments in a row, or chosen by hand


def animate(draw: Callable[[int], Axes], count: int, seconds: float = 1.2) -> bytes:
    """Return an animated PNG of a drawing at its moments 0 to count - 1, the last twice as long."""
    files = [io.BytesIO(to_png(draw(moment), 100)) for moment in range(count)]
    pictures = [Image.open(file).convert("RGB") for file in files]
    palette = pictures[-1].quantize(64, method=Image.Quantize.MAXCOVERAGE)  # smooth letters still
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    return join(pictures, [1000 * seconds] * (count - 1) + [2000 * seconds])


def sliders(
    draw: Callable[[list[float]], Axes],
    names: Sequence[str],
    limit: float | Sequence[tuple[float, float]],
    step: float = 0.5,
    start: Sequence[float] | None = None,
) -> Any:
    """Return an `ipywidgets.VBox`: a column of sliders, and the picture that `draw` makes of them.

    They begin at `start`, by default at 0, and go from -limit to limit, or `limit` has the ends of
    each. An `int` as `step` makes sliders of whole numbers. A stored notebook can't hold them:
    outside JupyterLab the picture is drawn once, as they begin.
    """
    start = start or [0.0] * len(names)
    if "JPY_SESSION_NAME" not in os.environ:  # Jupyter's server names a notebook to its kernel so
        draw(list(start))
        plt.show()
        return None
    import ipywidgets

    ends = [(-limit, limit)] * len(names) if isinstance(limit, (int, float)) else limit
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    column = [
        kind(value=value, min=low, max=high, step=step, description=say(name))
        for name, (low, high), value in zip(names, ends, start)
    ]
    picture = ipywidgets.HTML()

    def show(_: object = None) -> None:
        picture.value = _as_html(draw([slider.value for slider in column]))

    for slider in column:
        slider.observe(show, "value")
    show()
    return ipywidgets.VBox([*column, picture])


def buttons(
    draw: Callable[[], Axes],
    presses: Mapping[str, Callable[[], object]],
    rates: Mapping[str, tuple[float, Callable[[float], object]]],
) -> Any:
    """Return an `ipywidgets.VBox`: buttons for `presses`, sliders for `rates`, and the picture.

    Each rate has a start, between 0.0001 and 0.1, and a function that takes a new one. Outside of
    JupyterLab, and stored, it is the picture alone.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        draw()
        return None
    import ipywidgets

    picture = ipywidgets.HTML()

    def answer(do: Callable[[], object]) -> None:
        do()
        picture.value = _as_html(draw())

    row, column = [], []
    for name, press in presses.items():
        row.append(ipywidgets.Button(description=say(name)))
        row[-1].on_click(lambda _, press=press: answer(press))
    for name, (rate, move) in rates.items():
        column.append(
            ipywidgets.FloatLogSlider(rate, min=-4, max=-1, step=0.1, description=say(name))
        )
        column[-1].observe(lambda change, move=move: answer(lambda: move(change["new"])), "value")
    answer(lambda: None)
    return ipywidgets.VBox([ipywidgets.HBox(row), *column, picture])


def _as_html(ax: Axes) -> str:
    """Return the figure of `ax` as HTML, since the widget for pictures knows no alt texts."""
    words = html.escape(str(ax.figure.figure.get_label() or ax.get_title("left")))
    png = base64.b64encode(to_png(ax, 80)).decode()
    return f'<img alt="{words}" src="data:image/png;base64,{png}">'
