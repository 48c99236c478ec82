"""Sliders and buttons in JupyterLab, around functions that draw, and what notebooks draw so."""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from torch.nn.functional import batch_norm, leaky_relu

from .alt_texts import alt_text
from .plots import COLORS, in_style, new_axes, to_png


def _picture_of(ax: Axes) -> str:
    """Return the figure of `ax` as HTML, since the widget for pictures knows no alt texts."""
    words = html.escape(alt_text(ax.figure.figure))
    png = base64.b64encode(to_png(ax, 80)).decode()
    return f'<img alt="{words}" src="data:image/png;base64,{png}">'


def sliders(
    draw: Callable[[list[float]], Axes],
    names: Sequence[str],
    limit: float | Sequence[tuple[float, float]],
    step: float = 0.5,
    start: Sequence[float] | None = None,
) -> Any:
    """Return a column of sliders with the picture that belongs to them.

    It needs a running kernel, and each run makes another widget: keep it out of a stored notebook.

    Parameters
    ----------
    draw
        Draws the sliders' values, one for each name, into new axes and returns them.
    names
        What each slider moves.
    limit
        The sliders go from -limit to limit; or the least and the largest value of each.
    step
        By how much a slider moves at a time; an `int` makes sliders of whole numbers.
    start
        Where each stands at first; by default at 0.

    Returns
    -------
    ipywidgets.VBox
        The sliders, and below them the picture.
    """
    import ipywidgets  # which takes half a second, and is needed for this alone

    picture = ipywidgets.HTML()
    ends = [(-limit, limit)] * len(names) if isinstance(limit, (int, float)) else limit
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    column = [
        kind(value=value, min=low, max=high, step=step, description=name)
        for name, (low, high), value in zip(names, ends, start or [0.0] * len(names))
    ]

    def show(_: object = None) -> None:
        picture.value = _picture_of(draw([slider.value for slider in column]))

    for slider in column:
        slider.observe(show, "value")
    show()
    return ipywidgets.VBox([*column, picture])


@in_style
def batch_on_a_line(values: Sequence[float], eps: float, ax: Axes | None = None) -> Axes:
    """Draw a batch of numbers on one line, and on another what batch norm makes of them.

    Parameters
    ----------
    values
        The batch, for one channel.
    eps
        What is added to its variance.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
        Its title has the batch's mean and standard deviation, and the normalized values.
    """
    batch = torch.tensor(values, dtype=torch.float32)  # (n,)
    normalized = batch_norm(batch[:, None], None, None, training=True, eps=eps)[:, 0]  # (n,)
    ax = ax or new_axes(6.5, 3.2)
    for k, ends in enumerate(zip(batch, normalized)):
        color = COLORS["generator" if k == len(batch) - 1 else "discriminator"]
        ax.plot(ends, (1, 0), color=color, linestyle=":")
        ax.plot(ends, (1, 0), "o", color=color, markersize=9, alpha=0.7)
    mean, deviation = batch.mean().item(), batch.std(correction=0).item()
    ax.errorbar(mean, 1.25, xerr=deviation, color=COLORS["reference"], marker="|", capsize=5)
    ax.text(mean, 1.35, "mean ± standard deviation", ha="center", fontsize=10)
    ax.set(xlim=(-13, 23), ylim=(-0.3, 1.6), yticks=[1, 0], yticklabels=["before", "after"])
    after = ", ".join(f"{value:.2f}" for value in normalized).replace("-", "\N{MINUS SIGN}")
    ax.set_title(
        f"mean {mean:.1f}, standard deviation {deviation:.1f}\nafter, ε = {eps:.0e}: {after}"
    )
    return ax


def negative_share(mean: float, deviation: float) -> float:
    """Return which share of the sums from N(mean, deviation^2) is negative."""
    return torch.distributions.Normal(mean, deviation).cdf(torch.tensor(0.0)).item()


@in_style
def activation_on_sums(leak: float, mean: float, deviation: float, ax: Axes | None = None) -> Axes:
    """Draw a LeakyReLU, and which part of it a unit uses whose sums are normally distributed.

    Parameters
    ----------
    leak
        Slope of the activation below 0; 0 makes it ReLU.
    mean, deviation
        Of the unit's sums over the examples.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
        Its title says how many of the sums are negative, and the mean gradient.
    """
    sums = torch.linspace(-8, 8, 801)
    density = torch.distributions.Normal(mean, deviation).log_prob(sums).exp()
    below = negative_share(mean, deviation)
    ax = ax or new_axes(6.5, 3.8)
    ax.fill_between(sums, 4 * density / density.max(), color=COLORS["reference"], alpha=0.25)
    ax.plot(sums, leaky_relu(sums, leak), color=COLORS["leaky relu"], linewidth=2.5)
    ax.axvline(0, color=COLORS["reference"], linestyle=":")
    ax.set(xlim=(-8, 8), ylim=(-2, 5), xlabel="a unit's sum", ylabel="value; density in gray")
    gradient = 1 - below + leak * below
    ax.set_title(f"{below:.1%} of the sums are negative,\nmean gradient {gradient:.2f}")
    return ax


def buttons(
    draw: Callable[[], Axes],
    presses: Mapping[str, Callable[[], object]],
    rates: Mapping[str, tuple[float, Callable[[float], object]]] | None = None,
) -> Any:
    """Return a row of buttons, a slider for each rate, and the picture that answers them.

    It needs a running kernel, and each run makes another widget: keep it out of a stored notebook.

    Parameters
    ----------
    draw
        Draws how things stand into new axes and returns them; called after each press or move.
    presses
        What each button is called, and what it does before the picture is drawn again.
    rates
        What each slider is called: the rate at which it stands, and what is told where it is moved.

    Returns
    -------
    ipywidgets.VBox
        The buttons in a row, the sliders from 0.0001 to 0.1, and below them the picture.
    """
    import ipywidgets  # which takes half a second, and is needed for this alone

    picture = ipywidgets.HTML()

    def answer(do: Callable[[], object]) -> None:
        do()
        picture.value = _picture_of(draw())

    row, column = [], []
    for name, press in presses.items():
        row.append(ipywidgets.Button(description=name))
        row[-1].on_click(lambda _, press=press: answer(press))
    for name, (rate, move) in (rates or {}).items():
        column.append(ipywidgets.FloatLogSlider(rate, min=-4, max=-1, step=0.1, description=name))
        column[-1].observe(lambda change, move=move: answer(lambda: move(change["new"])), "value")
    answer(lambda: None)
    return ipywidgets.VBox([ipywidgets.HBox(row), *column, picture])
