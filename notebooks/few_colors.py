"""Store the pictures of a notebook in few colors, which halves them: for `make notebooks`."""

import base64
import io

import numpy as np
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from PIL import Image

COLORS = 256  # as many as a PNG file can list
MOST_OFF = 16  # of 255; beyond it a color would be seen to have changed


def in_few_colors(png: bytes) -> bytes:
    """Return a picture as a PNG file that lists its colors, half as large or less.

    One that lists them already, moves, is transparent, or has too many colors stays as it is.
    """
    with Image.open(io.BytesIO(png)) as picture:
        transparent = picture.convert("RGBA").getchannel("A").getextrema() != (255, 255)
        if picture.mode == "P" or getattr(picture, "is_animated", False) or transparent:
            return png
        whole = picture.convert("RGB")
    few = whole.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    off = np.abs(np.asarray(few.convert("RGB"), dtype=int) - np.asarray(whole, dtype=int))
    if off.max() > MOST_OFF:
        return png
    buffer = io.BytesIO()
    few.save(buffer, format="PNG", optimize=True)
    return min(buffer.getvalue(), png, key=len)


class FewColors(Preprocessor):
    """A step of nbconvert's: all pictures of a notebook in few colors."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Return a cell whose outputs' PNG files are smaller."""
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                few = in_few_colors(base64.b64decode(png))
                output["data"]["image/png"] = base64.b64encode(few).decode()
        return cell, resources
