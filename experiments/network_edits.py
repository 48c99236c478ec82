"""Edits of a few lines that break one rule in a network; each takes a network's layers.

An edit in `variants` takes G and D, initialized, and gives them other layers.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Edit = Callable[[Any, Any, torch.Generator], object]  # of G and D; draws from the generator
Layers = Any  # nn.Sequential, whose elements the type checker takes for modules of no known kind


def edited(networks: str, change: Callable[..., nn.Sequential], *arguments: object) -> Edit:
    """Return an edit of "G", "D" or both, "GD": layers become change(layers, random, ...)."""

    def edit(g: Any, d: Any, random: torch.Generator) -> None:
        for name, network in (("G", g), ("D", d)):
            if name in networks:
                network.main = change(network.main, random, *arguments)

    return edit


def exchanged(networks: str, kind: type[nn.Module], other: Callable[[Any], nn.Module]) -> Edit:
    """Return an edit that puts other(layer) in the place of each layer of one kind."""

    def exchange(layers: Layers, random: torch.Generator) -> nn.Sequential:
        return nn.Sequential(*(other(x) if isinstance(x, kind) else x for x in layers))

    return edited(networks, exchange)


def pooled_by(pool: type[nn.Module]) -> Edit:
    """Let D halve by pooling: as many weights, in convolutions that compute four times."""

    def pooled(layer: nn.Conv2d) -> nn.Module:
        if layer.stride == (1, 1):
            return layer
        bias = layer.bias is not None
        same = nn.Conv2d(layer.in_channels, layer.out_channels, 4, padding="same", bias=bias)
        same.load_state_dict(layer.state_dict())
        return nn.Sequential(same, pool(2))

    return exchanged("D", nn.Conv2d, pooled)


def enlarged(layer: nn.ConvTranspose2d) -> nn.Module:
    """Double by repeating pixels, then convolve: as many weights, no fractional stride."""
    if layer.stride == (1, 1):
        return layer
    same = nn.Conv2d(layer.in_channels, layer.out_channels, 4, padding="same", bias=False)
    with torch.no_grad():
        same.weight.copy_(layer.weight.transpose(0, 1))
    return nn.Sequential(nn.Upsample(scale_factor=2), same)


def linear(inputs: int, outputs: int, random: torch.Generator, he: bool = False) -> nn.Linear:
    """Return a fully connected layer with the recipe's initial weights, or He et al.'s (2015)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0.0, (2 / inputs) ** 0.5 if he else 0.02, generator=random)
    nn.init.zeros_(layer.bias)
    return layer


def hidden_in_g(
    layers: Layers, random: torch.Generator, units: int, norm: bool, he: bool = False
) -> nn.Sequential:
    """Put a fully connected hidden layer before G's first maps, with batch norm or without."""
    size, maps = layers[0].in_channels, layers[0].out_channels
    hidden = [linear(size, units, random, he), *[nn.BatchNorm1d(units)] * norm, nn.ReLU()]
    first = [nn.Unflatten(1, (size, 1, 1)), layers[0]]
    if units != size:  # the same in other words: a kernel of 4×4 on 1×1
        first = [linear(units, 16 * maps, random), nn.Unflatten(1, (maps, 4, 4))]
    return nn.Sequential(nn.Flatten(), *hidden, *first, *layers[1:])


def hidden_in_d(
    layers: Layers, random: torch.Generator, units: int, norm: bool, he: bool = False
) -> nn.Sequential:
    """Put a fully connected hidden layer before D's answer, with batch norm or without."""
    size = 16 * layers[-1].in_channels
    hidden = [linear(size, units, random, he), *[nn.BatchNorm1d(units)] * norm, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1], nn.Flatten(), *hidden, linear(units, 1, random))


def averaged_maps(layers: Layers, random: torch.Generator) -> nn.Sequential:
    """Average each of D's last maps, and weigh the averages: one weight a map in place of 16."""
    weigh = nn.Conv2d(layers[-1].in_channels, 1, 1, bias=False)
    weigh.weight = nn.Parameter(layers[-1].weight.detach()[:, :, :1, :1].clone())  # N(0, std²)
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), weigh)


def without_norm(layers: Layers, random: torch.Generator, he: bool = False) -> nn.Sequential:
    """Take batch norm away; the convolution before it gets a bias, which batch norm's β was.

    With `he`, weights before a rectifier come from N(0, 2 / inputs): He et al. (2015).
    """
    kept: list[Any] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            kept[-1].bias = nn.Parameter(torch.zeros(layer.num_features))
        else:
            kept.append(layer)
    for layer, after in zip(kept, kept[1:]):
        if he and isinstance(after, nn.ReLU | nn.LeakyReLU):
            transposed = isinstance(layer, nn.ConvTranspose2d)  # a pixel is reached from 1×1 or 2×2
            inputs = layer.in_channels * (layer.stride[0] ** 2 if transposed else 16)
            nn.init.normal_(layer.weight, 0.0, (2 / inputs) ** 0.5, generator=random)
    return nn.Sequential(*kept)


class HalfBatchNorm(nn.BatchNorm2d):
    """Batch norm over each half of a batch, as on two processes that keep their statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C, H, W), normalized."""
        halves = x.chunk(2) if self.training else [x]
        return torch.cat([super(HalfBatchNorm, self).forward(half) for half in halves])


def layer_norm(norm: nn.BatchNorm2d) -> nn.Module:
    """Normalize over the maps and pixels of one image, in place of one map of all images."""
    return nn.GroupNorm(1, norm.num_features)


def over_halves(norm: nn.BatchNorm2d) -> nn.Module:
    """Normalize over half a batch; γ stays as it was drawn."""
    half = HalfBatchNorm(norm.num_features)
    half.load_state_dict(norm.state_dict())
    return half


def norm_at_end(layers: Layers, random: torch.Generator) -> nn.Sequential:
    """Batch norm also at G's output."""
    return nn.Sequential(*layers[:-1], nn.BatchNorm2d(layers[-2].out_channels), layers[-1])


def norm_at_start(layers: Layers, random: torch.Generator) -> nn.Sequential:
    """Batch norm also at D's input."""
    return nn.Sequential(nn.BatchNorm2d(layers[0].in_channels), *layers)


def pytorch_weights(layers: Layers, random: torch.Generator) -> nn.Sequential:
    """Draw the initial weights as PyTorch's layers do by themselves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=random)))
        for layer in layers:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    return layers


def gamma_around_zero(layers: Layers, random: torch.Generator) -> nn.Sequential:
    """Draw batch norm's γ from N(0, 0.02²): what "all weights" says, read word by word."""
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=random)
    return layers


class Affine(nn.Module):
    """a x + b: between the data's range, [-1, 1], and another that a network is to see or make."""

    def __init__(self, a: float, b: float):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        """Return a x + b."""
        return self.a * x + self.b


def in_range(mean: float, std: float, end: type[nn.Module] = nn.Tanh) -> Edit:
    """Return an edit: D sees, and G makes, (gray level - mean) / std, gray levels from 0 to 1."""

    def edit(g: Any, d: Any, random: torch.Generator) -> None:
        g.main = nn.Sequential(*g.main[:-1], end(), Affine(2 * std, 2 * mean - 1))
        d.main = nn.Sequential(Affine(0.5 / std, (0.5 - mean) / std), *d.main)

    return edit


class Disturbed(nn.Module):
    """Changes images at random, as long as the network is in training."""

    def __init__(self, change: Callable[..., Tensor], random: torch.Generator):
        super().__init__()
        self.change, self.random = change, random

    def forward(self, x: Tensor) -> Tensor:
        """Return the images (B, C, S, S), changed in training."""
        return self.change(x, self.random) if self.training else x


def noise(x: Tensor, random: torch.Generator, std: float = 0.3) -> Tensor:
    """Add normal noise (Arjovsky and Bottou 2017)."""
    return x + std * torch.randn(x.shape, generator=random).to(x.device)


def shift(x: Tensor, random: torch.Generator, most: int = 3) -> Tensor:
    """Move each image by up to some pixels; black comes in at the border (Zhao et al. 2020)."""
    moves = torch.randint(2 * most + 1, (2, len(x), 1), generator=random)
    rows, columns = (moves + torch.arange(x.shape[-1])).to(x.device)  # (B, S) each
    padded = nn.functional.pad(x, (most,) * 4, value=-1.0)
    each = torch.arange(len(x), device=x.device)[:, None, None]
    return padded[each, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def seen_through(change: Callable[..., Tensor]) -> Edit:
    """Return an edit that lets D see real and generated images changed at random."""
    return edited("D", lambda layers, random: nn.Sequential(Disturbed(change, random), *layers))
