"""Moving pictures: the sampled frames of a run, and drawings that go on from moment to moment."""

import io
from collections.abc import Callable

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .plots import new_axes, tile, to_png

GRAY_LEVELS = 16  # a picture of 64 digits then takes about 20 kB, and nobody sees the difference
CAPTION_HEIGHT = 30  # pixels
FEW_COLORS = 64  # enough for a drawing with smooth letters


def animated_png(
    frames: dict[int, Tensor], seconds: float = 8.0, zoom: int = 2, columns: int | None = None
) -> bytes:
    """Return an animated PNG of the same latent vectors as training goes on.

    It plays in a browser, in JupyterLab and in VS Code, without a script; a viewer that knows no
    animated PNG shows the last frame. The animation holds the last frame longer, too.

    Parameters
    ----------
    frames
        Finished steps: samples (B, C, S, S) uint8.
    seconds
        How long one round takes.
    zoom
        Screen pixels per image pixel.
    columns
        Images in a row; None for as square a picture as can be.

    Returns
    -------
    bytes
        The file.
    """
    total = max(frames)
    columns = columns or round(len(frames[total]) ** 0.5)
    pictures = [
        _frame(tile(frames[step], columns), frames[step].shape[1], step, total, zoom)
        for step in sorted(frames)
    ]
    each = 1000 * seconds / (len(pictures) + 5)  # milliseconds; the last frame counts as six
    durations = [each] * (len(pictures) - 1) + [6 * each]
    return _joined(pictures, durations)


def animate(draw: Callable[[int], Axes], count: int, seconds: float = 1.2) -> bytes:
    """Return an animated PNG of a drawing at its moments 0 to count - 1.

    Parameters
    ----------
    draw
        Draws one moment into new axes, all of the same size, and returns them.
    count
        How many moments there are.
    seconds
        How long each is shown; the last one twice as long.

    Returns
    -------
    bytes
        The file. A viewer that knows no animated PNG shows the last moment.
    """
    pictures = [
        Image.open(io.BytesIO(to_png(draw(moment), 100))).convert("RGB") for moment in range(count)
    ]
    palette = pictures[-1].quantize(FEW_COLORS, method=Image.Quantize.MAXCOVERAGE)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    return _joined(pictures, [1000 * seconds] * (count - 1) + [2000 * seconds])


def _joined(pictures: list[Image.Image], durations: list[float]) -> bytes:
    """Return pictures, each shown for so many milliseconds, as an animated PNG."""
    buffer = io.BytesIO()
    pictures[-1].save(
        buffer,
        format="PNG",
        save_all=True,
        append_images=pictures,
        default_image=True,
        duration=durations,
        loop=0,
    )
    return buffer.getvalue()


def _frame(grid: np.ndarray, channels: int, step: int, total: int, zoom: int) -> Image.Image:
    """Return one picture: the grid of images, and below it a progress line with the step."""
    if channels == 1:
        levels = np.round(grid[..., 0] / 255 * (GRAY_LEVELS - 1)) * (255 / (GRAY_LEVELS - 1))
        grid = levels.astype(np.uint8)
    picture = Image.fromarray(grid)
    picture = picture.resize(
        (picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST
    )
    canvas = Image.new(picture.mode, (picture.width, picture.height + CAPTION_HEIGHT), "white")
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    done = picture.width * step / max(total, 1)
    draw.rectangle((0, picture.height, done, picture.height + 4), fill="black")
    text = f"step {step} of {total}"
    draw.text((4, picture.height + 7), text, fill="black", font=ImageFont.load_default(16))
    return canvas


def player(frames: dict[int, Tensor], columns: int | None = None) -> str:
    """Return the same pictures as HTML with a slider and buttons, for `IPython.display.HTML`.

    It needs JavaScript and takes megabytes, so keep it out of a stored notebook.
    """
    steps = sorted(frames)
    ax = new_axes(5.5, 5.8)
    columns = columns or round(len(frames[steps[0]]) ** 0.5)
    shown = ax.imshow(tile(frames[steps[0]], columns), interpolation="nearest")
    ax.axis("off")

    def show(place: int) -> None:
        shown.set_data(tile(frames[steps[place]], columns))
        ax.set_title(f"step {steps[place]} of {steps[-1]}")

    figure = ax.figure.figure  # the whole one
    animation = FuncAnimation(figure, show, frames=len(steps), interval=300)
    html = animation.to_jshtml()
    plt.close(figure)
    return html
