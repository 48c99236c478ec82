"""Send each figure's alt text along with it, as metadata of its picture.

A kernel runs this file when it starts, if PYTHONSTARTUP names it. `make notebooks` does so, since a
stored picture is to have its alt text, and so does `make lab`.
"""


def alt_text(figure) -> str:  # type: ignore[no-untyped-def]
    """Return the words given to a figure; by default its titles, axis labels and legends."""
    panels = figure.axes
    legends = [legend.texts for ax in panels if (legend := ax.get_legend())]
    titles = [figure.get_suptitle(), *(ax.get_title("left") or ax.get_title() for ax in panels)]
    parts = {
        "Images: " if all(ax.images for ax in panels) else "": titles,
        "Horizontal axis: ": [ax.get_xlabel() for ax in panels],
        "Vertical axis: ": [ax.get_ylabel() for ax in panels],
        "Legend: ": [text.get_text() for texts in legends for text in texts],
    }
    joined = {name: "; ".join(dict.fromkeys(filter(None, texts))) for name, texts in parts.items()}
    told = [name + text + "." * (text[-1] not in ".!?") for name, text in joined.items() if text]
    plain = " ".join(told).translate(str.maketrans("", "", "$\\{}"))  # without formulas' marks
    return str(figure.get_label() or " ".join(plain.split()))


def describe_figures(alt_text=alt_text) -> None:  # type: ignore[no-untyped-def]
    """Register with the running kernel; in Python without IPython do nothing."""
    import sys

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return

    def describe(figure, **_):  # type: ignore[no-untyped-def]
        return {}, {"image/png": {"alt": alt_text(figure)}}

    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("matplotlib.figure", "Figure", describe)


if __name__ == "__main__":
    describe_figures()
    del alt_text, describe_figures  # they run among the reader's own names
