"""The pictures of notebook 00: the game on one axis, paths of two numbers, points on a ring."""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from dcgan_utils.plots import COLORS, in_style, new_axes

LONGEST = 1.0  # of the arrows, on the axis of x


@in_style
def one_axis(
    g: nn.Module,
    d: nn.Module,
    middles: Tensor,
    shares: tuple[Tensor, Tensor],
    pull: Callable[[nn.Module, Tensor], Tensor],
    title: str,
    best: bool = False,
) -> Axes:
    """Draw the game on one axis: who is where and what D says; below it G, with arrows.

    Parameters
    ----------
    g, d
        The two players: z (N, 1) to x (N, 1), and x (N, 1) to logits (N, 1).
    middles
        (bins,) of bins of equal width.
    shares
        (bins,) each: which share of the real numbers, and of G's, lies in each bin.
    pull
        Takes D and x, and returns where each x is pulled, and how strongly (N, 1).
    title
        What the picture shows.
    best
        Draw the best D, p / (p + q), where there are numbers.
    """
    z = torch.linspace(-2.3, 2.3, 50)[:, None]
    x = g(z).detach()
    answers = d(middles[:, None]).sigmoid().flatten().detach()
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8.5, 4.6), sharex=True, height_ratios=[3, 2]
    )
    real, made = shares
    width = (middles[1] - middles[0]).item()
    for share, color, name in ((real, "real", "real numbers"), (made, "fake", "G's numbers")):
        above.fill_between(middles, share / width, color=COLORS[color], alpha=0.4, label=name)
    above.plot(middles, answers, color=COLORS["discriminator"], lw=2.5, label="D says")
    if best:
        there = real + made > 1e-4
        above.plot(middles[there], (real / (real + made))[there], "k--", label="the best D")
    above.set(ylim=(0, 1.05), ylabel="D(x), and density", title=title)

    below.plot(x, z, color=COLORS["generator"], lw=2.5, label="G: z to x")
    some = slice(1, None, 3)
    arrows = pull(d, x)[some].clamp(-LONGEST, LONGEST)
    below.quiver(
        *(x[some], z[some], arrows, 0 * arrows),
        **{"scale": 1, "scale_units": "x", "angles": "xy", "width": 0.004},
        color=COLORS["fake"],
    )
    below.plot([], [], color=COLORS["fake"], marker=">", label="pulled to")
    below.set(xlim=(-4, 4), ylim=(-2.3, 2.3), xlabel="x", ylabel="z")
    for ax in (above, below):
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return above


@in_style
def without_overlap(
    apart: Tensor, divergences: Sequence[float], pulls: Mapping[str, Sequence[Tensor]]
) -> Axes:
    """Draw JS of two bells over their distance, and beside it how strongly each loss pulls.

    Parameters
    ----------
    apart
        The distances.
    divergences
        JS at each of them, in nats.
    pulls
        The mean pull at each of them, of the saturating and of the non-saturating loss.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
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
def paths(named: Mapping[str, Tensor], title: str, reach: float = 2.0) -> Axes:
    """Draw each path (steps + 1, 2) of θ and ψ in a panel of its own, and where it ends.

    Parameters
    ----------
    named
        The paths by name.
    title
        What they show together.
    reach
        The axes go from -reach to reach; what lies outside is not seen.
    """
    size = (2.9 * len(named), 3.9)
    figure, axes = plt.subplots(1, len(named), figsize=size, layout="compressed", squeeze=False)
    for ax, (name, path) in zip(axes[0], named.items()):
        ax.plot(*path.T, "-", color=COLORS["reference"], lw=0.8)
        ax.scatter(*path.T, c=range(len(path)), cmap="viridis", s=5, zorder=2)
        ax.plot(0, 0, "+", color="black", markersize=14, mew=2)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="θ, of G")
        ax.set_title(f"{name}\nends at {path[-1].norm():.2f}", fontsize=12)
    axes[0, 0].set_ylabel("ψ, of D")
    figure.suptitle(title)
    return axes[0, 0]


@in_style
def ring(centers: Tensor, points: Tensor, title: str) -> Axes:
    """Draw G's points (N, 2) over the centers (8, 2) of the real ones."""
    ax = new_axes(4.4, 4.4)
    ax.scatter(centers[:, 0], centers[:, 1], s=500, color=COLORS["real"], alpha=0.3)
    ax.scatter(points[:, 0], points[:, 1], s=6, color=COLORS["fake"])
    ax.set(xlim=(-1.9, 1.9), ylim=(-1.9, 1.9), aspect="equal", xlabel="x₁", ylabel="x₂")
    ax.set_title(title)
    return ax


@in_style
def games(recipes: Mapping[str, Tensor], title: str) -> Axes:
    """Draw a dot for each game of each recipe, at the bells it has found, and the recipe's mean."""
    ax = new_axes(8.5, 4.2)
    for row, found in enumerate(recipes.values()):
        apart = [row + 0.5 * (place / len(found) - 0.5) for place in range(len(found))]
        ax.scatter(found.sort().values, apart, color=COLORS["generator"], s=30)
        ax.plot(found.mean(), row, "|", color="black", markersize=26, mew=2)
    ax.set_yticks(range(len(recipes)), list(recipes))
    ax.set(ylim=(len(recipes) - 0.5, -0.5), xlim=(-0.3, 8.3), xlabel="bells found, of 8")
    ax.set_title(title)
    return ax
