"""The layers that compute as matrix products agree with PyTorch's own convolutions."""

import pytest
import torch
from torch import nn

from dcgan_utils import products
from dcgan_utils.networks import Discriminator, Generator

LAYOUTS = [torch.contiguous_format, torch.channels_last]
CASES = [  # the layer, its arguments, the shape that it is given
    ("ConvTranspose2d", (100, 24, 4, 1, 0), (3, 100, 1, 1)),  # G's first
    ("ConvTranspose2d", (8, 1, 4, 2, 1), (3, 8, 6, 10)),  # G's last, not even square
    ("ConvTranspose2d", (8, 3, 4, 2, 1), (3, 8, 5, 5)),
    ("ConvTranspose2d", (8, 2, 3, 2, 1), (3, 8, 1, 1)),  # one position, but with padding
    ("Conv2d", (1, 8, 4, 2, 1), (3, 1, 12, 20)),  # D's first
    ("Conv2d", (3, 8, 5, 3, 2), (3, 3, 13, 10)),
    ("Conv2d", (11, 8, 4, 2, 1), (3, 11, 8, 8)),
    ("Conv2d", (24, 1, 4, 1, 0), (3, 24, 4, 4)),  # D's last
]


def pair(kind: str, arguments: tuple, bias: bool, layout: torch.memory_format):
    torch.manual_seed(0)
    own = getattr(products, kind)(*arguments, bias=bias).to(memory_format=layout).double()
    theirs = getattr(nn, kind)(*arguments, bias=bias).to(memory_format=layout).double()
    theirs.load_state_dict(own.state_dict())  # the same names and shapes
    return own, theirs


@pytest.mark.parametrize("layout", LAYOUTS, ids=["contiguous", "channels last"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gradient", [False, True], ids=["of weights", "of input, too"])
@pytest.mark.parametrize("kind, arguments, shape", CASES)
def test_equals_pytorch(kind, arguments, shape, bias, gradient, layout):
    given = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    results = []
    for layer in pair(kind, arguments, bias, layout):
        x = given.clone().requires_grad_(gradient)
        y = layer(x)
        # weigh every output differently, so that no mistake in their order can hide
        (y.sin() * torch.arange(y.numel()).reshape(y.shape)).sum().backward()
        results.append([y.detach(), x.grad, *(p.grad for p in layer.parameters())])
    for ours, expected in zip(*results, strict=True):
        if expected is None:
            assert ours is None
        else:
            torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("kind, arguments, shape", CASES)
def test_second_derivative(kind, arguments, shape):
    """Gradient penalties differentiate a gradient."""
    results = []
    for layer in pair(kind, arguments, False, torch.contiguous_format):
        x = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
        x.requires_grad_()
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        results.append(layer.weight.grad)
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-8)


def test_networks_are_what_pytorchs_layers_compute():
    torch.manual_seed(0)
    generator, discriminator = Generator(32, 1, 100, 8), Discriminator(32, 1, 8, first_bias=True)
    z = torch.randn(5, 100)
    expected = z[:, :, None, None]
    for layer in generator.main:
        expected = original(layer)(expected)
    torch.testing.assert_close(generator(z), expected)
    images = expected.detach()
    logits = images.requires_grad_()
    for layer in discriminator.main:
        logits = original(layer)(logits)
    torch.testing.assert_close(discriminator(images), logits.reshape(-1))


def original(layer: nn.Module) -> nn.Module:
    """Return PyTorch's own layer with the same weights, or the layer itself."""
    kind = getattr(nn, type(layer).__name__)
    if type(layer) is kind:
        return layer
    bias = layer.bias is not None
    sizes = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
    own = kind(*sizes, bias=bias)
    own.load_state_dict(layer.state_dict())
    return own
