"""What a notebook keeps of a figure: its picture in few colors, and its alt text."""

import base64
import io
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .alt_texts import alt_text

COLORS = 256  # as many as a PNG file can list
MOST_OFF = 16  # of 255; beyond it a color would be seen to have changed


def in_few_colors(png: bytes) -> bytes:
    """Return a picture as a PNG file that lists its colors, half as large or less.

    One that has too many colors for it, or is transparent, stays as it is.

    Parameters
    ----------
    png
        A PNG file.

    Returns
    -------
    bytes
        The smaller file.
    """
    with Image.open(io.BytesIO(png)) as picture:
        if picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            return png
        whole = picture.convert("RGB")
    few = whole.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    off = np.abs(np.asarray(few.convert("RGB"), dtype=int) - np.asarray(whole, dtype=int))
    if off.max() > MOST_OFF:
        return png
    buffer = io.BytesIO()
    few.save(buffer, format="PNG", optimize=True)
    return min(buffer.getvalue(), png, key=len)


def _smaller(draw: Callable[[Figure], Any], figure: Figure) -> Any:
    """Draw a figure by another function; if that gives a PNG file in base64, make it smaller."""
    drawn = draw(figure)
    if not isinstance(drawn, str):
        return drawn
    return base64.b64encode(in_few_colors(base64.b64decode(drawn))).decode()


def add_to_figures() -> None:
    """Let a notebook send each figure in few colors, and its alt text along; elsewhere do nothing.

    The alt text is the metadata of the picture, which `Image(alt=…)` of IPython fills as well.
    matplotlib's own formatter still draws the picture, whenever it is registered.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return
    png = shell.display_formatter.formatters["image/png"]

    def facts(figure: Figure, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """Come before the formatter that draws, which may have been registered since."""
        draw = png.for_type(Figure)
        if draw is not None and getattr(draw, "func", None) is not _smaller:
            png.for_type(Figure, partial(_smaller, draw))
        return {}, {"image/png": {"alt": alt_text(figure)}}

    shell.display_formatter.mimebundle_formatter.for_type(Figure, facts)
