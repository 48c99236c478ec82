"""Edits of a few lines that break one rule in a network, which notebook 07 shows.

Those named in `variants` take G and D, initialized, and change them in place.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Disturbance = Callable[[Tensor, torch.Generator], Tensor]  # draws from a generator on the CPU
Layers = Any  # nn.Sequential, whose elements the type checker takes for modules of no known kind


def replaced(
    layers: nn.Sequential, kind: type[nn.Module], change: Callable[[Any], nn.Module | None]
) -> nn.Sequential:
    """Return the layers with each of one kind changed; None leaves it out."""
    changed = [change(layer) if isinstance(layer, kind) else layer for layer in layers]
    return nn.Sequential(*(layer for layer in changed if layer is not None))


def pooled(layers: nn.Sequential, pool: type[nn.Module]) -> nn.Sequential:
    """Halve by pooling: as many weights, in convolutions of stride 1 that compute four times."""

    def halve(layer: nn.Conv2d) -> nn.Module:
        if layer.stride == (1, 1):
            return layer
        bias = layer.bias is not None
        same = nn.Conv2d(layer.in_channels, layer.out_channels, 4, padding="same", bias=bias)
        same.load_state_dict(layer.state_dict())
        return nn.Sequential(same, pool(2))

    return replaced(layers, nn.Conv2d, halve)


def enlarged(layers: nn.Sequential) -> nn.Sequential:
    """Double by repeating pixels, then convolve: as many weights, no fractional stride."""

    def double(layer: nn.ConvTranspose2d) -> nn.Module:
        if layer.stride == (1, 1):
            return layer
        same = nn.Conv2d(layer.in_channels, layer.out_channels, 4, padding="same", bias=False)
        with torch.no_grad():
            same.weight.copy_(layer.weight.transpose(0, 1))
        return nn.Sequential(nn.Upsample(scale_factor=2), same)

    return replaced(layers, nn.ConvTranspose2d, double)


def hidden_in_d(layers: Layers) -> nn.Sequential:
    """Put a fully connected hidden layer of 128 units before D's answer."""
    maps = layers[-1].in_channels
    return nn.Sequential(
        *layers[:-1], nn.Flatten(), nn.Linear(16 * maps, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
    )


def hidden_in_g(layers: Layers) -> nn.Sequential:
    """Put a fully connected hidden layer of as many units as z has before G's first maps."""
    size = layers[0].in_channels
    hidden = [nn.Flatten(), nn.Linear(size, size), nn.BatchNorm1d(size), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Unflatten(1, (size, 1, 1)), *layers)


def averaged_maps(layers: Layers) -> nn.Sequential:
    """Average each of D's last maps, and weigh the averages: one weight a map in place of 16."""
    weigh = nn.Conv2d(layers[-1].in_channels, 1, 1, bias=False)
    weigh.weight = nn.Parameter(layers[-1].weight.detach()[:, :, :1, :1].clone())  # N(0, std²)
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), weigh)


def without_norm(layers: nn.Sequential) -> nn.Sequential:
    """Take batch norm away; the convolution before it gets a bias, which batch norm's β was."""
    kept: list[Any] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            kept[-1].bias = nn.Parameter(torch.zeros(layer.num_features))
        else:
            kept.append(layer)
    return nn.Sequential(*kept)


def layer_norm(layers: nn.Sequential) -> nn.Sequential:
    """Normalize over the maps and pixels of one image, in place of one map of all images."""
    return replaced(layers, nn.BatchNorm2d, lambda norm: nn.GroupNorm(1, norm.num_features))


class HalfBatchNorm(nn.BatchNorm2d):
    """Batch norm over each half of a batch, as on two processes that keep their statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, C, H, W), normalized."""
        halves = x.chunk(2) if self.training else [x]
        return torch.cat([super(HalfBatchNorm, self).forward(half) for half in halves])


def half_batches(layers: nn.Sequential) -> nn.Sequential:
    """Normalize over half a batch; γ stays as it was drawn."""

    def halve(norm: nn.BatchNorm2d) -> nn.Module:
        half = HalfBatchNorm(norm.num_features)
        half.load_state_dict(norm.state_dict())
        return half

    return replaced(layers, nn.BatchNorm2d, halve)


def norm_at_end(layers: Layers) -> nn.Sequential:
    """Batch norm also at G's output."""
    return nn.Sequential(*layers[:-1], nn.BatchNorm2d(layers[-2].out_channels), layers[-1])


def norm_at_start(layers: Layers) -> nn.Sequential:
    """Batch norm also at D's input."""
    return nn.Sequential(nn.BatchNorm2d(layers[0].in_channels), *layers)


class Affine(nn.Module):
    """a x + b: between the data's range, [-1, 1], and another that a network is to see or make."""

    def __init__(self, a: float, b: float):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        """Return a x + b."""
        return self.a * x + self.b


def in_range(mean: float, std: float):
    """Return an edit: D sees, and G makes, (gray level - mean) / std, gray levels from 0 to 1."""

    def edit(g: Any, d: Any, random: torch.Generator) -> None:
        g.main = nn.Sequential(*g.main, Affine(2 * std, 2 * mean - 1))
        d.main = nn.Sequential(Affine(0.5 / std, (0.5 - mean) / std), *d.main)

    return edit


def pytorch_weights(network: Any, random: torch.Generator) -> None:
    """Draw the initial weights as PyTorch's layers do by themselves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=random)))
        for layer in network.main:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()


def gamma_around_zero(network: Any, random: torch.Generator) -> None:
    """Draw batch norm's γ from N(0, 0.02²): what "all weights" says, read word by word."""
    for layer in network.main:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=random)


# On both networks


def layers_of(network: str, change: Callable[..., nn.Sequential], *arguments: object):
    """Return an edit that gives G, D or both other layers, and draws the new ones' weights."""

    def edit(g: Any, d: Any, random: torch.Generator) -> None:
        for name, own in (("G", g), ("D", d)):
            if name in network:
                own.main = change(own.main, *arguments)
                for layer in own.main.modules():
                    if isinstance(layer, nn.Linear):
                        nn.init.normal_(layer.weight, 0.0, 0.02, generator=random)
                        nn.init.zeros_(layer.bias)

    return edit


def activation(network: str, kind: type[nn.Module], other: Callable[[], nn.Module]):
    """Return an edit that exchanges the activations of one kind."""
    return layers_of(network, lambda layers: replaced(layers, kind, lambda _: other()))


def sigmoid_end(g: Any, d: Any, random: torch.Generator) -> None:
    """End G in a sigmoid and show D gray levels from 0 to 1, as the authors' MNIST program does."""
    g.main[-1] = nn.Sigmoid()
    in_range(0.0, 1.0)(g, d, random)


class Disturbed(nn.Module):
    """Changes images at random, as long as the network is in training."""

    def __init__(self, change: Disturbance, random: torch.Generator):
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


def seen_through(change: Disturbance):
    """Return an edit that lets D see real and generated images changed at random."""

    def edit(g: Any, d: Any, random: torch.Generator) -> None:
        d.main = nn.Sequential(Disturbed(change, random), *d.main)

    return edit


def both(change: Callable[[Any, torch.Generator], object]):
    """Return an edit that is the same for both networks."""
    return lambda g, d, random: [change(network, random) for network in (g, d)]
