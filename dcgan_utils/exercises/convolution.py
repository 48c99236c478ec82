"""Checkers of notebook 01, strided and fractional-strided convolution."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import checkerboard, write_counts
from ..networks import initialize_weights
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


def check_secret_layer(
    function: Callable[[Callable[[Tensor], Tensor]], tuple[Tensor, int, int]],
) -> bool:
    """Check exercise 1.2: kernel, stride and padding of a layer, found out from outside."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for side, stride, padding in [(3, 1, 0), (3, 2, 1), (4, 2, 1), (5, 3, 2), (2, 3, 0)]:
            size = (side, side)
            signs = 2 * torch.randint(2, size, generator=random) - 1
            kernel = (signs * torch.randint(1, 10, size, generator=random)).float()
            weight = kernel.clone()[None, None]

            def layer(x: Tensor, weight=weight, stride=stride, padding=padding) -> Tensor:
                return F.conv2d(x, weight, stride=stride, padding=padding)

            got = function(layer)
            require_answer(got, tuple, "three values: the kernel, the stride and the padding")
            if len(got) != 3:
                raise Wrong(f"Expected kernel, stride and padding, got {len(got)} values.")
            case = f"in a layer with a kernel of {side}x{side}, stride {stride}, padding {padding}"
            found = require_tensor(
                got[0],
                size,
                f"This is {case}. Did a part of it fall on the padding, or between two places that "
                f"you tried?",
            )
            mistakes = [
                (kernel.flip(0, 1), "Yours is turned by 180°. Which view of section 5 does that?"),
                (kernel.T, "Are rows and columns swapped?"),
            ]
            require_equal(found, kernel, case, mistakes, "Is each weight at its own place?")
            for name, value, expected, hint in (
                ("stride", got[1], stride, "How far apart do the windows of two neighbors begin?"),
                ("padding", got[2], padding, "Where would the first window begin without any?"),
            ):
                if value != expected:
                    raise Wrong(f"Expected {name} {expected} {case}, got {value}. {hint}")

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


def _untrained(weights: Callable[..., Tensor], seed: int) -> Tensor:
    """Return the middle of 64 images (64, 16, 16) of section 8's generator with these weights."""
    random = torch.Generator().manual_seed(seed)
    first = nn.ConvTranspose2d(100, 64, 4, bias=False)
    modules: list[nn.Module] = [first, nn.BatchNorm2d(64), nn.ReLU()]
    initialize_weights(first, random)
    for inputs, outputs in ((64, 32), (32, 16), (16, 1)):
        layer = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        layer.weight.data = weights(inputs, outputs, 4, 2, random)
        modules += [layer, nn.BatchNorm2d(outputs), nn.ReLU()]
    z = torch.randn(64, 100, 1, 1, generator=random)
    with torch.no_grad():
        return nn.Sequential(*modules[:-2])(z)[:, 0, 8:24, 8:24]


def check_even_weights(function: Callable[[int, int, int, int, torch.Generator], Tensor]) -> bool:
    """Check exercise 1.5: random weights with which an untrained generator has no checkerboard."""

    def weights(inputs: int, outputs: int, kernel: int, stride: int, seed: int = 0) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        return require_tensor(
            function(inputs, outputs, kernel, stride, random),
            (inputs, outputs, kernel, kernel),
            f"This is for kernel {kernel}, stride {stride}. Does your function use both?",
        ).detach()

    def check() -> None:
        given = weights(24, 16, 4, 2)
        deviation = given.std().item()
        if not 0.017 < deviation < 0.023:
            raise Wrong(
                f"Expected weights with a standard deviation of about 0.02, got {deviation:.3g}."
            )
        if not torch.equal(given, weights(24, 16, 4, 2)) or torch.equal(
            given, weights(24, 16, 4, 2, seed=1)
        ):
            raise Wrong("Expected weights that depend on `random` alone: draw them from it.")
        if given.std((2, 3)).min() < 1e-6:
            raise Wrong(
                "Each of your kernels has 16 equal weights. That is even, but its stamp has no "
                "shape left to learn from. How many different weights can a kernel have?"
            )
        if torch.equal(given, given[:1].expand_as(given)) or torch.equal(
            given, given[:, :1].expand_as(given)
        ):
            raise Wrong("All channels have the same kernel, so their feature maps are all alike.")
        images = [_untrained(function, seed) for seed in range(10)]
        strength = sum(map(checkerboard, images)) / len(images)
        if strength > 0.1:
            rows, columns = given[:, :, ::2] - given[:, :, 1::2], given[..., ::2] - given[..., 1::2]
            one_way = rows.abs().max() < 1e-6 or columns.abs().max() < 1e-6
            hint = "Which weights does each kind of cell see? The fourth view of section 5 says so."
            if torch.equal(given[:, :, :2, :2], given[:, :, 2:, 2:]):
                hint = (
                    "Each kind of cell sees one weight four times, and another than its neighbor."
                )
            elif one_way:
                hint = "The kinds agree along one direction only."
            raise Wrong(
                f"Expected a checkerboard below 0.1, the mean of ten untrained generators with "
                f"kernel 4 and stride 2; got {strength:.2f}. {hint}"
            )
        wide = weights(24, 16, 6, 3)
        kinds = F.conv_transpose2d(torch.ones(1, 24, 5, 5), wide, stride=3)[0, :, 6:9, 6:9]
        if (kinds.amax((1, 2)) - kinds.amin((1, 2))).max() > 1e-3:
            raise Wrong("With kernel 4 and stride 2 it is even, but not with kernel 6, stride 3.")

    return judge("1.5", check, function)
