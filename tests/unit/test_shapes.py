"""Slant, thickness and holes, against drawings and shears whose answer is known."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

from dcgan_utils.data import load_source
from dcgan_utils.judging.shapes import holes, slant, thickness

ZOOM = 8  # drawn large, then averaged, so that borders are gray as in a scan


def drawn(*lines, width=3.0, side=28):
    """Return one image (1, 1, side, side) with straight strokes, each (x0, y0, x1, y1)."""
    picture = Image.new("L", (side * ZOOM, side * ZOOM))
    for line in lines:
        ends = [ZOOM * place for place in line]
        ImageDraw.Draw(picture).line(ends, fill=255, width=round(ZOOM * width))
    pixels = np.array(picture.resize((side, side), Image.Resampling.BOX))
    return torch.from_numpy(pixels)[None, None]


def leaning(degrees, width=2.0):
    """Return a stroke of 20 pixels through the center, which leans to the right."""
    x, y = (10 * f(math.radians(degrees)) for f in (math.sin, math.cos))
    return drawn((14 - x, 14 + y, 14 + x, 14 - y), width=width)


@pytest.mark.parametrize("degrees", [-40, -10, 0, 20, 45])
def test_the_slant_of_a_stroke_is_its_tangent(degrees):
    assert slant(leaning(degrees)).item() == pytest.approx(
        math.tan(math.radians(degrees)), abs=0.05
    )


def test_a_shear_adds_to_the_slant():
    digits = load_source("embedded").pixels[::250]  # two of each class
    for shear in (-0.2, 0.3):
        # an output pixel (y, x) is taken from (y, x + shear (y - 28)): what is high moves right
        sheared = [
            ndimage.affine_transform(
                np.pad(digit[0].numpy(), 14).astype(float),
                [[1, 0], [shear, 1]],
                [0, -28 * shear],
                order=1,
            )
            for digit in digits
        ]
        moved = torch.from_numpy(np.stack(sheared)[:, None].round().clip(0, 255).astype(np.uint8))
        torch.testing.assert_close(slant(moved), slant(digits) + shear, atol=0.03, rtol=0)


@pytest.mark.parametrize("degrees", [0, 30, 45])
def test_thickness_grows_with_the_stroke_whatever_its_direction(degrees):
    found = [thickness(leaning(degrees, width)).item() for width in (2, 3, 4, 5)]
    assert np.diff(found).min() > 0.5
    assert found == pytest.approx([2, 3, 4, 5], rel=0.2)


def test_thickness_knows_a_bolder_digit():
    digits = load_source("embedded").pixels[::50]
    bolder = torch.from_numpy(ndimage.grey_dilation(digits.numpy(), (1, 1, 2, 2)))
    assert (thickness(bolder) > thickness(digits)).double().mean() > 0.98


def test_holes_of_drawings():
    box = [(6, 6, 22, 6), (6, 22, 22, 22), (6, 6, 6, 22), (22, 6, 22, 22)]
    images = [drawn(*box), drawn(*box, (6, 14, 22, 14)), drawn(*box[:3]), drawn((4, 4, 24, 24))]
    assert holes(torch.cat(images)).tolist() == [1, 2, 0, 0]
    assert holes(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).tolist() == [0, 0]


def test_a_stroke_from_border_to_border_encloses_nothing_and_one_dark_pixel_is_no_hole():
    across = drawn((0, 14, 28, 14))
    assert holes(across).item() == 0
    spot = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    spot[..., 10:18, 10:18] = 255
    spot[..., 13, 13] = 0
    assert holes(spot).item() == 0
    spot[..., 13, 14] = 0
    assert holes(spot).item() == 1


def test_most_digits_have_the_holes_that_they_should():
    images = load_source("embedded")
    found = holes(images.pixels)
    for digit, expected in ((0, 1), (1, 0), (3, 0), (7, 0), (8, 2)):
        share = (found[images.labels == digit] == expected).double().mean()
        assert share > (0.5 if digit == 8 else 0.8), digit


def test_an_image_without_ink_has_no_slant_and_no_thickness():
    black = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    assert slant(black).isnan().all() and thickness(black).isnan().all()
