"""Sliders in JupyterLab: a thin shell around a function that draws."""

from collections.abc import Callable, Sequence
from typing import Any

from .plots import to_png


def sliders(
    draw: Callable[[list[float]], Any], names: Sequence[str], limit: float, step: float = 0.5
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
        The sliders go from -limit to limit, and stand at 0.
    step
        By how much a slider moves at a time.

    Returns
    -------
    ipywidgets.VBox
        The sliders, and below them the picture.
    """
    import ipywidgets  # which takes half a second, and is needed for this alone

    picture = ipywidgets.Image(format="png")
    column = [
        ipywidgets.FloatSlider(0, min=-limit, max=limit, step=step, description=name)
        for name in names
    ]

    def show(_: object = None) -> None:
        picture.value = to_png(draw([slider.value for slider in column]), 80)

    for slider in column:
        slider.observe(show, "value")
    show()
    return ipywidgets.VBox([*column, picture])
