"""The drawings show the numbers that PyTorch computes, at every place."""

import io
import re
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from PIL import Image, ImageSequence
from torch import nn

from dcgan_utils import diagrams, plots
from dcgan_utils.networks import Discriminator, Generator

ROOT = Path(__file__).resolve().parents[2]
IMAGE = torch.arange(25.0).reshape(5, 5) % 7 - 2
SMALL = torch.tensor([[1.0, 2, 0], [3, 1, 2], [0, 1, 1]])
KERNEL = torch.tensor([[1.0, 0, -1], [2, 1, 0], [0, -1, 1]])


def texts(ax):
    return [text.get_text() for text in ax.texts]


def number(text):
    return float(text.replace("−", "-"))


def output_cells(ax, title):
    """Return the numbers of the grid below a title, in the order they are drawn."""
    drawn = texts(ax)[: texts(ax).index(title)]
    return [number(text) for text in drawn if re.fullmatch(r"−?\d+", text)]


@pytest.mark.parametrize("step", [0, 4, 8])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_place_writes_out_its_sum(step, transposed):
    draw, x, convolve = diagrams.draw_convolution, IMAGE, F.conv2d
    if transposed:
        draw, x, convolve = diagrams.draw_zero_insertion, SMALL, F.conv_transpose2d
    expected = convolve(x[None, None], KERNEL[None, None], stride=2, padding=1).flatten()
    ax = draw(x, KERNEL, 2, 1, step)
    left, right = next(text for text in texts(ax) if " = " in text).split(" = ")
    assert "·−" not in left and "+ −" not in left  # negative factors stand in parentheses
    assert eval(left.replace("−", "-").replace("·", "*")) == number(right) == expected[step]
    assert output_cells(ax, "output")[-(step + 1) :] == expected[: step + 1].tolist()


def test_stamping_ends_with_the_whole_output():
    expected = F.conv_transpose2d(SMALL[None, None], KERNEL[None, None], stride=2)
    first, last = (diagrams.draw_stamping(SMALL, KERNEL, 2, 1, step) for step in (0, 8))
    assert output_cells(last, "added so far")[-49:] == expected.flatten().tolist()
    assert sum(output_cells(first, "added so far")[-49:]) == KERNEL.sum()


def test_channels_are_added_up():
    random = torch.Generator().manual_seed(0)
    x = torch.randint(-2, 3, (3, 4, 3), generator=random).float()
    weight = torch.randint(-2, 3, (2, 3, 2, 2), generator=random).float()
    ax = diagrams.draw_channels(x, weight)
    for out, expected in enumerate(F.conv2d(x[None], weight)[0]):
        assert output_cells(ax, f"output channel {out}")[-6:] == expected.flatten().tolist()


@pytest.mark.parametrize("case", [(6, 3, 2, 0), (6, 3, 2, 1), (7, 2, 3, 0), (4, 1, 4, 3)])
def test_reads_are_the_gradient_of_a_sum(case):
    size, kernel, stride, padding = case
    padded = F.pad(torch.ones(1, 1, size, size), [padding] * 4).requires_grad_()
    output = F.conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride)
    output.sum().backward()
    reads, side = padded.grad[0, 0], output.shape[-1]
    ax = diagrams.draw_reads(size, kernel, stride, padding, window=1)
    assert output_cells(ax, "how often each cell is read") == reads.flatten().tolist()
    unread = int((reads[padding : padding + size, padding : padding + size] == 0).sum())
    formula, finding = ax.get_title("left").split("\n")
    assert f" = {side}, " in formula and f"output {side}×{side}" in texts(ax)
    assert finding.startswith(f"{unread} of" if unread else "every pixel")


def test_the_ends_of_the_sliders():
    """A kernel that does not fit gets a sentence, and the window stops at the last place."""
    (sentence,) = texts(diagrams.draw_reads(3, kernel=6, stride=1, padding=1))
    assert "kernel of 6 does not fit into a padded image of 5" in sentence
    last, beyond = (plots.to_png(diagrams.draw_reads(6, 3, 2, 0, k)) for k in (3, 80))
    assert last == beyond


def from_notebook(number, *names):
    """Return the last of some functions that a notebook defines, for its sliders."""
    (path,) = (ROOT / "notebooks").glob(f"{number:02}_*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    space = {"torch": torch, "plt": plt, "F": F, "plots": plots, "diagrams": diagrams}
    for name in names:
        exec(next(source for source in cells if f"def {name}(" in source), space)
    return space[names[-1]]


@pytest.mark.parametrize("kernel, stride, counts", [(4, 2, "4"), (3, 2, "1 to 4")])
def test_evenness_is_that_of_pytorchs_layers(kernel, stride, counts):
    weights = torch.randn(1, 1, kernel, kernel, generator=torch.Generator().manual_seed(5))
    written = F.conv_transpose2d(torch.ones(1, 1, 9, 9), weights, stride=stride)[0, 0]
    middle = written[3 * stride : 4 * stride, 3 * stride : 4 * stride]  # one cell of each kind
    ones, stamped, convolved = from_notebook(1, "draw_evenness")(kernel, stride, seed=5).figure.axes
    assert ones.get_title("left").split("\n")[1].removesuffix(" everywhere") == counts
    expected = {round(value, 1) for value in middle.flatten().tolist()}
    assert {number(text) for text in texts(stamped)} == expected
    assert {number(text) for text in texts(convolved)} == {round(weights.sum().item(), 1)}


def test_a_network_in_training_is_left_as_it_was():
    network, x = Discriminator(16, 1, 2).train(), torch.ones(4, 1, 16, 16)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for look in (diagrams.trace, diagrams.draw_network, diagrams.draw_feature_maps):
        look(network, x)
    assert network.training and all(not module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_each_block_has_the_size_of_its_map():
    maps = ["4×4×16", "8×8×8", "16×16×4", "32×32×3"]
    g, d = Generator(32, 3, 10, 4), Discriminator(32, 3, 4)
    for network, given, expected in (
        (g, (2, 10), ["1×1×10", *maps]),
        (d, (2, 3, 32, 32), [*maps[::-1], "1×1×1"]),
    ):
        drawn = texts(diagrams.draw_network(network, torch.zeros(given)))
        assert [text for text in drawn if "×" in text and text != "4×4"] == expected


def test_the_traced_values_are_those_of_a_forward_pass_by_hand():
    network = Generator(16, 1, 5, 2).eval()
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    expected, layers = z[:, :, None, None], diagrams.trace(network, z)
    for (_, output), part in zip(layers, network.main, strict=True):
        expected = part(expected)
        assert torch.allclose(output, expected, atol=1e-6)


def test_the_maps_that_differ_most_are_drawn_from_black_to_white():
    """Of three maps, a flat one, a gentle and a steep slope, two are asked for."""
    layer = nn.Conv2d(1, 3, 1, bias=False)
    layer.weight.data = torch.tensor([0.0, 1.0, -2.0]).reshape(3, 1, 1, 1)
    _, ax = diagrams.draw_feature_maps(layer, torch.arange(4.0).reshape(1, 1, 2, 2), count=2)
    shown = ax.images[0].get_array()[..., 0]
    assert ax.get_title("left") == "2×2×3"
    assert shown[:2, :2].tolist() == [[255, 170], [85, 0]]  # the steep one, which falls
    assert shown[:2, -2:].tolist() == [[0, 85], [170, 255]]


def test_other_networks_and_latent_vectors_can_be_drawn():
    other = nn.Sequential(  # not a DCGAN: biases, a linear layer, pooling, nested parts
        nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.MaxPool2d(2)),
        nn.ConvTranspose2d(5, 2, 5, stride=2, padding=2, output_padding=1),
        nn.Flatten(),
        nn.Linear(2 * 8 * 8, 7),
    )
    drawn = texts(diagrams.draw_network(other, torch.zeros(2, 3, 8, 8)))
    assert {"MaxPool2d", "Flatten", "Linear", "1×1×7"} <= set(drawn)
    z = diagrams.draw_feature_maps(Generator(16, 1, 9, 2), torch.arange(9.0)[None])[0]
    assert z.images[0].get_array().shape[:2] == (3, 3) and z.get_title("left") == "1×1×9"


def test_the_batch_behind_the_slider_by_numpy():
    values = np.array([1.0, 3, 3, 20])
    expected = (values - values.mean()) / np.sqrt(values.var() + 27)
    left, right = from_notebook(2, "normalize", "draw_batch")(values.tolist(), 27.0).figure.axes
    assert f"mean {values.mean():.1f}, deviation {values.std():.1f}" in left.get_title("left")
    np.testing.assert_allclose([*map(number, texts(right))], expected, atol=0.0051)


def test_an_animated_drawing_has_each_moment():
    draw = partial(diagrams.draw_convolution, torch.eye(3), torch.eye(2), 1, 0)
    with Image.open(io.BytesIO(diagrams.animate(draw, 4, seconds=0.5))) as picture:
        frames = ImageSequence.all_frames(picture)  # the still, then the moments
    assert [frame.info["duration"] for frame in frames[1:]] == [500, 500, 500, 1000]
    assert len({frame.tobytes() for frame in frames[1:]}) == 4
    assert plt.get_fignums() == []


@pytest.fixture
def board():
    """Return a function that draws numbers as an alt text, after a test that there are widgets."""
    pytest.importorskip("ipywidgets")
    return lambda *numbers: plots.set_alt_text(plots.new_axes(2, 2), f"{numbers} < 5")


def test_a_slider_draws_anew_and_tells_what_is_shown_now(board, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    slant, weight, picture = diagrams.sliders(board, ["slant", "weight"], limit=4).children
    assert (slant.min, slant.max, weight.description) == (-4, 4, "weight")
    slant.value = 1.5
    assert picture.value.startswith('<img alt="([1.5, 0.0],) &lt; 5" src="data:image/png;base64')
    whole, _ = diagrams.sliders(board, ["size"], [(1, 6)], 1, [2]).children
    assert (whole.min, whole.max, whole.value) == (1, 6, 2) and plt.get_fignums() == []


def test_outside_jupyterlab_sliders_are_a_still(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    drawn = []
    assert diagrams.sliders(drawn.append, ["size", "kernel"], [(1, 6), (1, 4)], 1, [2, 3]) is None
    diagrams.sliders(drawn.append, ["slant", "weight"], limit=4)
    assert drawn == [[2, 3], [0, 0]]


def test_a_button_does_what_it_says_and_shows_it(board, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "as in JupyterLab")
    done = []
    acts = {"step": lambda: done.append("step"), "reset": done.clear}
    rates = {"rate": (0.01, done.append)}
    row, rate, picture = diagrams.buttons(lambda: board(*done), acts, rates).children
    step, reset = row.children
    first = picture.value
    step.click()
    assert step.description == "step" and done == ["step"] and "step" in picture.value
    reset.click()
    assert picture.value == first
    rate.value = 0.1
    assert done == [pytest.approx(0.1)] and "0.1" in picture.value
