"""Pictures from numbers and tensors: each function draws into its `ax` and returns it."""

import io
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from .data import unscale
from .training import History

COLORS = {  # Okabe and Ito's: told apart in greyscale and by color-blind readers
    "discriminator": "#0072B2",
    "generator": "#D55E00",
    "real": "#009E73",
    "fake": "#CC79A7",
    "fake after": "#E69F00",
    "reference": "#555555",
    "window": "#56B4E9",
    "kernel": "#F0E442",
    "batch norm": "#56B4E9",
    "no batch norm": "#555555",
    "sigmoid": "#56B4E9",
    "tanh": "#E69F00",
    "relu": "#D55E00",  # as the generator, which uses it
    "leaky relu": "#0072B2",
}
STYLE: dict = {
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
CURVES = {  # of the numbers that are known: label, color, whose it is in a title
    "loss_d": ("Loss_D", COLORS["discriminator"], "(D)"),
    "loss_g": ("Loss_G", COLORS["generator"], "(G)"),
    "d_real": ("D(x)", COLORS["real"], "of real images"),
    "d_fake_before": ("D(G(z)) before D's step", COLORS["fake"], "of generated ones"),
    "d_fake_after": ("D(G(z)) after", COLORS["fake after"], ""),
}
OTHER_COLORS = ["#56B4E9", "#000000", "#882255", "#999933", "#332288"]
in_style = plt.style.context(STYLE)  # decorates a function that draws in the course's style


@in_style
def new_axes(width: float = 8.0, height: float = 3.6) -> Axes:
    """Return the axes of a new figure in the course's style; sizes in inches."""
    return plt.subplots(figsize=(width, height))[1]


def to_png(ax: Axes, dots_per_inch: int = 120) -> bytes:
    """Return the figure that `ax` is part of as a PNG file's bytes, and close it."""
    buffer = io.BytesIO()
    ax.figure.figure.savefig(buffer, format="png", dpi=dots_per_inch)
    plt.close(ax.figure.figure)
    return buffer.getvalue()


def set_alt_text(ax: Axes, words: str) -> Axes:
    """Give the figure that `ax` is part of an alt text of its own, and return `ax`."""
    ax.figure.figure.set_label(words)
    return ax


def tile(images: Tensor, columns: int, gap: int = 2) -> np.ndarray:
    """Lay images (B, C, S, S), uint8 or in [-1, 1], out in rows, as (height, width, 3) uint8."""
    pixels = (images if images.dtype == torch.uint8 else unscale(images)).cpu().numpy()
    side, columns = pixels.shape[-1], min(columns, len(pixels))
    cell, rows = side + gap, math.ceil(len(pixels) / columns)
    picture = np.full((rows * cell - gap, columns * cell - gap, 3), 128, dtype=np.uint8)
    for place, image in enumerate(pixels):
        top, left = place // columns * cell, place % columns * cell
        picture[top : top + side, left : left + side] = image.transpose(1, 2, 0)
    return picture


def mosaic_png(images: Tensor, gap: int = 2, columns: int = 0) -> bytes:
    """Return images, as `tile` takes them, as a PNG file, gray if they are; by default a square."""
    picture = Image.fromarray(tile(images, columns or math.ceil(len(images) ** 0.5), gap))
    buffer = io.BytesIO()
    picture.convert("L" if images.shape[1] == 1 else "RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@in_style
def image_grid(images: Tensor, title: str = "", columns: int = 0, ax: Axes | None = None) -> Axes:
    """Draw images (B, C, S, S), uint8 or in [-1, 1], as a grid; by default as square as can be."""
    columns = columns or round(len(images) ** 0.5)
    ax = ax or new_axes(0.55 * columns + 0.3, 0.55 * math.ceil(len(images) / columns) + 0.5)
    ax.imshow(tile(images, columns), interpolation="nearest")
    ax.set_title(title)
    ax.axis("off")
    return ax


@in_style
def filmstrip(frames: dict[int, Tensor], rows: int = 6) -> Axes:
    """Draw samples (B, C, S, S) uint8 by steps: a row for each latent vector, up to 8 steps."""
    places = torch.linspace(0, len(frames) - 1, min(8, len(frames))).round().int()
    steps = [sorted(frames)[place] for place in places.tolist()]
    images = torch.stack([frames[step][:rows] for step in steps], dim=1)  # (rows, steps, C, S, S)
    ax = new_axes(1.0 * len(steps), 1.0 * len(images) + 0.9)
    ax.imshow(tile(images.flatten(0, 1), len(steps)), interpolation="nearest")
    side = images.shape[-1]
    ax.set_xticks([(side + 2) * place + side / 2 for place in range(len(steps))], steps)
    ax.set(yticks=[], xlabel="training steps", frame_on=False)
    ax.set_title(f"The same {len(images)} latent vectors in the course of training")
    ax.grid(visible=False)
    return ax


@in_style
def real_beside_fake(real: Tensor, fake: Tensor, columns: int = 0) -> Axes:
    """Draw equally many real images (left) and generated ones (right), each (B, C, S, S)."""
    count = min(len(real), len(fake))
    columns = columns or round(count**0.5)
    left, right = tile(real[:count], columns), tile(fake[:count], columns)
    gap = np.full_like(left[:, : left.shape[1] // 12], 255)
    ax = new_axes(9.0, 4.9)
    ax.imshow(np.hstack([left, gap, right]), interpolation="nearest")
    ax.set_title("Real images (left) beside generated ones (right)")
    ax.axis("off")
    return ax


def loss_curves(history: History, ax: Axes | None = None) -> Axes:
    """Draw the losses over the steps, and beside them what else an objective reports."""
    return _curves(history, ax, "loss [nats]" if history.probability else "loss", scores=False)


def score_curves(history: History, ax: Axes | None = None) -> Axes:
    """Draw what D says of real images, and of generated ones before and after its own step."""
    ylabel = "mean probability of “real”" if history.probability else "mean output of D"
    return _curves(history, ax, ylabel, scores=True)


@in_style
def _curves(history: History, ax: Axes | None, ylabel: str, scores: bool) -> Axes:
    """Draw a running mean of each column's finite values, and a band that holds half of them."""
    ax, later, ends = ax or new_axes(), list[Tensor](), list[str]()
    for name in history.names:
        known = history[name].isfinite()
        if name.startswith("d_") != scores or not known.any():
            continue
        steps, values = history["step"][known], history[name][known]
        label, color, whose = CURVES.get(name) or (name, OTHER_COLORS[len(later) % 5], "")
        window = max(1, len(values) // 40)
        sums = pad(values.cumsum(0), (window, 0))
        mean = (sums[window:] - sums[:-window]) / torch.arange(1, len(values) + 1).clamp(max=window)
        places = torch.linspace(0, len(values) - 1, min(400, len(values))).round().long()
        near = pad(values, (window - 1, 0), value=torch.nan).unfold(0, window, 1)[places]
        low, high = near.nanquantile(torch.tensor([0.25, 0.75]).double(), dim=1)
        ax.fill_between(steps[places], low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(steps, mean, color=color, linewidth=2.2, label=label)
        later.append(mean[len(mean) // 20 :])  # the first steps may leave the picture
        ends += [f"{mean[-1]:.2f} {whose}"] if whose else []
    if history.probability:
        guide = (0.5, "") if scores else (2 * math.log(2), "Loss_D of pure guessing")
        ax.axhline(guide[0], color=COLORS["reference"], linestyle=":", label=guide[1])
    if later:
        low, high = torch.cat(later).aminmax()
        ax.set_ylim(min(0.0, 1.2 * low.item()), max(0.0, 1.4 * high.item()))
        ax.legend(loc="upper right", ncols=3)
    if history.probability and scores:
        ax.set_ylim(0, 1.15)
    opening = "D says" if scores else "The losses end at"
    ax.set(xlabel="step", ylabel=ylabel, title=f"{opening} {' and '.join(ends)}" if ends else "")
    return ax
