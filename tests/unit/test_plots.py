"""Pictures of tensors and curves, and their alt texts: what is in them, not how they look."""

import io

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image

from dcgan_utils import plots
from dcgan_utils.history import History
from notebooks.alt_texts import alt_text

COLUMNS = ("step", "seconds", "loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")
SCORES = ["D(x)", "D(G(z)) before D's step", "D(G(z)) after"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def history(rows=100, probability=True, **columns):
    """Return a history of the usual numbers, 1.0 and 2.0 and so on; `columns` add or replace."""
    values = dict(zip(COLUMNS, (torch.arange(1.0, rows + 1), 0, 1.0, 2.0, 0.8, 0.3, 0.2)))
    values |= columns
    table = [torch.as_tensor(v, dtype=torch.double).expand(rows) for v in values.values()]
    return History(probability, tuple(values), torch.stack(table, dim=1))


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def title(ax):
    return ax.get_title("left") or ax.get_title()


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


def test_tile_scales_floats_and_keeps_colors():
    image = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    assert plots.tile(image, 1).tolist() == [[[0, 128, 255]]]
    with Image.open(io.BytesIO(plots.mosaic_png(image))) as mosaic:
        assert mosaic.mode == "RGB"


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


def test_curves_label_what_they_show():
    ax = plt.figure().subplots()
    assert plots.loss_curves(history(), ax) is ax
    assert labels(ax) == ["Loss_D", "Loss_G", "Loss_D of pure guessing"]
    assert ax.get_ylabel() == "loss [nats]" and ax.get_xlabel() == "step"
    assert title(ax) == "The losses end at 1.00 (D) and 2.00 (G)"
    ax = plots.score_curves(history())
    assert labels(ax) == SCORES and ax.get_ylim() == (0, 1.15)
    assert any(list(line.get_ydata()) == [0.5, 0.5] for line in ax.lines)
    assert title(ax) == "D says 0.80 of real images and 0.30 of generated ones"


def test_numbers_that_are_no_probabilities_have_no_guide():
    unbounded = history(probability=False, d_real=7.0)
    losses, scores = plots.loss_curves(unbounded), plots.score_curves(unbounded)
    assert (losses.get_ylabel(), scores.get_ylabel()) == ("loss", "mean output of D")
    assert len(losses.lines) == 2 and len(scores.lines) == 3
    assert scores.get_ylim()[1] > 7


def test_an_objective_may_report_other_numbers():
    """Each is in its panel, under its name and in a color of its own."""
    more = history(penalty_r1=0.5, gap=4.0, d_other=0.6)
    losses, scores = plots.loss_curves(more), plots.score_curves(more)
    assert labels(losses)[:4] == ["Loss_D", "Loss_G", "penalty_r1", "gap"]
    assert labels(scores) == [*SCORES, "d_other"]
    for ax in (losses, scores):
        colors = [line.get_color() for line in ax.lines]
        assert len(set(colors)) == len(colors)


def test_an_objective_may_report_fewer_numbers():
    rows = torch.tensor([[1.0, 0.1, 0.7], [2.0, 0.2, 0.7]], dtype=torch.double)
    few = History(False, ("step", "seconds", "loss_g"), rows)
    losses, scores = plots.loss_curves(few), plots.score_curves(few)
    assert labels(losses) == ["Loss_G"] and title(losses) == "The losses end at 0.70 (G)"
    assert not scores.lines and title(scores) == ""


@pytest.mark.parametrize(
    "empty", [history(rows=0), History(), history(loss_d=np.nan, d_real=np.inf)]
)
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


def test_the_first_steps_do_not_set_the_height_of_the_loss_curves():
    values = torch.full((1000,), 2.0)
    values[:20] = 90.0
    assert 2.0 < plots.loss_curves(history(1000, loss_g=values)).get_ylim()[1] < 4.0
    # what happens late belongs to the story
    assert plots.loss_curves(history(1000, loss_g=values.flip(0))).get_ylim()[1] > 60


def test_drawing_changes_no_setting_of_the_session():
    before = dict(matplotlib.rcParams)
    plots.loss_curves(history())
    assert dict(matplotlib.rcParams) == before


# Alt texts


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


def test_images_are_called_so():
    figure, axes = plt.subplots(1, 2)
    for ax, name in zip(axes, ("real", "fake")):
        ax.imshow([[0, 1]])
        ax.set_title(name, loc="left")
    assert alt_text(figure) == "Images: real; fake."


def test_words_that_are_given_take_the_place_of_the_labels():
    ax = plots.new_axes()
    ax.set_title("left out")
    assert alt_text(plt.figure()) == ""
    assert plots.set_alt_text(ax, "A hill.") is ax
    assert alt_text(ax.figure) == "A hill."
