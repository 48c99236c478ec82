"""The two networks: shapes, sizes, weights, gradients, and what else must hold of a DCGAN."""

import pytest
import torch
from torch import nn

from dcgan_utils.config import UserError
from dcgan_utils.networks import (
    Discriminator,
    Generator,
    feature_widths,
    initialize_weights,
)
from dcgan_utils.sampling import draw_latents
from dcgan_utils.weights import network_from_weights

# Written by hand for width 4 and latent size 10: each layer's (channels, side), from z on.
GENERATOR_SHAPES = {
    16: [(10, 1), (8, 4), (4, 8), (3, 16)],
    32: [(10, 1), (16, 4), (8, 8), (4, 16), (3, 32)],
    64: [(10, 1), (32, 4), (16, 8), (8, 16), (4, 32), (3, 64)],
    128: [(10, 1), (64, 4), (32, 8), (16, 16), (8, 32), (4, 64), (3, 128)],
    256: [(10, 1), (128, 4), (64, 8), (32, 16), (16, 32), (8, 64), (4, 128), (3, 256)],
}


def shapes_along(network, x):
    """Return (channels, side) of the input and of each convolution's output."""
    shapes = [x.shape[1:3]]
    for layer in network.main:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            shapes.append(x.shape[1:3])
    return [tuple(shape) for shape in shapes]


@pytest.mark.parametrize("size", GENERATOR_SHAPES)
def test_shapes_at_every_size(size):
    table = GENERATOR_SHAPES[size]
    assert shapes_along(Generator(size, 3, 10, 4), torch.zeros(2, 10, 1, 1)) == table
    mirrored = table[:0:-1] + [(1, 1)]
    assert shapes_along(Discriminator(size, 3, 4), torch.zeros(2, 3, size, size)) == mirrored


@pytest.mark.parametrize("size", GENERATOR_SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_input_and_output_shapes(size, channels):
    generator, discriminator = Generator(size, channels, 10, 4), Discriminator(size, channels, 4)
    for z in (torch.zeros(2, 10), torch.zeros(2, 10, 1, 1)):
        images = generator(z)
        assert images.shape == (2, channels, size, size)
    assert discriminator(images).shape == (2,)


@pytest.mark.parametrize("size", GENERATOR_SHAPES)
def test_parameter_counts(size):
    """Each convolution has in x out x 16 weights; each batch norm two numbers a channel."""
    table = [channels for channels, _ in GENERATOR_SHAPES[size]]
    convolutions = sum(16 * a * b for a, b in zip(table, table[1:]))
    generator = sum(p.numel() for p in Generator(size, 3, 10, 4).parameters())
    assert generator == convolutions + 2 * sum(table[1:-1])
    discriminator = sum(p.numel() for p in Discriminator(size, 3, 4).parameters())
    same_but_ends = convolutions - 16 * 10 * table[1] + 16 * table[1]
    assert discriminator == same_but_ends + 2 * sum(table[1:-2])


def test_the_papers_generator():
    """The paper's 64x64 RGB generator: widths from its figure 1, the count worked out by hand."""
    assert feature_widths(64, 128) == [1024, 512, 256, 128]
    with torch.device("meta"):
        generator = Generator(64, 3, 100, 128)
    by_hand = 16 * (100 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 2 * 1920
    assert by_hand == 12_658_432
    assert sum(p.numel() for p in generator.parameters()) == by_hand


@pytest.mark.parametrize("size", [16, 64])
def test_the_four_rules(size):
    """No pooling, nothing fully connected, batch norm and activations where the paper has them."""
    generator, discriminator = Generator(size, 1, 10, 4), Discriminator(size, 1, 4)
    kinds = [type(layer).__name__ for layer in generator.main]
    hidden = len(feature_widths(size, 4))
    assert kinds == ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * hidden + [
        "ConvTranspose2d",
        "Tanh",
    ]
    kinds = [type(layer).__name__ for layer in discriminator.main]
    inner = ["Conv2d", "BatchNorm2d", "LeakyReLU"] * (hidden - 1)
    assert kinds == ["Conv2d", "LeakyReLU", *inner, "Conv2d"]
    assert all(m.negative_slope == 0.2 for m in discriminator.main if isinstance(m, nn.LeakyReLU))


@pytest.mark.parametrize("first_bias", [False, True])
def test_without_a_first_bias_d_is_blind_to_contrast(first_bias):
    """Exactly so where batch norm has hardly an epsilon: half the contrast is judged the same."""
    discriminator = Discriminator(16, 1, 4, first_bias=first_bias).double()
    initialize_weights(discriminator, torch.Generator().manual_seed(0), std=0.2)
    for module in discriminator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-30
    if first_bias:
        assert (discriminator.main[0].bias == 0).all(), "it starts without effect"
        discriminator.main[0].bias.data.fill_(0.1)
    random = torch.Generator().manual_seed(0)
    images = torch.randn(8, 1, 16, 16, dtype=torch.float64, generator=random)
    change = (discriminator(0.5 * images) - discriminator(images)).abs().max()
    assert change > 0.1 if first_bias else change < 1e-9


def test_gradients_reach_every_parameter():
    random = torch.Generator().manual_seed(0)
    generator, discriminator = Generator(32, 1, 10, 4), Discriminator(32, 1, 4)
    for network in (generator, discriminator):
        initialize_weights(network, random)
    discriminator(generator(draw_latents(8, 10, "normal", random))).sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_initial_weights_have_the_papers_statistics():
    generator = Generator(64, 3, 100, 32)
    initialize_weights(generator, torch.Generator().manual_seed(0), std=0.02)
    for layer in generator.main:
        if isinstance(layer, nn.ConvTranspose2d):
            count = layer.weight.numel()
            assert abs(layer.weight.mean()) < 5 * 0.02 / count**0.5
            assert abs(layer.weight.std() / 0.02 - 1) < 5 / (2 * count) ** 0.5
        elif isinstance(layer, nn.BatchNorm2d):
            assert abs(layer.weight.mean() - 1) < 5 * 0.02 / len(layer.weight) ** 0.5
            assert 0.5 < layer.weight.std() / 0.02 < 1.5
            assert (layer.bias == 0).all()


def test_initial_weights_come_from_the_given_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second = Discriminator(16, 1, 4), Discriminator(16, 1, 4)
    torch.set_rng_state(before)
    for network in (first, second):
        initialize_weights(network, torch.Generator().manual_seed(7))
    assert torch.equal(before, torch.get_rng_state())
    assert all(map(torch.equal, first.parameters(), second.parameters()))


def test_latents():
    random = torch.Generator().manual_seed(0)
    normal = draw_latents(1000, 100, "normal", random)
    assert normal.shape == (1000, 100)
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    uniform = draw_latents(1000, 100, "uniform", random)
    assert -1 <= uniform.min() < -0.999 and 0.999 < uniform.max() <= 1
    assert abs(uniform.std() - 3**-0.5) < 0.01
    with pytest.raises(UserError, match="'gauss'.*normal or uniform"):
        draw_latents(1, 1, "gauss", random)


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("latent_size", [4, 8, 16, 100])  # 4 to 16 also occur as widths
@pytest.mark.parametrize("prefix", ["", "module."])
def test_network_is_rebuilt_from_its_weights_alone(size, latent_size, prefix):
    z, images = torch.randn(2, latent_size), torch.randn(2, 1, size, size)
    for network, x in (
        (Generator(size, 1, latent_size, 4), z),
        (Discriminator(size, 1, 4), images),
        (Discriminator(size, 1, 4, first_bias=True), images),
    ):
        weights = {prefix + name: value for name, value in network.state_dict().items()}
        rebuilt = network_from_weights(weights)
        assert type(rebuilt) is type(network)
        assert torch.equal(rebuilt.eval()(x), network.eval()(x))


def test_weights_of_another_architecture_are_refused():
    with pytest.raises(UserError, match="not a DCGAN"):
        network_from_weights(nn.Sequential(nn.Linear(3, 3)).state_dict())
    weights = Generator(32, 1, 10, 4).state_dict()
    del weights["main.4.weight"]
    with pytest.raises(UserError, match="main.4.weight"):
        network_from_weights(weights)
    weights = Generator(32, 1, 10, 4).state_dict()
    weights["main.3.weight"] = torch.zeros(16, 8, 5, 5)
    with pytest.raises(UserError, match="main.3.weight"):
        network_from_weights(weights)
