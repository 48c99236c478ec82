"""Slant, thickness and holes, against drawings and shears whose answer is known."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

from dcgan_utils.data import load_source
from experiments.shapes import holes, slant, thickness

ZOOM = 8  # drawn large, then averaged, so that borders are gray as in a scan


def drawn(*lines, width=3.0, side=28):
    """Return one image (1, 1, side, side) with straight strokes, each (x0, y0, x1, y1)."""
    picture = Image.new("L", (side * ZOOM, side * ZOOM))
    for line in lines:
        ends = [ZOOM * place for place in line]
        ImageDraw.Draw(picture).line(ends, fill=255, width=round(ZOOM * width))
    pixels = np.array(picture.resize((side, side), Image.Resampling.BOX))
    return torch.from_numpy(pixels)[None, None]


@pytest.mark.parametrize("degrees", [-40, 0, 20, 45])
def test_a_stroke_of_known_slant_and_thickness(degrees):
    x, y = (10 * f(math.radians(degrees)) for f in (math.sin, math.cos))
    strokes = torch.cat([drawn((14 - x, 14 + y, 14 + x, 14 - y), width=w) for w in (2, 3, 4, 5)])
    assert slant(strokes[0:1]).item() == pytest.approx(math.tan(math.radians(degrees)), abs=0.05)
    assert thickness(strokes).tolist() == pytest.approx([2, 3, 4, 5], rel=0.2)


def test_digits_that_scipy_sheared_and_dilated():
    digits = load_source("embedded").pixels[::250]
    for shear in (-0.2, 0.3):
        # an output pixel (y, x) is taken from (y, x + shear (y - 28)): what is high moves right
        matrix, offset = [[1, 0], [shear, 1]], [0, -28 * shear]
        wide = np.pad(digits[:, 0].numpy(), ((0, 0), (14, 14), (14, 14))).astype(float)
        moved = np.stack([ndimage.affine_transform(d, matrix, offset, order=1) for d in wide])
        moved = torch.from_numpy(moved[:, None].round().clip(0, 255).astype(np.uint8))
        torch.testing.assert_close(slant(moved), slant(digits) + shear, atol=0.03, rtol=0)
    bolder = torch.from_numpy(ndimage.grey_dilation(digits.numpy(), (1, 1, 2, 2)))
    assert (thickness(bolder) > thickness(digits)).all()


def test_holes_of_drawings():
    """A spot of one pixel in a stroke is no hole, and neither is what the border closes."""
    box = [(6, 6, 22, 6), (6, 22, 22, 22), (6, 6, 6, 22), (22, 6, 22, 22)]
    images = [drawn(*box), drawn(*box, (6, 14, 22, 14)), drawn(*box[:3]), drawn((0, 14, 28, 14))]
    spot = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    spot[..., 10:18, 10:18] = 255
    spot[..., 13, 13] = spot[1, ..., 13, 14] = 0
    assert holes(torch.cat([*images, spot])).tolist() == [1, 2, 0, 0, 0, 1]


def test_most_digits_have_the_holes_that_they_should():
    images = load_source("embedded")
    found = holes(images.pixels)
    for digit, expected in ((0, 1), (1, 0), (3, 0), (7, 0), (8, 2)):
        share = (found[images.labels == digit] == expected).double().mean()
        assert share > (0.5 if digit == 8 else 0.8), digit


def test_an_image_without_ink_has_no_slant_no_thickness_and_no_hole():
    black = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    assert slant(black).isnan().all() and thickness(black).isnan().all() and holes(black) == 0
