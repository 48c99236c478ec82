"""Moving pictures: samples in the course of training, and a player for any animated PNG."""

import base64
import html
import io
import json
import os
import string
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps, ImageSequence
from torch import Tensor

from .language import say
from .plots import tile


def animated_png(frames: dict[int, Tensor], seconds: float = 8.0, columns: int = 0) -> bytes:
    """Return an animated PNG of samples of the same latent vectors in the course of training.

    `frames` are finished steps with samples (B, C, S, S) uint8, in rows of `columns`, by default in
    a square. `seconds` is how long it takes, with the last frame held as long as six others.
    """
    total, pictures = max(frames), []
    columns = columns or round(len(frames[total]) ** 0.5)
    for step in sorted(frames):
        grid = tile(frames[step], columns)
        if frames[step].shape[1] == 1:  # 16 gray levels: 64 digits take 20 kB, and it is not seen
            grid = (np.round(grid[..., 0] / 17) * 17).astype(np.uint8)
        picture = ImageOps.scale(Image.fromarray(grid), 2, Image.Resampling.NEAREST)
        width, height = picture.size
        picture = ImageOps.expand(picture, (0, 0, 0, 30), "white")  # room for a progress line
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, height, width * step / max(total, 1), height + 4), fill="black")
        text, font = f"step {step} of {total}", ImageFont.load_default(16)
        draw.text((4, height + 7), text, fill="black", font=font)
        pictures.append(picture)
    each = 1000 * seconds / (len(pictures) + 5)  # milliseconds
    return join(pictures, [each] * (len(pictures) - 1) + [6 * each])


def join(pictures: list[Image.Image], milliseconds: list[float]) -> bytes:
    """Return pictures as an animated PNG, with the last one as its still for other viewers."""
    buffer = io.BytesIO()
    how = {"save_all": True, "default_image": True, "duration": milliseconds, "loop": 0}
    pictures[-1].save(buffer, format="PNG", append_images=pictures, **how)
    return buffer.getvalue()


class Player:
    """An animated PNG that can be played, paused and stepped through, for the end of a cell.

    In JupyterLab it has buttons and a slider, and after a click the arrow keys and the space bar.
    Elsewhere, and stored, it is the animated PNG. `alt` says what it shows; `start` is the moment
    it first stands at, -1 the last; `width` is in pixels of the screen, by default its own.
    """

    def __init__(self, animated: bytes, alt: str, start: int = 0, width: int | None = None):
        self.animated, self.alt, self.start, self.width = animated, alt, start, width

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict]]:
        """Return what IPython shows: the player in JupyterLab, the animated PNG elsewhere."""
        if "JPY_SESSION_NAME" in os.environ:  # Jupyter's server names a notebook to its kernel so
            return {"text/html": self.html(), "text/plain": self.alt}, {}
        facts = {"alt": self.alt} | ({"width": self.width} if self.width else {})
        picture = base64.b64encode(self.animated).decode()
        return {"image/png": picture, "text/plain": self.alt}, {"image/png": facts}

    def html(self) -> str:
        """Return the player as a piece of HTML that needs neither a network nor a kernel."""
        pictures, durations = [], []
        with Image.open(io.BytesIO(self.animated)) as animation:
            width = self.width or animation.width
            for moment in ImageSequence.Iterator(animation):
                if "duration" in moment.info:  # the still for other viewers has none
                    file = io.BytesIO()
                    moment.copy().save(file, format="PNG")
                    pictures.append(base64.b64encode(file.getvalue()).decode())
                    durations.append(moment.info["duration"])
        template = Path(__file__).with_name("player.html").read_text(encoding="utf-8")
        return string.Template(template).substitute(
            alt=html.escape(self.alt),
            width=width,
            start=range(len(pictures))[self.start],
            frames=json.dumps(pictures),
            milliseconds=json.dumps(durations),
            **{word: say(word) for word in ("Back", "Play", "Pause", "Step", "moment")},
        )
