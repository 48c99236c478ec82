"""Sizes and fast layers equal PyTorch's, whatever the shape; bad arguments are refused."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from dcgan_utils import convolutions, layers
from dcgan_utils.config import UserError

small, kernel = st.integers(1, 3), st.integers(1, 4)
quick = settings(deadline=None, max_examples=40, derandomize=True)  # the same cases every time


@quick
@given(st.integers(1, 6), kernel, small, st.integers(0, 3))
def test_output_size_is_pytorchs(size, k, stride, padding):
    assume(k <= size + 2 * padding)
    x, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, k, k)
    expected = F.conv2d(x, weight, stride=stride, padding=padding).shape[-1]
    assert layers.output_size(size, k, stride, padding) == expected


@quick
@given(st.integers(1, 6), kernel, small, st.integers(0, 3), small)
def test_transposed_output_size_is_pytorchs(size, k, stride, padding, extra):
    extra = (extra - 1) % stride
    assume((size - 1) * stride + k - 2 * padding + extra >= 1)
    x, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, k, k)
    y = F.conv_transpose2d(x, weight, stride=stride, padding=padding, output_padding=extra)
    assert layers.transposed_output_size(size, k, stride, padding, extra) == y.shape[-1]
    assert layers.write_counts(size, k, stride, padding, extra).shape == y.shape[2:]


def test_checkerboard_by_hand():
    """Four values, once each: 1, 2, 3, 4 in all images; then with each row alike; then moved."""
    board = torch.tensor([[1.0, 2], [3, 4]]).repeat(5, 3, 3)  # (5, 6, 6)
    assert layers.checkerboard(board) == pytest.approx((5 / 3) ** 0.5 / board.std().item())
    assert layers.checkerboard(torch.arange(4.0).repeat_interleave(2).repeat(5, 8, 1)) == 0
    mirrored = torch.stack([board[0], board[0].flip(1), board[0].flip(0), board[0].flip(0, 1)])
    assert layers.checkerboard(mirrored) == 0


def test_a_checkerboard_has_a_period():
    """Blocks of 2×2 repeat every 4 pixels: the pixels' own kinds, all that there is."""
    blocks = torch.tensor([[0.0, 1], [1, 0]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
    images = blocks.repeat(5, 4, 4)  # (5, 16, 16)
    assert layers.checkerboard(images, 2) == 0
    assert layers.checkerboard(images, 4) == pytest.approx(1, abs=0.05)
    assert layers.checkerboard(images, 8) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.output_size(5, 3, stride=0), "stride 0,.*a stride of 1 or more"),
        (lambda: layers.output_size(5, 3, padding=-1), "padding -1;.*a padding of 0 or more"),
        (lambda: layers.output_size(2, 3), "kernel is 3,.*a kernel of 1 to 2"),
        (lambda: layers.transposed_output_size(3, 3, 2, 1, 2), "output_padding 2"),
        (lambda: layers.transposed_output_size(1, 2, 1, 1), "output size 0"),
        (lambda: layers.transposed_output_size(3, 0, 2, 0), "kernel is 0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()


CASES = [  # the layer, its arguments, the shape that it is given
    ("ConvTranspose2d", (100, 24, 4, 1, 0), (3, 100, 1, 1)),  # G's first
    ("ConvTranspose2d", (8, 1, 4, 2, 1), (3, 8, 6, 10)),  # G's last, not even square
    ("ConvTranspose2d", (8, 2, 3, 2, 1), (3, 8, 1, 1)),  # one position, but with padding
    ("Conv2d", (1, 8, 4, 2, 1), (3, 1, 12, 20)),  # D's first
    ("Conv2d", (3, 8, 5, 3, 2), (3, 3, 13, 10)),
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
