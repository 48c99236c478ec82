"""Pictures from numbers and tensors: each function draws into its `ax` and returns it."""

import functools
import io
import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor

from ..data import unscale
from ..losses import Quantity
from ..training import History
from .alt_texts import set_alt_text as set_alt_text  # for notebooks, which import this module

Given = ParamSpec("Given")  # what a function that draws is given, and what it returns
Drawn = TypeVar("Drawn")

# Okabe and Ito's palette: told apart in greyscale and by color-blind readers. The same thing has
# the same color throughout the course.
COLORS = {
    "discriminator": "#0072B2",
    "generator": "#D55E00",
    "real": "#009E73",
    "fake": "#CC79A7",
    "fake after": "#E69F00",
    "reference": "#555555",
    # notebook 01
    "window": "#56B4E9",
    "kernel": "#F0E442",
    # notebook 02
    "batch norm": "#56B4E9",
    "no batch norm": "#555555",
    # notebook 03: an activation has the color of the network that uses it
    "sigmoid": "#56B4E9",
    "tanh": "#E69F00",
    "relu": "#D55E00",
    "leaky relu": "#0072B2",
}

STYLE: dict[Any, Any] = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def in_style(draw: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """Decorate a function that draws: it does so in the course's style."""

    @functools.wraps(draw)
    def styled(*args: Given.args, **kwargs: Given.kwargs) -> Drawn:
        with plt.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


@in_style
def new_axes(width: float = 8.0, height: float = 3.6) -> Axes:
    """Return the axes of a new figure in the course's style; sizes in inches."""
    return plt.subplots(figsize=(width, height))[1]


def to_png(ax: Axes, dots_per_inch: int = 120) -> bytes:
    """Return the figure that `ax` is part of as a PNG file's bytes, and close it."""
    buffer = io.BytesIO()
    figure = ax.figure.figure  # the whole one
    figure.savefig(buffer, format="png", dpi=dots_per_inch)
    plt.close(figure)
    return buffer.getvalue()


def tile(images: Tensor, columns: int, gap: int = 2) -> np.ndarray:
    """Lay images out as one picture, row by row.

    Parameters
    ----------
    images
        (B, C, S, S): uint8, or floats in [-1, 1].
    columns
        Images in a row.
    gap
        Mid-gray pixels between neighbors.

    Returns
    -------
    array
        (height, width, 3) uint8; gray images get three equal channels.
    """
    from torchvision.utils import make_grid  # which takes a second to import

    pixels = images if images.dtype == torch.uint8 else unscale(images)
    picture = make_grid(pixels.cpu(), nrow=columns, padding=gap, pad_value=128)
    if len(pixels) > 1 and gap:  # torchvision puts a frame around the whole, but not around one
        picture = picture[:, gap:-gap, gap:-gap]
    return picture.permute(1, 2, 0).numpy()


def mosaic_png(images: Tensor, gap: int = 2, columns: int | None = None) -> bytes:
    """Return images (B, C, S, S) uint8 as one PNG file, pixel by pixel; by default a square.

    Row by row, and in one channel where the images are gray, so that 100,000 need little memory.
    """
    columns = columns or math.ceil(len(images) ** 0.5)
    side, channels = images.shape[-1], images.shape[1]
    rows = math.ceil(len(images) / columns)
    shape = (rows * (side + gap) - gap, columns * (side + gap) - gap, channels)
    canvas = np.full(shape, 128, dtype=np.uint8)
    for row, part in enumerate(images.split(columns)):
        strip = tile(part, columns, gap)[..., :channels]  # (side, width, channels)
        top = row * (side + gap)
        canvas[top : top + side, : strip.shape[1]] = strip
    buffer = io.BytesIO()
    picture = Image.fromarray(canvas.reshape(shape[:2]) if channels == 1 else canvas)
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


@in_style
def image_grid(
    images: Tensor, title: str = "", columns: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw images (B, C, S, S), uint8 or in [-1, 1], as a grid; by default as square as can be."""
    columns = columns or round(len(images) ** 0.5)
    rows = -(-len(images) // columns)
    ax = ax or new_axes(0.55 * columns + 0.3, 0.55 * rows + 0.5)
    ax.imshow(tile(images, columns), interpolation="nearest")
    ax.set_title(title)
    ax.axis("off")
    return ax


def smooth(values: Tensor, window: int) -> Tensor:
    """Return the running mean (rows,) of a column over up to `window` rows ending at each."""
    sums = torch.cumsum(values, dim=0)
    before = torch.cat([torch.zeros(min(window, len(values))), sums[:-window]])
    counts = torch.arange(1, len(values) + 1).clamp(max=window)
    return (sums - before) / counts


def middle_half(values: Tensor, window: int, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the quartiles (places,) of a column over up to `window` rows ending at each place."""
    padded = torch.nn.functional.pad(values, (window - 1, 0), value=torch.nan)
    near = padded.unfold(0, window, 1)[places]  # (places, window)
    return near.nanquantile(0.25, dim=1), near.nanquantile(0.75, dim=1)


def metric_curves(history: History, quantity: Quantity, ax: Axes) -> dict[str, float]:
    """Draw all metrics of one quantity: running means, and bands that hold half of the rows.

    A line for each row as well would cover the other metrics' lines.

    Names, colors and the line to compare with are those of the run's objective.

    Returns
    -------
    dict
        Where each bold line ends, by the metric's key.
    """
    means, window = {}, max(1, len(history) // 40)
    places = torch.linspace(0, len(history) - 1, min(400, len(history))).round().long()
    for metric in history.metrics:
        if metric.quantity == quantity:
            values, color = history[metric.key], COLORS[metric.color]
            mean, half = smooth(values, window), middle_half(values, window, places)
            ax.fill_between(history["step"][places], *half, color=color, alpha=0.2, linewidth=0)
            ax.plot(history["step"], mean, color=color, linewidth=2.2, label=metric.label)
            means[metric.key] = mean
    if quantity.guide:
        value, meaning = quantity.guide
        ax.axhline(value, color=COLORS["reference"], linestyle=":", label=meaning)
    ax.set(xlabel="step", ylabel=quantity.name)
    ax.legend(loc="upper right", ncols=3)
    later = torch.cat([mean[len(mean) // 20 :] for mean in means.values()])
    low, high = min(0.0, 1.2 * later.min().item()), max(0.0, 1.4 * later.max().item())
    ax.set_ylim(quantity.limits or (low, high))  # the first steps and single ones may leave it
    return {key: mean[-1].item() for key, mean in means.items()}


@in_style
def loss_curves(history: History, ax: Axes | None = None) -> Axes:
    """Draw Loss_D and Loss_G over the steps."""
    ax = ax or new_axes()
    ends = metric_curves(history, history.metrics[0].quantity, ax)
    ax.set_title(f"The losses end at {ends['loss_d']:.2f} (D) and {ends['loss_g']:.2f} (G)")
    return ax


@in_style
def score_curves(history: History, ax: Axes | None = None) -> Axes:
    """Draw what D says of real images, and of generated ones before and after its own step."""
    ax = ax or new_axes()
    ends = metric_curves(history, history.metrics[2].quantity, ax)
    ax.set_title(
        f"D says {ends['d_real']:.2f} of real images and {ends['d_fake_before']:.2f} of "
        f"generated ones"
    )
    return ax


@in_style
def filmstrip(
    frames: dict[int, Tensor],
    rows: int = 6,
    pictures: int = 8,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the same latent vectors at chosen steps side by side, one column for each step.

    Parameters
    ----------
    frames
        Finished steps: samples (B, C, S, S) uint8.
    rows
        How many of the latent vectors to show.
    pictures
        How many of the steps to show, spread over those there are.
    title
        By default, how many latent vectors these are.
    ax
        Where to draw.
    """
    places = torch.linspace(0, len(frames) - 1, min(pictures, len(frames))).round().int()
    steps = [sorted(frames)[place] for place in places.tolist()]
    columns = torch.stack([frames[step][:rows] for step in steps], dim=1)  # (rows, steps, C, S, S)
    images = columns.flatten(0, 1)
    ax = ax or new_axes(1.0 * len(steps), 1.0 * len(columns) + 0.9)
    ax.imshow(tile(images, len(steps)), interpolation="nearest")
    side = images.shape[-1]
    ax.set_xticks([(side + 2) * place + side / 2 for place in range(len(steps))], steps)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("training steps")
    ax.set_title(title or f"The same {len(columns)} latent vectors in the course of training")
    return ax


@in_style
def real_beside_fake(
    real: Tensor, fake: Tensor, columns: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw equally many real images (left) and generated ones (right), each (B, C, S, S)."""
    count = min(len(real), len(fake))
    columns = columns or round(count**0.5)
    left, right = tile(real[:count], columns), tile(fake[:count], columns)
    gap = np.full((len(left), left.shape[1] // 12, 3), 255, dtype=np.uint8)
    ax = ax or new_axes(9.0, 4.9)
    ax.imshow(np.concatenate([left, gap, right], axis=1), interpolation="nearest")
    ax.axis("off")
    ax.set_title("Real images (left) beside generated ones (right)")
    return ax
