"""Checkers of notebook 01, strided and fractional-strided convolution."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dcgan_utils import exercises as ex

from ..layers import checkerboard, write_counts
from ..networks import initialize_weights


@ex.exercise("1.1")
def check_numbers(function: ex.Function) -> None:
    """Check exercise 1.1: six output sizes, weights and multiply-adds, worked out by hand."""
    rows = [
        (28, "formula", {"both_ends": 26}),
        (14, "formula", {"both_ends": 13}),
        (13, "last_place"),
        *((side, "last_stamp") for side in (14, 13, 7)),
        (32_768, "weights", {"one_map": 16, "both_maps": 512}),
        (32_768 * 49, "input_pixels", {"output_pixels": 32_768 * 196}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("1.2")
def check_upsampler(function: ex.Function) -> None:
    """Check exercise 1.2: two layers from 7x7 to 28x28 that write evenly."""
    network = ex.require_type(function(), nn.Module, "sequential")
    layers: list[Any] = [module for module in network.modules() if not list(module.children())]
    kinds = [type(layer).__name__ for layer in layers]
    if kinds != ["ConvTranspose2d"] * 2:
        raise ex.Wrong("two_layers", got=kinds)
    x = torch.zeros(1, 8, 7, 7)
    if (side := ex.require_output(layers[0], x).shape[-1]) != 14:
        raise ex.Wrong("first_side", got=f"{side}x{side}")
    ex.require_output(network, x, (1, 1, 28, 28))
    for number, layer in enumerate(layers, start=1):
        settings = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding)
        counts = write_counts(7 * number, *(value[0] for value in settings))[4:-4, 4:-4]
        if counts.min() != counts.max():
            raise ex.Wrong("uneven", number=number, least=counts.min(), most=counts.max())


@ex.exercise("1.3")
def check_transposed_convolution(function: ex.Function) -> None:
    """Check exercise 1.3: a transposed convolution with channels."""
    random = torch.Generator().manual_seed(0)
    for size, side, stride, padding in (
        ((1, 3, 3), (1, 1, 3, 3), 2, 0),
        ((1, 3, 3), (1, 1, 3, 3), 2, 1),
        ((1, 2, 3), (1, 1, 2, 2), 3, 0),
        ((2, 3, 3), (2, 2, 4, 4), 2, 1),
        ((2, 3, 3), (2, 3, 4, 4), 2, 1),
    ):
        x = torch.randint(-3, 4, size, generator=random).float()
        weight = torch.randint(-3, 4, side, generator=random).float()
        run = partial(F.conv_transpose2d, x, stride=stride, padding=padding)
        mistakes = {"turned": run(weight.flip(2, 3))}
        if side[0] == side[1]:
            mistakes["swapped"] = run(weight.transpose(0, 1))
        case = ex.text("case", x=size, weight=side, stride=stride, padding=padding)
        got = function(x, weight, stride, padding)
        ex.require_close(got, run(weight), case, mistakes, "overlaps")


@ex.exercise("1.4")
def check_even_weights(function: ex.Function) -> None:
    """Check exercise 1.4: random weights with which an untrained generator has no checkerboard."""

    def draw(inputs: int, outputs: int, kernel: int, stride: int, random: Any) -> Tensor:
        got = function(inputs, outputs, kernel, stride, random)
        return ex.require_tensor(got, (inputs, outputs, kernel, kernel)).float()

    weights, again, others = (
        draw(24, 16, 4, 2, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    if not 0.017 < (deviation := weights.std().item()) < 0.023:
        raise ex.Wrong("deviation", got=deviation)
    if not torch.equal(weights, again) or torch.equal(weights, others):
        raise ex.Wrong("not_from_random")
    if weights.std((2, 3)).min() < 1e-6:
        raise ex.Wrong("equal_weights")
    if any(torch.equal(weights, part.expand_as(weights)) for part in (weights[:1], weights[:, :1])):
        raise ex.Wrong("equal_channels")
    images = [_untrained(draw, torch.Generator().manual_seed(seed)) for seed in range(10)]
    for period in (2, 4, 8):
        strengths = [checkerboard(of_one, period) for of_one in images]
        if (mean := sum(strengths) / len(strengths)) > 0.1:
            raise ex.Wrong("checkerboard", period=period, got=mean)
    wide = draw(24, 16, 6, 3, torch.Generator().manual_seed(0))
    cell = F.conv_transpose2d(torch.ones(1, 24, 5, 5), wide, stride=3)[0, :, 6:9, 6:9]
    if (cell.amax((1, 2)) - cell.amin((1, 2))).max() > 1e-3:
        raise ex.Wrong("only_for_two")


def _untrained(draw: ex.Function, random: torch.Generator) -> Tensor:
    """Return the middle of 64 images (64, 16, 16) of section 6's generator with these weights."""
    first = nn.ConvTranspose2d(100, 64, 4, bias=False)
    modules: list[nn.Module] = [first, nn.BatchNorm2d(64), nn.ReLU()]
    initialize_weights(first, random)
    for inputs, outputs in ((64, 32), (32, 16), (16, 1)):
        layer = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        layer.weight.data = draw(inputs, outputs, 4, 2, random)
        modules += [layer, nn.BatchNorm2d(outputs), nn.ReLU()]
    z = torch.randn(64, 100, 1, 1, generator=random)
    with torch.no_grad():
        return nn.Sequential(*modules[:-2])(z)[:, 0, 8:24, 8:24]
