"""The drawings show the numbers that PyTorch computes, at every place."""

import io
import re

import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from PIL import Image

from dcgan_utils.config import UserError
from dcgan_utils.drawing import animations, controls, diagrams, sizes

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
    ax = diagrams.number_grid(torch.tensor([[1.0, 2.0]]), text=lambda value: " ab"[int(value)])
    assert texts(ax)[:2] == ["a", "b"]


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


def test_channels_are_added_up():
    random = torch.Generator().manual_seed(0)
    x = torch.randint(-2, 3, (3, 4, 3), generator=random).float()
    weight = torch.randint(-2, 3, (2, 3, 2, 2), generator=random).float()
    ax = diagrams.draw_channels(x, weight)
    for out, expected in enumerate(F.conv2d(x[None], weight)[0]):
        assert output_cells(ax, f"output channel {out}")[-6:] == expected.flatten().tolist()
    assert texts(ax).count("+") == 4 and texts(ax).count("=") == 2
    plt.close(ax.figure)


@pytest.mark.parametrize(
    "size, kernel, stride, padding",
    [(6, 3, 2, 0), (6, 3, 2, 1), (7, 2, 3, 0), (5, 5, 1, 2), (4, 1, 4, 3), (3, 5, 1, 1)],
)
def test_reads_are_the_gradient_of_a_sum(size, kernel, stride, padding):
    padded = torch.nn.functional.pad(torch.ones(1, 1, size, size), [padding] * 4)
    padded.requires_grad_()
    output = F.conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride)
    output.sum().backward()
    ax = sizes.draw_reads(size, kernel, stride, padding, window=1)
    reads = padded.grad[0, 0]
    drawn = output_cells(ax, "how often each cell is read")
    assert drawn == reads.flatten().tolist()
    inside = reads[padding : padding + size, padding : padding + size]
    unread = int((inside == 0).sum())
    formula, finding = ax.get_title("left").split("\n")
    side = output.shape[-1]
    assert f" = {side}, " in formula and f"output {side}×{side}" in texts(ax)
    assert finding.startswith(f"{unread} of" if unread else "every pixel")
    pale = sum(
        patch.get_facecolor()[:3] == (242 / 255, 180 / 255, 139 / 255) for patch in ax.patches
    )
    assert pale == sum(not inside[row, column] for row in range(size) for column in range(size))
    plt.close(ax.figure)


def test_a_kernel_that_does_not_fit_gets_a_sentence():
    ax = sizes.draw_reads(3, kernel=6, padding=1)
    (sentence,) = texts(ax)
    assert "kernel of 6 does not fit into a padded image of 5" in sentence
    plt.close(ax.figure)
    with pytest.raises(UserError, match="stride is 0"):
        sizes.draw_reads(3, kernel=2, stride=0)
    plt.close("all")


def test_the_window_stops_at_the_last_place():
    def frame(window):
        return animations.animate(lambda _: sizes.draw_reads(6, 3, 2, 0, window), 1)

    assert frame(3) == frame(80) != frame(2)


@pytest.mark.parametrize(
    "kernel, stride, counts", [(4, 2, "4"), (3, 2, "1 to 4"), (2, 3, "0 to 1")]
)
def test_evenness_is_that_of_pytorchs_layers(kernel, stride, counts):
    random = torch.Generator().manual_seed(5)
    weights = torch.randn(1, 1, kernel, kernel, generator=random)
    written = F.conv_transpose2d(torch.ones(1, 1, 9, 9), weights, stride=stride)[0, 0]
    middle = written[3 * stride : 4 * stride, 3 * stride : 4 * stride]  # one cell of each kind
    ones, stamped, convolved = sizes.draw_evenness(kernel, stride, seed=5).figure.axes
    assert ones.get_title("left").split("\n")[1].removesuffix(" everywhere") == counts
    expected = {round(value, 1) + 0.0 for value in middle.flatten().tolist()}
    assert {float(text.replace("−", "-")) + 0.0 for text in texts(stamped)} == expected
    assert {float(text.replace("−", "-")) for text in texts(convolved)} == {
        round(weights.sum().item(), 1)
    }
    assert convolved.get_title("left").endswith("everywhere")
    plt.close(ones.figure)


def test_sliders_of_whole_numbers_move_the_drawing_and_survive_bad_combinations():
    pytest.importorskip("ipywidgets")
    asked = []

    def draw(values):
        asked.append(values)
        return sizes.draw_reads(*values)

    ends = [(3, 8), (1, 6), (1, 4), (0, 2), (0, 63)]
    names = ["size", "kernel", "stride", "padding", "window"]
    *column, picture = controls.sliders(draw, names, ends, 1, [6, 3, 2, 0, 0]).children
    first = picture.value
    size, kernel, *_ = column
    size.value, kernel.value = 3, 6
    assert asked[-1] == [3, 6, 2, 0, 0] and all(type(value) is int for value in asked[-1])
    assert picture.value != first
    assert plt.get_fignums() == []
