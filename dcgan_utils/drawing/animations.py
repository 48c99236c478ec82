"""Moving pictures: the sampled frames of a run, and drawings that go on from moment to moment."""

import base64
import html
import io
import json
import os
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from PIL import Image, ImageDraw, ImageFont, ImageSequence
from torch import Tensor

from .plots import tile, to_png

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


class Player:
    """An animation that can be played, stopped and stepped through, for the end of a cell.

    In JupyterLab it has buttons and a slider, and after a click the arrow keys and the space bar.
    Where nobody can press them, as in `make notebooks`, it is the animated PNG: the player, a
    megabyte or two, is not stored with the course.

    Parameters
    ----------
    animated
        Any animated PNG: of `animated_png`, of `animate`, or of a file.
    alt
        What it shows, for those who do not see it.
    start
        The moment it stands at before anybody plays it; -1 is the last.
    width
        Its greatest width in pixels of the screen; by default its own.
    """

    def __init__(self, animated: bytes, alt: str, start: int = 0, width: int | None = None):
        self.animated, self.alt, self.start, self.width = animated, alt, start, width

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict]]:
        """Return what IPython shows: the player in JupyterLab, the animated PNG elsewhere."""
        if "JPY_SESSION_NAME" in os.environ:  # Jupyter's server names a notebook to its kernel so
            return {"text/html": self.html(), "text/plain": self.alt}, {}
        facts: dict[str, object] = {"alt": self.alt}
        if self.width is not None:
            facts["width"] = self.width
        picture = base64.b64encode(self.animated).decode()
        return {"image/png": picture, "text/plain": self.alt}, {"image/png": facts}

    def html(self) -> str:
        """Return the player as a piece of HTML that needs neither a network nor a kernel."""
        pictures, durations = [], []
        with Image.open(io.BytesIO(self.animated)) as animation:
            natural = animation.width
            for moment in ImageSequence.Iterator(animation):
                if "duration" in moment.info:  # the still for other viewers has none
                    file = io.BytesIO()
                    moment.copy().save(file, format="PNG")
                    pictures.append(base64.b64encode(file.getvalue()).decode())
                    durations.append(moment.info["duration"])
        template = Path(__file__).with_name("player.html").read_text(encoding="utf-8")
        return string.Template(template).substitute(
            alt=html.escape(self.alt),
            width=self.width or natural,
            start=range(len(pictures))[self.start],
            frames=json.dumps(pictures),
            milliseconds=json.dumps(durations),
        )
