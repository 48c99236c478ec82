"""The two networks: shapes, sizes, initial weights, and what else must hold of a DCGAN."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_utils.config import preset
from dcgan_utils.files import load, save
from dcgan_utils.networks import (
    Discriminator,
    Generator,
    feature_widths,
    initialize_weights,
    new_networks,
)
from dcgan_utils.weights import load_discriminator, save_weights

# Written by hand for width 4 and latent size 10: each layer's (channels, side), from z on.
GENERATOR_SHAPES = {
    16: [(10, 1), (8, 4), (4, 8), (3, 16)],
    32: [(10, 1), (16, 4), (8, 8), (4, 16), (3, 32)],
    64: [(10, 1), (32, 4), (16, 8), (8, 16), (4, 32), (3, 64)],
    128: [(10, 1), (64, 4), (32, 8), (16, 16), (8, 32), (4, 64), (3, 128)],
    256: [(10, 1), (128, 4), (64, 8), (32, 16), (16, 32), (8, 64), (4, 128), (3, 256)],
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def shapes_along(network, x):
    """Return (channels, side) of the input and of each convolution's output."""
    shapes = [x.shape[1:3]]
    for layer in network.main:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            shapes.append(x.shape[1:3])
    return [tuple(shape) for shape in shapes]


@pytest.mark.parametrize("size", GENERATOR_SHAPES)
def test_shapes_and_parameters_at_every_size(size):
    """Each convolution has in x out x 16 weights; each batch norm two numbers a channel."""
    table, (generator, discriminator) = (
        GENERATOR_SHAPES[size],
        (Generator(size, 3, 10, 4), Discriminator(size, 3, 4)),
    )
    assert shapes_along(generator, torch.zeros(2, 10, 1, 1)) == table
    mirrored = table[:0:-1] + [(1, 1)]
    assert shapes_along(discriminator, torch.zeros(2, 3, size, size)) == mirrored
    for z in (torch.zeros(2, 10), torch.zeros(2, 10, 1, 1)):
        assert generator(z).shape == (2, 3, size, size)
    assert discriminator(torch.zeros(2, 3, size, size)).shape == (2,)
    widths = [channels for channels, _ in table]
    convolutions = sum(16 * a * b for a, b in zip(widths, widths[1:]))
    counts = [sum(p.numel() for p in n.parameters()) for n in (generator, discriminator)]
    in_d = convolutions - 16 * 10 * widths[1] + 16 * widths[1]
    assert counts == [convolutions + 2 * sum(widths[1:-1]), in_d + 2 * sum(widths[1:-2])]


def test_the_papers_generator():
    """64x64 in color: widths from the paper's figure 1, the count worked out by hand."""
    assert feature_widths(64, 128) == [1024, 512, 256, 128]
    with torch.device("meta"):
        generator = Generator(64, 3, 100, 128)
    assert sum(p.numel() for p in generator.parameters()) == 12_658_432


def test_the_four_rules():
    """No pooling, nothing fully connected, batch norm and activations where the paper has them."""
    in_g, in_d = ([type(m).__name__ for m in n.main] for n in (Generator(64, 1, 9, 4), small_d(64)))
    assert in_g == ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 4 + ["ConvTranspose2d", "Tanh"]
    inner = ["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3
    assert in_d == ["Conv2d", "LeakyReLU", *inner, "Conv2d"]
    assert all(m.negative_slope == 0.2 for m in small_d().main if isinstance(m, nn.LeakyReLU))


def small_d(size=16, **options):
    return Discriminator(size, 1, 4, **options)


# Initial weights


def assert_normal(values, mean, std):
    count = values.numel()
    assert abs(values.mean() - mean) < 5 * std / count**0.5
    assert abs(values.std() / std - 1) < 5 / (2 * count) ** 0.5


def test_initial_weights_have_the_papers_statistics():
    generator = Generator(64, 3, 100, 32)
    initialize_weights(generator, seeded(), std=0.02)
    for layer in generator.main:
        if isinstance(layer, nn.ConvTranspose2d):
            assert_normal(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            assert_normal(layer.weight, 1.0, 0.02)
            assert (layer.bias == 0).all()


def by_setting():
    return new_networks(preset("smoke", spectral_norm=True, first_bias=True), 1, 1, seeded(7))[1]


def by_surgery(normalize=spectral_norm):
    discriminator = Discriminator(16, 1, 8, first_bias=True)
    discriminator.apply(lambda m: normalize(m) if isinstance(m, nn.Conv2d) else m)
    initialize_weights(discriminator, seeded(7))
    return discriminator


BUILDS = [lambda: new_networks(preset("smoke"), 1, 1, seeded(7))[1], by_setting, by_surgery]


@pytest.mark.parametrize("build", BUILDS, ids=["plain", "setting", "surgery"])
def test_initial_weights_come_from_the_given_generator_alone(build):
    """Spectral norm has vectors of its own, which PyTorch draws from the global generator."""
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        states.append(build().state_dict())
    assert all(map(torch.equal, *(state.values() for state in states)))


@pytest.mark.parametrize("build", BUILDS[1:], ids=["setting", "surgery"])
def test_with_spectral_norm_the_largest_singular_value_is_one(build):
    """By LAPACK; the weights under it are drawn as the paper says."""
    discriminator = build().eval()
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 3
    for layer in layers:
        assert torch.linalg.svdvals(layer.weight.flatten(1))[0].item() == pytest.approx(1, abs=0.1)
        assert_normal(layer.parametrizations.weight.original, 0.0, 0.02)
        assert layer.bias is None or (layer.bias == 0).all()


def test_spectral_norm_is_saved_and_loaded(tmp_path):
    discriminator = by_setting().eval()
    save_weights(tmp_path / "D.pth", discriminator)
    save(tmp_path / "in tutorials.pth", discriminator.state_dict())
    images = torch.randn(4, 1, 16, 16, generator=seeded())
    for path in tmp_path.iterdir():
        assert torch.equal(load_discriminator(path)(images), discriminator(images))
        assert load(path).keys() == discriminator.state_dict().keys()
