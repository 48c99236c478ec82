"""A network's table agrees with PyTorch's own counts, and its drawing is to scale."""

import doctest

import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.patches import Polygon
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dcgan_utils.drawing import architecture
from dcgan_utils.drawing.architecture import (
    draw_feature_maps,
    draw_network,
    feature_maps,
    trace,
)
from dcgan_utils.networks import Discriminator, Generator

GENERATOR = Generator(32, 3, 10, 4), torch.zeros(2, 10)
DISCRIMINATOR = Discriminator(32, 3, 4), torch.zeros(2, 3, 32, 32)
OTHER = (  # not a DCGAN: biases, a linear layer, pooling, nested parts
    nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.MaxPool2d(2)),
        nn.ConvTranspose2d(5, 2, 5, stride=2, padding=2, output_padding=1),
        nn.Flatten(),
        nn.Linear(2 * 8 * 8, 7),
    ),
    torch.zeros(2, 3, 8, 8),
)


@pytest.mark.parametrize(("network", "x"), [GENERATOR, DISCRIMINATOR, OTHER])
def test_counts_equal_pytorchs(network, x):
    layers = trace(network, x)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    assert 2 * sum(layer.multiply_adds for layer in layers) == counter.get_total_flops()


def test_the_table_by_hand():
    """Width 4 at 16x16: 10 to 8 channels at 4x4, to 4 at 8x8, to 3 at 16x16, kernels of 16."""
    layers = [layer for layer in trace(Generator(16, 3, 10, 4), torch.zeros(1, 10)) if layer.kernel]
    assert [layer.name for layer in layers] == ["main.0", "main.3", "main.6"]
    assert [layer.kind for layer in layers] == ["ConvTranspose2d"] * 3
    assert [layer.output for layer in layers] == [(8, 4, 4), (4, 8, 8), (3, 16, 16)]
    assert [layer.parameters for layer in layers] == [10 * 8 * 16, 8 * 4 * 16, 4 * 3 * 16]
    assert [layer.multiply_adds for layer in layers] == [1280 * 1, 512 * 16, 192 * 64]
    assert [layer.stride for layer in layers] == [1, 2, 2]


def test_tracing_leaves_the_network_as_it_was():
    network, x = Generator(16, 1, 10, 4), torch.randn(4, 10)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace(network, x)
    assert network.training and all(not module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_tracing_on_the_meta_device():
    with torch.device("meta"):
        layers = trace(Generator(64, 3, 100, 128), torch.empty(1, 100))
    assert layers[-1].output == (3, 64, 64)


def extents(ax):
    """Return (length, height) of each block's front, from left to right."""
    corners = [patch.get_xy() for patch in ax.patches if isinstance(patch, Polygon)]
    fronts = [
        xy
        for xy in corners
        if len({round(y, 6) for y in xy[:, 1]}) == 2 and len({round(x, 6) for x in xy[:, 0]}) == 2
    ]
    return [(xy[:, 0].max() - xy[:, 0].min(), xy[:, 1].max() - xy[:, 1].min()) for xy in fronts]


@pytest.mark.parametrize(("network", "x"), [GENERATOR, DISCRIMINATOR])
def test_blocks_are_to_scale_inside_the_picture_and_named(network, x):
    ax = plt.figure().subplots()
    assert draw_network(network, x, ax) is ax
    maps = [(16, 4), (8, 8), (4, 16), (3, 32)]
    maps = [(10, 1), *maps] if isinstance(network, Generator) else [*maps[::-1], (1, 1)]
    found = extents(ax)
    assert len(found) == len(maps)
    for (length, height), (channels, side) in zip(found, maps):
        assert length / channels == pytest.approx(found[0][0] / maps[0][0])
        assert height / side == pytest.approx(found[0][1] / maps[0][1])
    texts = [text.get_text() for text in ax.texts]
    assert [t for t in texts if "×" in t and t != "4×4"] == [f"{s}×{s}×{c}" for c, s in maps]
    assert texts.count("4×4") == 4 and texts.count("stride 2") == 3
    for patch in ax.patches:
        assert patch.get_xy()[:, 0].min() >= 0 and patch.get_xy()[:, 0].max() <= ax.get_xlim()[1]


def test_other_networks_can_be_drawn():
    ax = draw_network(*OTHER)
    texts = [text.get_text() for text in ax.texts]
    assert {"MaxPool2d", "Flatten", "Linear", "1×1×7"} <= set(texts)
    assert "Sequential: 8×8×3 to 1×1×7" in ax.get_title(loc="left")


def test_the_example_is_true():
    result = doctest.testmod(architecture)
    assert result.attempted > 0 and result.failed == 0


def test_feature_maps_are_those_of_a_forward_pass_by_hand():
    network = Generator(16, 1, 5, 2).eval()
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    main = network.main
    with torch.no_grad():
        first = main[2](main[1](main[0](z[:1, :, None, None])))  # (1, 4, 4, 4)
        second = main[5](main[4](main[3](first.clone())))  # (1, 2, 8, 8)
        image = network(z)[0]
    found = feature_maps(network, z)
    assert [tuple(maps.shape) for maps in found] == [(5,), (4, 4, 4), (2, 8, 8), (1, 16, 16)]
    for maps, expected in zip(found, (z[0], first[0], second[0], image)):
        assert torch.allclose(maps, expected, atol=1e-6)


def test_feature_maps_of_a_network_in_training_leave_it_as_it_was():
    network = Discriminator(16, 1, 2).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    draw_feature_maps(network, torch.ones(4, 1, 16, 16))
    assert network.training and not list(network.main[0]._forward_hooks)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_maps_that_differ_most_are_drawn_from_black_to_white():
    """Of three maps, a flat one, a gentle and a steep slope, two are asked for."""
    layer = nn.Conv2d(1, 3, 1, bias=False)
    layer.weight.data = torch.tensor([0.0, 1.0, -2.0]).reshape(3, 1, 1, 1)
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    _, ax = draw_feature_maps(layer, x, count=2)
    shown = ax.images[0].get_array()[..., 0]
    assert ax.get_title("left") == "2×2×3"
    assert shown[:2, :2].tolist() == [[255, 170], [85, 0]]  # the steep one, which falls
    assert shown[:2, -2:].tolist() == [[0, 85], [170, 255]]


def test_a_logit_is_written_and_a_latent_vector_is_a_square():
    axes = draw_feature_maps(Discriminator(16, 1, 2), torch.ones(1, 1, 16, 16))
    assert axes[-1].get_title("left").startswith("logit ")
    z = draw_feature_maps(Generator(16, 1, 9, 2), torch.arange(9.0)[None])[0]
    assert z.images[0].get_array().shape[:2] == (3, 3) and z.get_title("left") == "1×1×9"
