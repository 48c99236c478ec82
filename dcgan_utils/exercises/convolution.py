"""Checkers of notebook 01, strided and fractional-strided convolution."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import write_counts
from .common import Wrong, judge, require_answer, require_equal, require_tensor


def check_sizes(function: Callable[[], list[int]]) -> bool:
    """Check exercise 1.1: six output sizes worked out by hand."""

    def check() -> None:
        layers = [
            ("convolution", 28, 5, 1, 2),
            ("convolution", 28, 4, 2, 1),
            ("convolution", 28, 3, 2, 0),
            ("transposed convolution", 7, 4, 2, 1),
            ("transposed convolution", 7, 3, 2, 1),
            ("transposed convolution", 1, 7, 1, 0),
        ]
        got = function()
        require_answer(got, (list, tuple), "a list of six numbers")
        if len(got) != len(layers):
            raise Wrong(f"Expected six numbers, got {len(got)}.")
        for number, (value, (kind, size, kernel, stride, padding)) in enumerate(zip(got, layers)):
            x, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel)
            run = F.conv2d if kind == "convolution" else F.conv_transpose2d
            expected = run(x, weight, stride=stride, padding=padding).shape[-1]
            if value == expected:
                continue
            hint = {
                expected + 1: "One too many: does the window still fit at its last place?",
                expected - 1: "One too few: is the first place counted?",
                expected + padding: "Padding is applied at both ends of a side.",
                expected - padding: "Padding is applied at both ends of a side.",
            }.get(value, "Put the numbers into the formula of section 4 or 5 again.")
            if kind == "transposed convolution":
                hint = "Where does the last stamp begin, and where does it end? See section 5."
            raise Wrong(
                f"Number {number + 1}, a {kind} with kernel {kernel}, stride {stride}, padding "
                f"{padding} on {size}: PyTorch gives another size than {value}. {hint}"
            )

    return judge("1.1", check, function)


def check_convolution(function: Callable[[Tensor, Tensor, int, int], Tensor]) -> bool:
    """Check exercise 1.2: a convolution of one image, with stride and padding."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        cases = [
            ((5, 5), (3, 3), 1, 0),
            ((5, 5), (3, 3), 1, 1),
            ((5, 5), (3, 3), 2, 1),
            ((6, 6), (3, 3), 2, 0),  # leaves a rest
            ((4, 7), (2, 3), 2, 1),  # rectangles
        ]
        for size, side, stride, padding in cases:
            image = torch.randint(-3, 4, size, generator=random).float()
            kernel = torch.randint(-3, 4, side, generator=random).float()
            before = image.clone()
            expected, swapped, flipped = (
                F.conv2d(a[None, None], b[None, None], stride=stride, padding=padding)[0, 0]
                for a, b in ((image, kernel), (image, kernel.T), (image, kernel.flip(0, 1)))
            )
            case = f"for image {size}, kernel {side}, stride {stride}, padding {padding}"
            got = require_tensor(
                function(image, kernel, stride, padding),
                expected.shape,
                f"This is {case}. Count rows and columns by the formula of section 4, each with "
                f"its own side of image and kernel.",
            )
            if not torch.equal(image, before):
                raise Wrong("Your function changed the image it was given. Work on a new tensor.")
            mistakes = [
                (flipped, "Is the kernel flipped? Section 2 says when it is."),
                (swapped, "Are rows and columns of the kernel swapped?"),
                (image[: len(got), : got.shape[1]] * 0, "Your output is all zeros."),
            ]
            where = "Where does the window of output (i, j) begin, in the padded image?"
            require_equal(got, expected, case, mistakes, where)

    return judge("1.2", check, function)


def check_transposed_convolution(function: Callable[[Tensor, Tensor, int, int], Tensor]) -> bool:
    """Check exercise 1.3: a transposed convolution with channels."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        cases = [  # x, weight, stride, padding
            ((1, 3, 3), (1, 1, 3, 3), 2, 0),
            ((1, 3, 3), (1, 1, 3, 3), 2, 1),
            ((1, 2, 3), (1, 1, 2, 2), 3, 0),
            ((2, 3, 3), (2, 2, 4, 4), 2, 1),
            ((2, 3, 3), (2, 3, 4, 4), 2, 1),
        ]
        for size, side, stride, padding in cases:
            x = torch.randint(-3, 4, size, generator=random).float()
            weight = torch.randint(-3, 4, side, generator=random).float()
            before = x.clone()

            def run(w: Tensor, x=x, stride=stride, padding=padding) -> Tensor:
                return F.conv_transpose2d(x[None], w, stride=stride, padding=padding)[0]

            expected = run(weight)
            case = f"for x {size}, weight {side}, stride {stride}, padding {padding}"
            got = require_tensor(
                function(x, weight, stride, padding),
                expected.shape,
                f"This is {case}. Which axis of weight is the output channel, and how much does "
                f"padding cut off?",
            )
            if not torch.equal(x, before):
                raise Wrong("Your function changed the input it was given. Work on a new tensor.")
            mistakes = [(run(weight.flip(2, 3)), "Compare the orientation of your kernel: 5.")]
            if side[0] == side[1]:
                swapped = run(weight.transpose(0, 1))
                mistakes.append((swapped, "Are input and output channels of weight swapped?"))
            where = "Do overlapping stamps add up, and do all input channels count? See section 5."
            require_equal(got, expected, case, mistakes, where)

    return judge("1.3", check, function)


def check_upsampler(function: Callable[[], nn.Sequential]) -> bool:
    """Check exercise 1.4: two layers from 7x7 to 28x28 that write evenly."""

    def check() -> None:
        network = function()
        require_answer(network, nn.Module, "an nn.Sequential")
        layers: list[Any] = [module for module in network.modules() if not list(module.children())]
        kinds = [type(module).__name__ for module in layers]
        if kinds != ["ConvTranspose2d"] * 2:
            raise Wrong(f"Expected two layers of ConvTranspose2d, got {kinds}.")
        with torch.no_grad():
            sizes = [layers[0](torch.zeros(1, 8, 7, 7)).shape[-1]]
            shape = tuple(network(torch.zeros(1, 8, 7, 7)).shape)
        if sizes[0] != 14:
            raise Wrong(
                f"Expected the first layer to make 14x14 of 7x7, got {sizes[0]}x{sizes[0]}."
            )
        if shape != (1, 1, 28, 28):
            raise Wrong(f"Expected (1, 1, 28, 28) for one input, got {shape}.")
        for number, layer in enumerate(layers, start=1):
            settings = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding)
            counts = write_counts(7, *(value[0] for value in settings))
            inner = counts[4:-4, 4:-4]
            if inner.min() != inner.max():
                raise Wrong(
                    f"Expected layer {number} to write equally often to all pixels in the middle, "
                    f"but its counts go from {inner.min()} to {inner.max()}. Which kernel sizes "
                    f"are even in section 8?"
                )

    return judge("1.4", check, function)
