"""What a network is made of: a table of its layers, and a drawing of it to scale.

Both are taken from the network itself, by running it once, and from no list of sizes. Notebook 04
uses them.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon
from torch import Tensor, nn

from .alt_texts import set_alt_text
from .plots import COLORS, in_style, new_axes, tile

# Of a drawing, in inches.
_WIDTH, _HEIGHT = 10.0, 3.4
_GAP = 1.0  # between two blocks: an arrow and its labels
_TALLEST = 2.3  # the largest feature map, as drawn
_MARGIN = 0.4  # left and right of the blocks
_OBLIQUE = 0.5 / math.sqrt(2)  # edges that lead away from the reader: 45 degrees, half length
_NAMES = {"BatchNorm2d": "batch norm"}


@dataclass(frozen=True)
class Layer:
    """One layer of a network, as it was when one batch went through."""

    name: str  # in the state dict, such as "main.0"
    kind: str  # its class, such as "ConvTranspose2d"
    output: tuple[int, ...]  # shape of the output, without the batch: (channels, height, width)
    parameters: int  # numbers that training changes
    multiply_adds: int  # multiplications, each with its addition, for the whole batch
    kernel: int = 0  # side of a convolution's kernel, 0 for other layers
    stride: int = 0  # a convolution's stride, 0 for other layers


def trace(network: nn.Module, x: Tensor) -> list[Layer]:
    """Send a batch through a copy of the network and list the layers it passes.

    The copy is in evaluation mode, so the network's running statistics stay as they are. Only
    layers that are modules without parts of their own are seen. On the meta device this costs no
    time and no memory.

    Parameters
    ----------
    network
        Any network of square convolutions.
    x
        What it takes, on the network's device, batch first.

    Returns
    -------
    list of Layer
        In the order of their work. Multiply-adds are those of convolutions and linear layers; the
        other layers' are neglected, and count as 0.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(1, 8, 4, stride=2, padding=1, bias=False))
    >>> [layer] = trace(network, torch.zeros(1, 1, 6, 6))
    >>> layer.output, layer.parameters, layer.multiply_adds
    ((8, 3, 3), 128, 1152)
    """
    network = copy.deepcopy(network).eval()
    layers: list[Layer] = []
    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(_recorder(name, layers))
    with torch.no_grad():
        network(x)
    return layers


def _recorder(name: str, layers: list[Layer]):
    """Return a forward hook that appends its module to the list."""

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kernel, stride = 0, 0
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            kernel, stride = module.kernel_size[0], module.stride[0]
        layers.append(
            Layer(
                name,
                type(module).__name__,
                tuple(output.shape[1:]),
                sum(p.numel() for p in module.parameters()),
                _multiply_adds(module, inputs[0], output),
                kernel,
                stride,
            )
        )

    return record


def _multiply_adds(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """Return how often each weight is used, times the number of weights."""
    if isinstance(module, nn.ConvTranspose2d):
        places = len(x) * math.prod(x.shape[2:])  # each input pixel stamps every kernel once
    elif isinstance(module, nn.Conv2d):
        places = len(y) * math.prod(y.shape[2:])  # each output pixel sums every kernel once
    elif isinstance(module, nn.Linear):
        places = math.prod(x.shape[:-1])
    else:
        return 0
    return places * module.weight.numel()


@in_style
def draw_network(network: nn.Module, x: Tensor, ax: Axes | None = None) -> Axes:
    """Draw a block for each feature map, to scale, from the input to the output.

    Height and width of a block are those of the feature map, to one scale; its length is the
    number of channels, to another. Bars show both scales. On each arrow stands the layer that does
    the step, and in gray what follows before the next. A network that enlarges has the generator's
    color, others the discriminator's.

    Parameters
    ----------
    network
        Any network whose feature maps are square, with up to seven convolutions.
    x
        As for `trace`; the batch size does not matter.
    ax
        Where to draw; by default a new figure, 10 inches wide.
    """
    layers = trace(network, x)
    steps = _steps(layers, tuple(x.shape[1:]))
    blocks = [_block(tuple(x.shape[1:])), *(_block(step[0].output) for step in steps)]
    color = COLORS["generator" if blocks[-1][1] > blocks[0][1] else "discriminator"]

    per_pixel = _TALLEST / (1 + _OBLIQUE) / max(side for _, side in blocks)
    room = _WIDTH - 2 * _MARGIN - _GAP * len(steps)
    room -= sum(_OBLIQUE * per_pixel * side for _, side in blocks)
    per_channel = max(room, 1.0) / sum(channels for channels, _ in blocks)

    ax = ax or new_axes(_WIDTH, _HEIGHT)
    left = _MARGIN
    for index, (channels, side) in enumerate(blocks):
        if index:
            _draw_arrow(ax, left, steps[index - 1])
            left += _GAP
        length, height = per_channel * channels, per_pixel * side
        _draw_block(ax, left, length, height, color)
        right = left + length + _OBLIQUE * height
        bottom = -height * (1 + _OBLIQUE) / 2
        ax.text((left + right) / 2, bottom - 0.06, _size(channels, side), va="top", ha="center")
        left = right
    _draw_scales(ax, per_pixel, per_channel, at_left=blocks[0][1] < blocks[-1][1])

    count = sum(layer.parameters for layer in layers)
    ends = f"{_size(*blocks[0])} to {_size(*blocks[-1])}"
    title = f"{type(network).__name__}: {ends} with {count:,} parameters"
    ax.set_title(title)
    sizes = ", ".join(_size(*block) for block in blocks)
    set_alt_text(ax, f"{title}, drawn to scale as one block for each feature map: {sizes}.")
    ax.set(xlim=(0, _WIDTH), ylim=(-_TALLEST / 2 - 0.4, _TALLEST / 2 + 0.1), aspect="equal")
    ax.axis("off")
    return ax


def _steps(layers: Sequence[Layer], shape: tuple[int, ...]) -> list[list[Layer]]:
    """Group layers: each step is a convolution, or another change of shape, and what follows."""
    steps: list[list[Layer]] = []
    for layer in layers:
        if layer.kernel or layer.output != shape or not steps:
            steps.append([])
        steps[-1].append(layer)
        shape = layer.output
    return steps


def feature_maps(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Return what stands between the convolutions of a network for the first of a batch.

    Parameters
    ----------
    network
        As for `trace`; it is left as it was.
    x
        What it takes, batch first.

    Returns
    -------
    list of Tensor
        x itself, then one (channels, height, width) for each step that `draw_network` draws.
    """
    outputs: dict[str, Tensor] = {}
    steps = _steps(trace(network, x), tuple(x.shape[1:]))
    network = copy.deepcopy(network).eval()
    for name, module in network.named_modules():
        module.register_forward_hook(lambda *seen, name=name: outputs.update({name: seen[2]}))
    with torch.no_grad():
        network(x[:1])
    return [x[0], *(outputs[step[-1].name][0] for step in steps)]


@in_style
def draw_feature_maps(network: nn.Module, x: Tensor, count: int = 16) -> list[Axes]:
    """Draw what one input becomes on its way: some maps of each layer, side by side.

    Parameters
    ----------
    network, x
        As for `feature_maps`.
    count
        Maps of each layer: those that differ most from pixel to pixel, each from its least value
        (black) to its largest (white). Of a layer of single numbers all are drawn, as a square.

    Returns
    -------
    list of Axes
        One for x and for each step.
    """
    layers = feature_maps(network, x)
    axes = plt.subplots(1, len(layers), figsize=(_WIDTH, 2.3))[1]
    for ax, maps in zip(axes, layers):
        channels, side = _block(tuple(maps.shape))
        maps = maps.reshape(channels, side, side)  # a vector's numbers are maps of one pixel
        if side > 1:
            maps = maps[maps.flatten(1).std(dim=1).argsort(descending=True)[:count]]
        low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
        if side == 1:
            low, high = low.amin(), high.amax()  # numbers are compared with one another
        shown = ((maps - low) / (high - low).clamp(min=1e-6) * 255).round().byte()
        columns = math.ceil(len(shown) ** 0.5)
        ax.imshow(
            tile(shown[:, None], columns, gap=max(side // 8, int(side > 1))),
            interpolation="nearest",
        )
        ax.set_title(
            _size(channels, side)
            if channels * side > 1
            else f"logit {maps.item():.1f}".replace("-", "−")
        )
        ax.axis("off")
    titles = ", ".join(ax.get_title("left") for ax in axes)
    set_alt_text(axes[0], f"What one input of {type(network).__name__} becomes: {titles}.")
    return list(axes)


def _block(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the channels and the side of a feature map; a vector has side 1."""
    return shape[0], shape[-1] if len(shape) == 3 else 1


def _size(channels: int, side: int) -> str:
    return f"{side}×{side}×{channels}"


def _draw_block(ax: Axes, left: float, length: float, height: float, color: str) -> None:
    """Draw a box as seen from its front, a little from above and from the right."""
    back = _OBLIQUE * height
    bottom = -(height + back) / 2
    right, top = left + length, bottom + height
    front = [(left, bottom), (right, bottom), (right, top), (left, top)]
    lid = [(left, top), (right, top), (right + back, top + back), (left + back, top + back)]
    end = [(right, bottom), (right + back, bottom + back), (right + back, top + back), (right, top)]
    for corners, strength in ((front, 0.45), (lid, 0.25), (end, 0.8)):
        fill = tuple(1 - strength * (1 - part) for part in to_rgb(color))
        ax.add_patch(Polygon(corners, facecolor=fill, edgecolor="0.15", linewidth=0.8, zorder=2))


def _draw_arrow(ax: Axes, left: float, step: Sequence[Layer]) -> None:
    """Draw the arrow from one block to the next and name the layers of the step above it."""
    first, *others = step
    lines = [(_NAMES.get(layer.kind, layer.kind), "0.35") for layer in reversed(others)]
    if first.kernel:
        lines += [(f"stride {first.stride}", "black"), (f"{first.kernel}×{first.kernel}", "black")]
    else:
        lines.append((first.kind, "black"))
    arrow = {"arrowstyle": "-|>", "color": "0.15", "linewidth": 1.4}
    ax.annotate("", (left + _GAP - 0.06, 0), (left + 0.06, 0), arrowprops=arrow)
    for number, (text, color) in enumerate(lines):
        y = 0.07 + 0.18 * number
        ax.text(left + _GAP / 2, y, text, ha="center", va="bottom", fontsize=11, color=color)


def _draw_scales(ax: Axes, per_pixel: float, per_channel: float, at_left: bool) -> None:
    """Draw a bar of pixels (upright) and a bar of channels (level) beside the small blocks."""
    bottom = -_TALLEST / 2 - 0.25
    left = 0.1 if at_left else _WIDTH - 2.6
    pixels, channels = (
        2 ** max(0, round(math.log2(0.5 / unit))) for unit in (per_pixel, per_channel)
    )  # powers of two, about half an inch long
    bars: dict[str, Any] = {"color": "0.15", "linewidth": 2.5, "solid_capstyle": "butt"}
    ax.plot([left, left], [bottom, bottom + pixels * per_pixel], **bars)
    ax.text(left + 0.08, bottom, f"{pixels} pixel{'s' * (pixels > 1)}", va="bottom", fontsize=11)
    left += 1.25
    ax.plot([left, left + channels * per_channel], [bottom, bottom], **bars)
    words = f"{channels} channel{'s' * (channels > 1)}"
    ax.text(left, bottom + 0.06, words, va="bottom", fontsize=11)
