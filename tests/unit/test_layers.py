"""The from-scratch operations equal PyTorch's, whatever the shape; bad arguments are refused."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcgan_utils import layers
from dcgan_utils.config import UserError

TRANSPOSED = [layers.conv_transpose2d_by_stamping, layers.conv_transpose2d_by_zeros]

small = st.integers(1, 3)
side = st.integers(1, 6)
kernel = st.integers(1, 4)
seeds = st.integers(0, 2**31)
quick = settings(deadline=None, max_examples=80, derandomize=True)  # the same cases every time


def draw(seed, *shape):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def agree(a, b, tolerance=1e-6):
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=tolerance)


# Convolution


@quick
@given(small, small, small, side, side, kernel, kernel, small, st.integers(0, 3), seeds)
def test_conv2d_equals_pytorch(batch, inputs, outputs, h, w, k, m, stride, padding, seed):
    assume(k <= h + 2 * padding and m <= w + 2 * padding)
    x, weight = draw(seed, batch, inputs, h, w), draw(seed + 1, outputs, inputs, k, m)
    got = layers.conv2d(x, weight, stride, padding)
    assert agree(got, F.conv2d(x, weight, stride=stride, padding=padding))


@pytest.mark.parametrize("function", TRANSPOSED)
@quick
@given(small, small, small, side, side, kernel, kernel, small, st.integers(0, 3), small, seeds)
def test_transposed_convolution_equals_pytorch(
    function, batch, inputs, outputs, h, w, k, m, stride, padding, extra, seed
):
    output_padding = (extra - 1) % stride
    for length, size in ((h, k), (w, m)):
        assume((length - 1) * stride + size - 2 * padding + output_padding >= 1)
    x, weight = draw(seed, batch, inputs, h, w), draw(seed + 1, inputs, outputs, k, m)
    got = function(x, weight, stride, padding, output_padding)
    expected = F.conv_transpose2d(
        x, weight, stride=stride, padding=padding, output_padding=output_padding
    )
    assert agree(got, expected)


@quick
@given(side, kernel, small, st.integers(0, 2))
def test_a_transposed_convolution_takes_the_size_back(size, k, stride, padding):
    """With the right output_padding, it makes the size that the convolution started from."""
    assume(k <= size + 2 * padding)
    smaller = layers.output_size(size, k, stride, padding)
    dropped = (size + 2 * padding - k) % stride
    assert layers.transposed_output_size(smaller, k, stride, padding, dropped) == size


def test_worked_examples():
    """Summed by hand: 1*1 + 2*2 + 4*3 + 5*4, and so on."""
    x = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    weight = torch.tensor([[[[1.0, 2], [3, 4]]]])
    assert layers.conv2d(x, weight).tolist() == [[[[37, 47], [67, 77]]]]
    assert layers.conv2d(x, weight, stride=2, padding=1).tolist() == [[[[4, 18], [36, 77]]]]
    pixel = torch.tensor([[[[10.0]]]])
    for function in TRANSPOSED:
        assert function(pixel, weight).tolist() == [[[[10, 20], [30, 40]]]]
    assert layers.insert_zeros(torch.tensor([[[[1.0, 2]]]]), 3).tolist() == [[[[1, 0, 0, 2]]]]


def test_write_counts_by_hand():
    """Kernel 3 at stride 2 writes each second row twice; kernel 4 writes all alike, inside."""
    assert layers.write_counts(3, kernel=3, stride=2, padding=1)[2].tolist() == [1, 2, 1, 2, 1]
    assert layers.write_counts(3, kernel=4, stride=2, padding=1)[2].tolist() == [2, 4, 4, 4, 4, 2]


def test_checkerboard_by_hand():
    """Four values, once each: 1, 2, 3, 4 in all images; then with each row alike; then moved."""
    board = torch.tensor([[1.0, 2], [3, 4]]).repeat(5, 3, 3)  # (5, 6, 6)
    assert layers.checkerboard(board) == pytest.approx((5 / 3) ** 0.5 / board.std().item())
    assert layers.checkerboard(torch.arange(4.0).repeat_interleave(2).repeat(5, 8, 1)) == 0
    mirrored = torch.stack([board[0], board[0].flip(1), board[0].flip(0), board[0].flip(0, 1)])
    assert layers.checkerboard(mirrored) == 0


X, W = torch.zeros(1, 2, 5, 5), torch.zeros(3, 2, 3, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.conv2d(X, W, stride=0), "stride 0,.*a stride of 1 or more"),
        (lambda: layers.conv2d(X, W, padding=-1), "padding -1;.*a padding of 0 or more"),
        (lambda: layers.conv2d(X[..., :2], W), "kernel is 3,.*a kernel of 1 to 2"),
        (lambda: layers.output_size(4, 0), "kernel is 0,.*a kernel of 1 to 4"),
        (
            lambda: layers.transposed_output_size(3, 3, 2, 1, 2),
            "output_padding 2,.*0 to stride - 1",
        ),
        (lambda: layers.transposed_output_size(1, 2, 1, 1), "output size 0;.*1 or more"),
        (lambda: layers.transposed_output_size(3, 0, 2, 0), "kernel is 0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()
