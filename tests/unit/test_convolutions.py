"""The layers that compute as matrix products agree with PyTorch's own convolutions."""

import pytest
import torch
from torch import nn

from dcgan_utils import convolutions

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


def results_of(layer, given, gradient):
    """Return outputs, gradients, and those of a gradient's square, as penalties take them."""
    x = given.clone().requires_grad_(gradient)
    y = layer(x)
    # weigh every output differently, so that no mistake in their order can hide
    weighed = (y.sin() * torch.arange(y.numel()).reshape(y.shape)).sum()
    inputs = [x, *layer.parameters()] if gradient else [*layer.parameters()]
    first = torch.autograd.grad(weighed, inputs, create_graph=True)
    if not gradient:
        return [y, *first]
    return [y, *first, *torch.autograd.grad(first[0].square().mean(), [x, layer.weight])]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gradient", [False, True], ids=["of weights", "of input, too"])
@pytest.mark.parametrize("kind, arguments, shape", CASES)
def test_equals_pytorch(kind, arguments, shape, bias, gradient, layout):
    torch.manual_seed(0)
    own, theirs = (
        getattr(module, kind)(*arguments, bias=bias).to(memory_format=layout).double()
        for module in (convolutions, nn)
    )
    theirs.load_state_dict(own.state_dict())  # the same names and shapes
    given = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    for ours, expected in zip(*(results_of(layer, given, gradient) for layer in (own, theirs))):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-8)
