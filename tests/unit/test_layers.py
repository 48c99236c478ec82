"""The from-scratch operations equal PyTorch's, whatever the shape; bad arguments are refused."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from dcgan_utils import layers
from dcgan_utils.config import UserError

TRANSPOSED = [
    layers.conv_transpose2d_by_stamping,
    layers.conv_transpose2d_by_zeros,
    layers.conv_transpose2d_by_matrix,
]

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
@given(side, kernel, small, st.integers(0, 3))
def test_the_sizes_are_those_of_pytorch(size, k, stride, padding):
    if k <= size + 2 * padding:
        expected = F.conv2d(
            torch.zeros(1, 1, size, size), torch.zeros(1, 1, k, k), stride=stride, padding=padding
        ).shape[-1]
        assert layers.output_size(size, k, stride, padding) == expected
    else:
        with pytest.raises(UserError, match="kernel is"):
            layers.output_size(size, k, stride, padding)


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
        (lambda: layers.conv2d(X, W, stride=0), "stride is 0; allowed: 1 or more"),
        (lambda: layers.conv2d(X, W, padding=-1), "padding is -1; allowed: 0 or more"),
        (lambda: layers.conv2d(X[0], W), r"x has shape \(2, 5, 5\).*Reshape"),
        (lambda: layers.conv2d(X, W[0]), r"weight has shape \(2, 3, 3\).*Reshape"),
        (lambda: layers.conv2d(X[:, :1], W), "x has 1 channels.*takes 2"),
        (lambda: layers.conv2d(X[..., :2], W), "kernel is 3; allowed: 1 to 2"),
        (lambda: layers.output_size(4, 0), "kernel is 0; allowed: 1 to 4"),
        (lambda: layers.insert_zeros(X, 0), "stride is 0"),
        (lambda: layers.transposed_output_size(3, 3, 2, 1, 2), "output_padding is 2; allowed"),
        (lambda: layers.transposed_output_size(1, 2, 1, 1), "output of size 0"),
        (lambda: layers.transposed_output_size(3, 0, 2, 0), "kernel 0"),
        (lambda: layers.write_counts(3, 3, 0), "stride is 0"),
        (lambda: layers.BatchNorm(3)(torch.zeros(4, 2)), r"allowed: \(N, 3\)"),
        (lambda: layers.BatchNorm(3)(torch.zeros(4, 3, 2)), r"allowed: \(N, 3\)"),
        (lambda: layers.BatchNorm(3)(torch.zeros(1, 3)), "one value in a channel"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()


@pytest.mark.parametrize("function", TRANSPOSED)
def test_bad_arguments_of_a_transposed_convolution_are_refused(function):
    with pytest.raises(UserError, match="x has 2 channels.*takes 3"):
        function(X, W)
    with pytest.raises(UserError, match="output_padding is 1"):
        function(X, W.transpose(0, 1), 1, 1, 1)


# Batch normalization


@quick
@given(
    st.sampled_from([(2, 3), (7, 1), (2, 3, 1, 1), (1, 2, 3, 4), (4, 3, 5, 2)]),
    st.floats(0.01, 1.0),
    st.sampled_from([1e-5, 1e-3, 0.8]),
    seeds,
)
def test_batch_norm_equals_pytorch(shape, momentum, eps, seed):
    """Outputs, gradients and running statistics, in training and then in evaluation."""
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    theirs = kind(shape[1], eps=eps, momentum=momentum).double()
    ours = layers.BatchNorm(shape[1], eps=eps, momentum=momentum).double()
    with torch.no_grad():
        for a, b, number in ((ours.gamma, theirs.weight, 1), (ours.beta, theirs.bias, 2)):
            a.copy_(draw(seed + number, shape[1]))
            b.copy_(a)
    for batch in range(3):
        x = 3 * draw(seed + 10 + batch, *shape) + 5
        x_ours, x_theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        y_ours, y_theirs = ours(x_ours), theirs(x_theirs)
        assert agree(y_ours, y_theirs)
        y_ours.pow(3).sum().backward()
        y_theirs.pow(3).sum().backward()
        scale = 1 + x_theirs.grad.abs().max().item()
        assert agree(x_ours.grad / scale, x_theirs.grad / scale)
    assert agree(ours.running_mean, theirs.running_mean)
    assert agree(ours.running_var, theirs.running_var)
    x = draw(seed + 20, *shape)
    assert agree(ours.eval()(x), theirs.eval()(x))


def test_batch_norm_by_hand():
    """Of 1, 3, 5, 7: mean 4, variance 5; the running variance takes 20/3, divided by n - 1."""
    norm = layers.BatchNorm(1, eps=0.0)
    y = norm(torch.tensor([[1.0], [3], [5], [7]]))
    assert agree(y[:, 0], torch.tensor([-3.0, -1, 1, 3]) / 5**0.5)
    assert norm.running_mean.item() == pytest.approx(0.4)
    assert norm.running_var.item() == pytest.approx(0.9 + 0.1 * 20 / 3)


# Activations


@pytest.mark.parametrize(
    ("ours", "theirs", "least"),
    [
        (layers.sigmoid, torch.sigmoid, -80),
        (layers.tanh, torch.tanh, -40),
        (layers.relu, torch.relu, -1e6),
        (layers.leaky_relu, lambda x: F.leaky_relu(x, 0.2), -1e6),
    ],
)
@quick
@given(data=st.data())
def test_activations_equal_pytorch_in_value_and_gradient(ours, theirs, least, data):
    values = data.draw(st.lists(st.floats(least, 1e6), min_size=1, max_size=9))
    x = torch.tensor([*values, 0.0], dtype=torch.double)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    y_a, y_b = ours(a), theirs(b)
    assert agree(y_a, y_b)
    y_a.sum().backward()
    y_b.sum().backward()
    assert agree(a.grad, b.grad)


def test_the_formula_of_the_sigmoid_has_no_gradient_where_it_overflows():
    """What its docstring says of float32."""
    x = torch.tensor([-80.0, -100.0], requires_grad=True)
    layers.sigmoid(x).sum().backward()
    assert x.grad[0].isfinite() and x.grad[1].isnan()
