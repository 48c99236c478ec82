"""The drawings show the numbers that PyTorch computes, at every place."""

import io
import re

import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from PIL import Image

from dcgan_utils.config import UserError
from dcgan_utils.drawing import animations, diagrams

IMAGE = torch.tensor(
    [[1.0, 2, 0, 1, 3], [0, 1, 2, 0, 1], [2, 0, 1, 1, 0], [1, 3, 0, 2, 1], [0, 1, 1, 0, 2]]
)
SMALL = torch.tensor([[1.0, 2, 0], [3, 1, 2], [0, 1, 1]])
KERNEL = torch.tensor([[1.0, 0, -1], [2, 1, 0], [0, -1, 1]])


def texts(ax):
    return [text.get_text() for text in ax.texts]


def total(ax):
    """Return both sides of the sum that is written out."""
    left, right = next(text for text in texts(ax) if " = " in text).split(" = ")
    factors = left.replace("−", "-").replace("·", "*")
    return eval(factors), float(right.replace("−", "-"))


def output_cells(ax, title):
    """Return the numbers of the grid below a title, in the order they are drawn."""
    drawn = texts(ax)[: texts(ax).index(title)]
    return [float(text.replace("−", "-")) for text in drawn if re.fullmatch(r"−?\d+", text)]


@pytest.mark.parametrize("step", range(9))
def test_convolution_writes_out_its_sum(step):
    expected = F.conv2d(IMAGE[None, None], KERNEL[None, None], stride=2, padding=1).flatten()
    ax = diagrams.draw_convolution(IMAGE, KERNEL, 2, 1, step)
    assert total(ax) == (expected[step], expected[step])
    assert output_cells(ax, "output")[-(step + 1) :] == expected[: step + 1].tolist()


@pytest.mark.parametrize("step", range(25))
def test_zero_insertion_writes_out_its_sum(step):
    expected = F.conv_transpose2d(SMALL[None, None], KERNEL[None, None], stride=2, padding=1)
    ax = diagrams.draw_zero_insertion(SMALL, KERNEL, 2, 1, step)
    assert total(ax) == (expected.flatten()[step],) * 2
    assert output_cells(ax, "output")[-(step + 1) :] == expected.flatten()[: step + 1].tolist()


def test_stamping_ends_with_the_whole_output():
    expected = F.conv_transpose2d(SMALL[None, None], KERNEL[None, None], stride=2)
    ax = diagrams.draw_stamping(SMALL, KERNEL, 2, 1, 8)
    assert output_cells(ax, "added so far")[-49:] == expected.flatten().tolist()
    before = diagrams.draw_stamping(SMALL, KERNEL, 2, 1, 0)
    assert sum(output_cells(before, "added so far")[-49:]) == KERNEL.sum()
    assert "1 × kernel" in texts(before)


def test_stamping_on_a_kernel_wider_than_high():
    """The frame of the output covers what padding leaves, also if it is not square."""
    ax = diagrams.draw_stamping(torch.ones(1, 2), torch.ones(3, 4), 2, 1, 1)
    gray = sum(patch.get_facecolor()[:3] == (14 / 15,) * 3 for patch in ax.patches)
    assert gray == 5  # columns 0 and 1, which the stamp leaves free, less one cell of the output


def test_numbers_have_a_true_minus_and_no_needless_digits():
    ax = diagrams.number_grid(torch.tensor([[-1.0, 0.25, float("nan")]]))
    assert texts(ax)[:3] == ["−1", "0.25", ""]


def test_a_drawing_takes_given_axes():
    figure, axes = plt.subplots(2)
    for step, ax in enumerate(axes):
        assert diagrams.draw_convolution(IMAGE, KERNEL, 2, 1, step, ax) is ax
    assert plt.get_fignums() == [figure.number]


def test_bad_sizes_are_refused():
    with pytest.raises(UserError, match="stride is 0"):
        diagrams.draw_convolution(IMAGE, KERNEL, 0, 1, 0)
    with pytest.raises(UserError, match="kernel is 3"):
        diagrams.draw_convolution(IMAGE[:2], KERNEL, 1, 0, 0)


def test_an_animation_has_each_moment_and_a_white_ground():
    data = animations.animate(
        lambda moment: diagrams.draw_convolution(IMAGE, KERNEL, 2, 1, moment), 9, seconds=0.5
    )
    picture = Image.open(io.BytesIO(data))
    assert picture.n_frames == 9 + 1  # the still, then the moments
    pixels = []
    for frame in range(1, 10):
        picture.seek(frame)
        pixels.append(picture.convert("RGB").tobytes())
        assert picture.convert("RGB").getpixel((3, 3)) == (255, 255, 255)
        assert picture.info["duration"] == (1000 if frame == 9 else 500)
    assert len(set(pixels)) == 9
    assert plt.get_fignums() == []
