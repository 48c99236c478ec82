"""The two networks: shapes, initial weights, and what is drawn by them."""

import pytest
import torch
from torch import nn

from dcgan_utils.config import UserError, preset
from dcgan_utils.networks import Discriminator, Generator, initialize_weights, new_networks
from dcgan_utils.sampling import draw_latents, sample, sample_new

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
def test_shapes_at_every_size(size):
    table, generator = GENERATOR_SHAPES[size], Generator(size, 3, 10, 4)
    discriminator = Discriminator(size, 3, 4)
    assert shapes_along(generator, torch.zeros(2, 10, 1, 1)) == table
    mirrored = table[:0:-1] + [(1, 1)]
    assert shapes_along(discriminator, torch.zeros(2, 3, size, size)) == mirrored
    assert generator(torch.zeros(2, 10)).shape == (2, 3, size, size)
    assert discriminator(torch.zeros(2, 3, size, size)).shape == (2,)


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


def test_with_spectral_norm_the_largest_singular_value_is_one():
    """By LAPACK; the weights under it are drawn as the paper says."""
    config = preset("smoke", spectral_norm=True, first_bias=True)
    discriminator = new_networks(config, 1, 1, seeded(7))[1].eval()
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 3
    for layer in layers:
        assert torch.linalg.svdvals(layer.weight.flatten(1))[0].item() == pytest.approx(1, abs=0.1)
        assert_normal(layer.parametrizations.weight.original, 0.0, 0.02)
        assert layer.bias is None or (layer.bias == 0).all()


@pytest.fixture
def generator():
    generator = Generator(16, 1, 8, 4, classes=3)
    initialize_weights(generator, torch.Generator().manual_seed(0), 0.2)
    return generator


def test_latents_are_of_the_named_distribution():
    random = torch.Generator().manual_seed(0)
    normal = draw_latents(1000, 100, "normal", random)
    assert normal.shape == (1000, 100)
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    uniform = draw_latents(1000, 100, "uniform", random)
    assert -1 <= uniform.min() < -0.999 and 0.999 < uniform.max() <= 1
    assert abs(uniform.std() - 3**-0.5) < 0.01
    with pytest.raises(UserError, match="'gauss'.*normal or uniform"):
        draw_latents(1, 1, "gauss", random)


def test_each_image_depends_on_its_own_vector_and_label_alone(generator):
    z = draw_latents(501, 8, "normal", torch.Generator().manual_seed(0))  # more than one batch
    labels = torch.arange(501) % 3
    state = [value.clone() for value in generator.state_dict().values()]
    images = sample(generator, z, labels)
    assert images.shape == (501, 1, 16, 16) and images.dtype == torch.uint8
    assert torch.equal(images[[7, 500]], sample(generator, z[[7, 500]], labels[[7, 500]]))
    assert not torch.equal(images[1:], sample(generator, z[1:], labels[:-1]))
    assert torch.equal(sample_new(generator, 501, "normal", 0), images), "classes in turn"
    assert all(map(torch.equal, state, generator.state_dict().values()))


def test_each_module_is_in_its_own_mode_again_also_after_an_error(generator):
    generator.main[1].eval()  # one batch norm alone, as when layers are frozen
    modes = [module.training for module in generator.modules()]
    for images in (torch.zeros(2, 8), torch.zeros(2, 9)):  # the second ones do not fit
        try:
            sample(generator, images, torch.tensor([0, 1]))
        except RuntimeError:
            assert images.shape[1] == 9
        assert [module.training for module in generator.modules()] == modes
