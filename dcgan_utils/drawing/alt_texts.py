"""What a picture says to those who do not see it: its titles and labels, or words given to it."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_GIVEN: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()


def set_alt_text(ax: Axes, words: str) -> Axes:
    """Give the figure that `ax` is part of an alt text of its own, and return `ax`."""
    _GIVEN[ax.figure.figure] = words  # the whole one
    return ax


def alt_text(figure: Figure) -> str:
    """Return the words given to a figure; by default its titles, axis labels and legends."""
    if figure in _GIVEN:
        return _GIVEN[figure]
    shown = [ax for ax in figure.axes if ax.get_visible()]
    panels = [ax for ax in shown if ax.get_label() != "<colorbar>"]
    colors = [ax for ax in shown if ax not in panels]
    titles = [ax.get_title(place) for ax in panels for place in ("left", "center", "right")]
    images = all(ax.images and not ax.axison for ax in panels)
    several = "Images: " if images else "Panels: " if len(_different(titles)) > 1 else ""
    legends = [legend for ax in panels if (legend := ax.get_legend())]
    parts = [
        ("", [figure.get_suptitle()]),
        (several, titles),
        ("Horizontal axis: ", [ax.get_xlabel() for ax in panels]),
        ("Vertical axis: ", [ax.get_ylabel() for ax in panels]),
        ("Color: ", [label for ax in colors for label in (ax.get_xlabel(), ax.get_ylabel())]),
        ("Legend: ", [text.get_text() for legend in legends for text in legend.texts]),
    ]
    sentences = [(name, "; ".join(_different(texts))) for name, texts in parts]
    return " ".join(f"{name}{told}{_end(told)}" for name, told in sentences if told)


def _end(told: str) -> str:
    """Return the point that ends a sentence, unless it has an end."""
    return "" if told.endswith((".", "!", "?")) else "."


def _different(texts: Iterable[str]) -> list[str]:
    """Return texts in one line each, without marks of formulas, each once, empty ones left out."""
    lines = (
        " ".join(text.translate({ord(mark): "" for mark in "$\\{}"}).split()) for text in texts
    )
    return list(dict.fromkeys(filter(None, lines)))
