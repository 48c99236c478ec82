"""Pictures of tensors and curves, alt texts, animations: what is in them, not how they look."""

import base64
import io
import json
import math
import re

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image, ImageSequence

from dcgan_utils import animations, plots
from dcgan_utils.training import History
from notebooks.alt_texts import alt_text

COLUMNS = ("step", "seconds", "loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")
SCORES = ["D(x)", "D(G(z)) before D's step", "D(G(z)) after"]


def history(rows=100, probability=True, **columns):
    """Return a history of the usual numbers, 1.0 and 2.0 and so on; `columns` add or replace."""
    values = dict(zip(COLUMNS, (torch.arange(1.0, rows + 1), 0, 1.0, 2.0, 0.8, 0.3, 0.2)))
    values |= columns
    table = [torch.as_tensor(v, dtype=torch.double).expand(rows) for v in values.values()]
    return History(probability, tuple(values), torch.stack(table, dim=1))


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def test_tile_puts_each_image_in_its_place():
    images = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 1, 2, 2)
    expected = [
        [10, 10, 128, 20, 20],
        [10, 10, 128, 20, 20],
        [128, 128, 128, 128, 128],
        [30, 30, 128, 128, 128],
        [30, 30, 128, 128, 128],
    ]
    picture = plots.tile(images, columns=2, gap=1)
    assert picture.shape == (5, 5, 3)
    assert (picture == np.array(expected)[..., None]).all()
    with Image.open(io.BytesIO(plots.mosaic_png(images, gap=1))) as mosaic:
        assert mosaic.mode == "L" and np.asarray(mosaic).tolist() == expected
    assert plots.tile(images, 9, gap=0).shape == (2, 6, 3)  # no empty columns
    color = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    assert plots.tile(color, 1).tolist() == [[[0, 128, 255]]]


def test_filmstrip_names_its_steps_and_includes_both_ends():
    frames = {step: torch.zeros(9, 1, 8, 8, dtype=torch.uint8) for step in range(0, 150, 10)}
    ax = plots.filmstrip(frames, rows=2)
    steps = [label.get_text() for label in ax.get_xticklabels()]
    assert steps == ["0", "20", "40", "60", "80", "100", "120", "140"]


def test_the_curve_is_a_running_mean_by_hand():
    """Of 80 rows, two at a time; of fewer than 80, each by itself."""
    values = torch.tensor([1.0, 3.0, 5.0, 7.0]).repeat(20)
    mean = plots.loss_curves(history(80, loss_d=values)).lines[0].get_ydata()
    assert mean[:5].tolist() == [1.0, 2.0, 4.0, 6.0, 4.0]
    few = plots.loss_curves(history(4, loss_d=values[:4])).lines[0].get_ydata()
    assert few.tolist() == [1.0, 3.0, 5.0, 7.0]


@pytest.mark.parametrize("probability", [True, False])
def test_curves_label_what_they_show(probability):
    """With a guide at pure guessing, where the numbers are probabilities."""
    known = history(probability=probability)
    ax, scores = plots.loss_curves(known), plots.score_curves(known)
    assert labels(ax)[:2] == ["Loss_D", "Loss_G"] and labels(scores) == SCORES
    title = ax.get_title("left")
    assert "1.00" in title and "2.00" in title and "0.30" in scores.get_title("left")
    if probability:
        assert list(ax.lines[-1].get_ydata()) == pytest.approx([2 * math.log(2)] * 2)
        assert list(scores.lines[-1].get_ydata()) == [0.5, 0.5]


@pytest.mark.parametrize("empty", [History(), history(loss_d=np.nan, d_real=np.inf)])
def test_curves_of_nothing_are_empty(empty):
    for draw in (plots.loss_curves, plots.score_curves):
        ax = draw(empty)
        assert not {"Loss_D", "D(x)"} & set(labels(ax))
        plots.to_png(ax)


def test_a_number_that_only_some_steps_report_is_a_line_through_these():
    penalty = torch.full((100,), torch.nan)
    penalty[::16] = torch.arange(7.0)
    ax = plots.loss_curves(history(penalty=penalty))
    line = ax.lines[labels(ax).index("penalty")]
    assert line.get_xdata().tolist() == [1, 17, 33, 49, 65, 81, 97]
    assert line.get_ydata().tolist() == list(range(7))


def test_the_band_of_a_curve_holds_the_middle_half_by_hand():
    """Of 200 rows, five at a time: at row 5 these are 1, 5, 2, 4, 3, and later all are 3."""
    values = torch.full((200,), 3.0)
    values[:5] = torch.tensor([1.0, 5.0, 2.0, 4.0, 3.0])
    band = plots.loss_curves(history(200, loss_d=values)).collections[0].get_paths()[0].vertices
    for step, low, high in ((1, 1, 1), (3, 1.5, 3.5), (5, 2, 4), (200, 3, 3)):
        here = band[band[:, 0] == step, 1]
        assert (here.min(), here.max()) == (low, high)


def test_titles_labels_and_legends_are_told_once_and_without_marks_of_formulas():
    figure, axes = plt.subplots(1, 2)
    figure.suptitle("All fall")
    for ax, name in zip(axes, ("slowly,\nat first", "fast?")):
        ax.plot([1, 2], label=r"$\beta_1$ = 0.5")
        ax.set(title=name, xlabel="step")
        ax.legend()
    axes[0].set_ylabel("loss")
    assert alt_text(figure) == (
        "All fall; slowly, at first; fast? Horizontal axis: step. Vertical axis: loss. "
        "Legend: beta_1 = 0.5."
    )
    plots.set_alt_text(axes[0], "A hill.")
    assert alt_text(figure) == "A hill." and alt_text(plt.figure()) == ""


@pytest.fixture
def frames():
    """Return five frames of nine images; in each, every image has a gray level of its own."""
    levels = torch.arange(45, dtype=torch.uint8).reshape(5, 9, 1, 1, 1) * 5
    pixels = levels.expand(-1, -1, 1, 8, 8)
    return {10 * number: frame for number, frame in enumerate(pixels)}


def test_animation_frames_durations_and_still(frames):
    with Image.open(io.BytesIO(animations.animated_png(frames, seconds=8.0))) as animation:
        assert (animation.format, animation.n_frames) == ("PNG", 6)
        still = np.asarray(animation)
        moments = ImageSequence.all_frames(animation)[1:]
    shown, durations = zip(*((np.asarray(m), m.info["duration"]) for m in moments))
    assert (still == shown[-1]).all()  # a viewer without animation shows the end
    assert all((a != b).any() for a, b in zip(shown, shown[1:]))
    assert sum(durations) == pytest.approx(8000, rel=0.01)
    assert durations[-1] == pytest.approx(6 * durations[0], rel=0.01)


def test_player_has_a_picture_for_each_moment(frames, monkeypatch):
    """Where nobody can press its buttons it is an animated PNG."""
    player = animations.Player(animations.animated_png(frames), "gray & gray", -1, width=300)
    html = player.html()
    pictures = json.loads(re.search(r"frames = (\[.*?\])", html)[1])
    with Image.open(io.BytesIO(player.animated)) as animation:
        for number, picture in enumerate(pictures):
            animation.seek(number + 1)  # 0 is the still
            shown = Image.open(io.BytesIO(base64.b64decode(picture)))
            assert (np.asarray(shown) == np.asarray(animation)).all()
    assert len(pictures) == 5 and "let now = 4" in html and 'alt="gray &amp; gray"' in html
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    data, facts = player._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == player.animated and "text/html" not in data
    assert facts == {"image/png": {"alt": "gray & gray", "width": 300}}
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    data, _ = player._repr_mimebundle_()
    assert "image/png" not in data and "Back</button>" in data["text/html"]
