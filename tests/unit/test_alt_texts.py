"""Alt texts: what is taken from a figure, what is given to it, and what reaches a notebook."""

import base64
import io

import IPython
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import pyplot as plt
from PIL import Image

from dcgan_utils.drawing import alt_texts, controls, plots, stored


def test_titles_labels_and_legends_are_told_once_and_without_marks_of_formulas():
    figure, axes = plt.subplots(1, 2)
    figure.suptitle("All fall.")
    for ax, name in zip(axes, ("slowly,\nat first", "fast")):
        ax.plot([1, 2], label=r"$\beta_1$ = 0.5")
        ax.set(title=name, xlabel="step")
        ax.legend()
    axes[0].set_ylabel("loss")
    assert alt_texts.alt_text(figure) == (
        "All fall. Panels: slowly, at first; fast. Horizontal axis: step. Vertical axis: loss. "
        "Legend: beta_1 = 0.5."
    )


def test_images_and_colorbars_are_called_so():
    figure, axes = plt.subplots(1, 2)
    for ax, name in zip(axes, ("real", "fake")):
        shown = ax.imshow([[0, 1]])
        ax.set_title(name, loc="left")
        ax.axis("off")
    figure.colorbar(shown, ax=axes, label="gray levels")
    assert alt_texts.alt_text(figure) == "Images: real; fake. Color: gray levels."


def test_words_that_are_given_take_the_place_of_the_labels():
    ax = plots.new_axes()
    ax.set_title("left out")
    assert alt_texts.alt_text(plt.figure()) == ""
    assert plots.set_alt_text(ax, "A hill.") is ax
    assert alt_texts.alt_text(ax.figure) == "A hill."


@pytest.fixture
def shell(monkeypatch):
    """Return a shell that is new, and which IPython names as the running one."""
    shell = InteractiveShell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    yield shell


def test_a_notebook_sends_them_whatever_draws_the_picture(shell):
    stored.add_to_figures()
    png = shell.display_formatter.formatters["image/png"]
    png.enabled = True
    png.for_type(plt.Figure, lambda figure: b"a picture")  # as matplotlib's own backend, later
    figure = plots.set_alt_text(plots.new_axes(), "A hill.").figure
    data, metadata = shell.display_formatter.format(figure)
    assert data["image/png"] == b"a picture" and metadata == {"image/png": {"alt": "A hill."}}


def test_a_notebook_sends_a_figure_in_few_colors_drawn_once(shell):
    stored.add_to_figures()
    drawn = []

    def draw(figure):
        drawn.append(plots.to_png(figure.axes[0]))
        return base64.b64encode(drawn[-1]).decode()

    shell.display_formatter.formatters["image/png"].enabled = True
    for count in (1, 2):  # the formatter is registered anew, as when its settings change
        shell.display_formatter.formatters["image/png"].for_type(plt.Figure, draw)
        for _ in range(2):
            data, _ = shell.display_formatter.format(plots.new_axes().figure)
            sent = base64.b64decode(data["image/png"])
            assert len(sent) < 0.7 * len(drawn[-1])
            with Image.open(io.BytesIO(sent)) as few, Image.open(io.BytesIO(drawn[-1])) as whole:
                assert few.mode == "P" and few.size == whole.size
        assert len(drawn) == 2 * count


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_that_few_colors_would_spoil_stays_as_it_is(mode):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, len(mode)), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise if mode == "RGB" else noise // 200 * 200).save(file, format="PNG")
    assert stored.in_few_colors(file.getvalue()) == file.getvalue()


def test_outside_of_a_notebook_nothing_happens(monkeypatch):
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    stored.add_to_figures()


def test_controls_tell_what_they_show_now():
    def draw(values):
        ax = plots.new_axes()
        ax.set_title(f"{values[0]:.0f} < 5")
        return ax

    slider, picture = controls.sliders(draw, ["height"], limit=4, step=1).children
    for height in (0, 3):
        slider.value = height
        alt, source = picture.value.split('" src="data:image/png;base64,')
        assert alt == f'<img alt="{height} &lt; 5.'
        assert base64.b64decode(source.removesuffix('">')).startswith(b"\x89PNG")
