"""What notebook 00 shows the game with: its pictures, and layers of networks side by side."""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from dcgan_utils.plots import COLORS, in_style, new_axes


class Linear(nn.Module):
    """A linear layer for each of several networks that train side by side, in one product."""

    def __init__(self, networks: int, inputs: int, outputs: int):
        super().__init__()
        limit = inputs**-0.5  # of the first weights, as in PyTorch's own layer
        self.weight = nn.Parameter(torch.empty(networks, inputs, outputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs).uniform_(-limit, limit))

    def forward(self, x: Tensor) -> Tensor:
        """Return (networks, B, outputs) for x (networks, B, inputs)."""
        return torch.baddbmm(self.bias, x, self.weight)


@in_style
def draw_game(
    g: nn.Module,
    d: nn.Module,
    middles: Tensor,
    shares: tuple[Tensor, Tensor],
    pull: Callable[[nn.Module, Tensor], Tensor],
    title: str,
    best: bool = False,
) -> Axes:
    """Draw who is where, and what D says (and the best D, p / (p + q)); below it G, with arrows.

    `g` takes z (N, 1) to x (N, 1), and `d` x to logits (N, 1). `shares` are of the real numbers,
    and of G's, in bins of equal width with these middles, (bins,) each. `pull` takes D and x, and
    returns where each x is pulled, and how strongly (N, 1).
    """
    z = torch.linspace(-2.3, 2.3, 50)[:, None]
    x = g(z).detach()
    answers = d(middles[:, None]).sigmoid().flatten().detach()
    _, (above, below) = plt.subplots(2, 1, figsize=(8.5, 4.6), sharex=True, height_ratios=[3, 2])
    (real, made), width = shares, (middles[1] - middles[0]).item()
    for share, color, name in ((real, "real", "real numbers"), (made, "fake", "G's numbers")):
        above.fill_between(middles, share / width, color=COLORS[color], alpha=0.4, label=name)
    above.plot(middles, answers, color=COLORS["discriminator"], lw=2.5, label="D says")
    if best:
        there = real + made > 1e-4
        above.plot(middles[there], (real / (real + made))[there], "k--", label="the best D")
    above.set(ylim=(0, 1.05), ylabel="D(x), and density", title=title)
    below.plot(x, z, color=COLORS["generator"], lw=2.5, label="G: z to x")
    x, z, arrows = (values[1::3] for values in (x, z, pull(d, x).clamp(-1, 1)))
    in_units = {"scale": 1, "scale_units": "x", "angles": "xy", "width": 0.004}
    below.quiver(x, z, arrows, 0 * arrows, color=COLORS["fake"], **in_units)
    below.plot([], [], color=COLORS["fake"], marker=">", label="pulled to")
    below.set(xlim=(-4, 4), ylim=(-2.3, 2.3), xlabel="x", ylabel="z")
    for ax in (above, below):
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return above


@in_style
def draw_divergence(
    apart: Tensor, divergences: Sequence[float], pulls: Mapping[str, Sequence[Tensor]]
) -> Axes:
    """Draw JS of two bells [nats] over their distance, and the mean pull of each loss, by name."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    left.plot(apart, divergences, color=COLORS["reference"], lw=2.5)
    left.axhline(math.log(2), color="black", linestyle=":", label="ln 2")
    left.set(title="From a distance of 3 on, JS is flat", xlabel="distance", ylabel="JS [nats]")
    left.legend()
    for (name, pull), color in zip(pulls.items(), ("reference", "generator")):
        right.plot(apart, pull, color=COLORS[color], lw=2.5, label=name)
    right.set(title="One loss lets go, the other holds", xlabel="distance", ylabel="mean pull")
    right.set(yscale="log", ylim=(1e-7, 100))
    right.legend()
    return left


@in_style
def draw_paths(paths: Mapping[str, Tensor], title: str, reach: float = 2.0) -> Axes:
    """Draw each path (steps + 1, 2) of θ and ψ, from -reach to reach, in a panel of its own."""
    size = (2.9 * len(paths), 3.9)
    figure, axes = plt.subplots(1, len(paths), figsize=size, layout="compressed", squeeze=False)
    for ax, (name, path) in zip(axes[0], paths.items()):
        ax.plot(*path.T, "-", color=COLORS["reference"], lw=0.8)
        ax.scatter(*path.T, c=range(len(path)), cmap="viridis", s=5, zorder=2)
        ax.plot(0, 0, "+", color="black", markersize=14, mew=2)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="θ, of G")
        ax.set_title(f"{name}\nends at {path[-1].norm():.2f}", fontsize=12)
    axes[0, 0].set_ylabel("ψ, of D")
    figure.suptitle(title)
    return axes[0, 0]


@in_style
def draw_points(centers: Tensor, points: Tensor, title: str) -> Axes:
    """Draw G's points (N, 2) over the centers (8, 2) of the real ones."""
    ax = new_axes(4.4, 4.4)
    ax.scatter(centers[:, 0], centers[:, 1], 500, COLORS["real"], alpha=0.3)
    ax.scatter(points[:, 0], points[:, 1], 6, COLORS["fake"])
    ax.set(xlim=(-1.9, 1.9), ylim=(-1.9, 1.9), aspect="equal", xlabel="x₁", ylabel="x₂")
    ax.set_title(title)
    return ax


@in_style
def draw_bells(recipes: Mapping[str, Tensor], title: str) -> Axes:
    """Draw a dot for each game of each recipe, at the bells it has found, and the recipe's mean."""
    ax = new_axes(8.5, 4.2)
    for row, found in enumerate(recipes.values()):
        apart = torch.arange(len(found)) / (2 * len(found)) - 0.25
        ax.scatter(found.sort().values, row + apart, color=COLORS["generator"], s=30)
        ax.plot(found.mean(), row, "|", color="black", markersize=26, mew=2)
    ax.set_yticks(range(len(recipes)), list(recipes))
    ax.set(ylim=(len(recipes) - 0.5, -0.5), xlim=(-0.3, 8.3), xlabel="bells found, of 8")
    ax.set_title(title)
    return ax
