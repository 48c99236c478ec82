"""Pictures, the animation and the progress displays: what is in them, not how they look."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from IPython.display import DisplayHandle
from matplotlib import pyplot as plt
from PIL import Image

from dcgan_utils.config import Config
from dcgan_utils.drawing import animations, plots
from dcgan_utils.losses import D_WINS, non_saturating
from dcgan_utils.runs.progress import LOG_LINES, NotebookProgress, TerminalProgress, minutes
from dcgan_utils.training import History, Look, Report, StoppedBetweenSteps

OBJECTIVE = non_saturating(Config())


@pytest.fixture
def frames():
    """Return five frames of nine images; in each, every image has a gray level of its own."""
    levels = torch.arange(45, dtype=torch.uint8).reshape(5, 9, 1, 1, 1) * 5
    pixels = levels.expand(-1, -1, 1, 8, 8)
    return {10 * number: frame for number, frame in enumerate(pixels)}


@pytest.fixture
def history():
    rows = torch.tensor([[i, i / 10, 1.0, 2.0, 0.8, 0.3, 0.2] for i in range(1, 101)])
    return History(OBJECTIVE.metrics, rows.double())


def test_tile_puts_each_image_in_its_place():
    images = torch.stack([torch.full((1, 2, 2), i, dtype=torch.uint8) for i in (10, 20, 30)])
    picture = plots.tile(images, columns=2, gap=1)
    expected = np.array(
        [
            [10, 10, 128, 20, 20],
            [10, 10, 128, 20, 20],
            [128, 128, 128, 128, 128],
            [30, 30, 128, 128, 128],
            [30, 30, 128, 128, 128],
        ]
    )
    assert picture.shape == (5, 5, 3)
    assert (picture == expected[..., None]).all()


def test_tile_scales_floats_and_keeps_colors():
    image = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    assert plots.tile(image, 1).tolist() == [[[0, 128, 255]]]


def test_running_mean_by_hand():
    values = torch.tensor([1.0, 3.0, 5.0, 7.0])
    assert plots.smooth(values, 2).tolist() == [1.0, 2.0, 4.0, 6.0]
    assert plots.smooth(values, 10).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_middle_half_by_hand():
    values = torch.tensor([1.0, 5.0, 2.0, 4.0, 3.0])
    low, high = plots.middle_half(values, 5, torch.tensor([0, 2, 4]))
    assert low.tolist() == [1.0, 1.5, 2.0]  # of 1; of 1, 2, 5; of 1 to 5
    assert high.tolist() == [1.0, 3.5, 4.0]


def test_curves_label_what_they_show(history):
    for draw, labels in (
        (plots.loss_curves, ["Loss_D", "Loss_G"]),
        (plots.score_curves, ["D(x)", "D(G(z)) before D's step", "D(G(z)) after"]),
    ):
        ax = plt.figure().subplots()
        assert draw(history, ax) is ax
        shown = ax.get_legend_handles_labels()[1]
        assert shown[: len(labels)] == labels
        assert ax.get_xlabel() == "step" and ax.get_ylabel()
    assert "0.80 of real images and 0.30" in ax.get_title(loc="left")


def test_the_first_steps_do_not_set_the_height_of_the_loss_curves(history):
    rows = history.rows.repeat(10, 1)
    rows[:20, 3] = 90.0  # Loss_G
    ax = plots.loss_curves(History(OBJECTIVE.metrics, rows))
    assert 2.0 < ax.get_ylim()[1] < 4.0
    rows[-20:, 3] = 90.0  # what happens late belongs to the story
    late = plots.loss_curves(History(OBJECTIVE.metrics, rows))
    assert late.get_ylim()[1] > 60


def test_score_curves_have_the_line_at_one_half(history):
    ax = plots.score_curves(history)
    assert any(list(line.get_ydata()) == [0.5, 0.5] for line in ax.lines)


def test_filmstrip_names_its_steps_and_includes_both_ends(frames):
    ax = plots.filmstrip(frames, rows=2, pictures=3)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "20", "40"]


def test_animation_frames_durations_and_still(frames):
    with Image.open(io.BytesIO(animations.animated_png(frames, seconds=8.0))) as animation:
        assert animation.format == "PNG" and animation.n_frames == 6
        still = np.asarray(animation)
        shown, durations = [], []
        for number in range(1, 6):
            animation.seek(number)
            shown.append(np.asarray(animation))
            durations.append(animation.info["duration"])
    assert (still == shown[-1]).all()  # a viewer without animation shows the end
    assert all((a != b).any() for a, b in zip(shown, shown[1:]))
    assert sum(durations) == pytest.approx(8000, rel=0.01)
    assert durations[-1] == pytest.approx(6 * durations[0], rel=0.01)


def test_animation_in_color(frames):
    colored = {step: frame.expand(-1, 3, -1, -1) for step, frame in frames.items()}
    with Image.open(io.BytesIO(animations.animated_png(colored))) as animation:
        assert animation.mode == "RGB"


def test_player_has_a_picture_for_each_moment_of_a_run(frames):
    player = animations.Player(animations.animated_png(frames), "gray & gray", start=-1)
    html = player.html()
    pictures = json.loads(re.search(r"frames = (\[.*?\])", html)[1])
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(p)))) for p in pictures]
    with Image.open(io.BytesIO(player.animated)) as animation:
        for number, picture in enumerate(shown):
            animation.seek(number + 1)  # 0 is the still
            assert (picture == np.asarray(animation)).all()
    assert len(shown) == len(frames) and "let now = 4" in html and 'alt="gray &amp; gray"' in html


def test_player_takes_drawings(frames):
    def draw(moment):
        ax = plots.new_axes(2, 2)
        ax.set_title(str(moment))
        return ax

    html = animations.Player(animations.animate(draw, 3, seconds=0.5), "numbers").html()
    assert "milliseconds = [500.0, 500.0, 1000.0]" in html and "let now = 0" in html


def test_player_is_an_animated_png_where_nobody_can_press_it(frames, monkeypatch):
    player = animations.Player(animations.animated_png(frames), "gray", width=300)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    data, facts = player._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == player.animated and "text/html" not in data
    assert facts == {"image/png": {"alt": "gray", "width": 300}}
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    data, _ = player._repr_mimebundle_()
    assert "image/png" not in data and "Back</button>" in data["text/html"]


def report(step, total=1000, warnings=()):
    keys = (metric.key for metric in OBJECTIVE.metrics)
    values = dict(zip(keys, (0.71, 1.52, 0.81, 0.32, 0.23)))
    look = Look(0.6, 0.5, -1.0, 1.0)
    return Report(step, total, 10.0, 125.0, values, look, look, list(warnings))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class FakeRun:
    """What the displays read of a training."""

    step, total, seconds, objective, columns = 0, 1000, 125.0, OBJECTIVE, 3


def test_progress_on_a_terminal_shows_step_figures_and_time():
    stream = Terminal()
    progress = TerminalProgress(FakeRun(), stream)
    progress(report(500, warnings=[D_WINS]))
    progress(report(1000))
    shown = stream.getvalue()
    for words in ("1000/1000", "Loss_D 0.71", "Loss_G 1.52", "D(x) 0.81", "D(G(z)) 0.32/0.23"):
        assert words in shown
    assert f"Warning, step 500: {D_WINS}" in shown
    assert "<" in shown  # tqdm's elapsed<left


def test_progress_does_not_flood_a_log_file():
    stream = io.StringIO()
    progress = TerminalProgress(FakeRun(), stream)
    for step in range(25, 1001, 25):
        progress(report(step))
    lines = stream.getvalue().splitlines()
    assert len(lines) == LOG_LINES
    assert lines[0] == (
        "step 100/1000  Loss_D 0.71  Loss_G 1.52  D(x) 0.81  D(G(z)) 0.32/0.23  2:05 left"
    )


@pytest.fixture
def outputs(monkeypatch):
    """Return a list of what is displayed: "new" for a new output, "same" for a changed one."""
    shown = []
    monkeypatch.setattr(DisplayHandle, "display", lambda *_: shown.append("new"))
    monkeypatch.setattr(DisplayHandle, "update", lambda *_: shown.append("same"))
    return shown


@pytest.fixture
def run(frames, history):
    run = FakeRun()
    run.history, run.frames = history, frames
    return run


def test_progress_in_a_notebook_redraws_one_figure(run, outputs, capsys):
    progress = NotebookProgress(run, redraws=4)
    for run.step in range(25, 1001, 25):
        progress(report(run.step, warnings=[D_WINS] if run.step == 50 else []))
    assert outputs == ["new"] + ["same"] * 4
    assert progress.warnings == [f"Warning, step 50: {D_WINS}"]
    assert capsys.readouterr().err.count("Warning, step 50") == 1
    assert plt.get_fignums() == []


def test_progress_in_a_notebook_shows_in_each_cell_how_the_run_stands(run, outputs):
    progress = NotebookProgress(run, redraws=4)
    with pytest.raises(StoppedBetweenSteps), progress:  # and it draws the moment of the stop
        progress(report(25))
        run.step = 40
        raise StoppedBetweenSteps(40, 1000)
    assert outputs == ["new", "same"]
    with progress:
        run.step = 1000
        progress(report(1000))
    assert outputs[2:] == ["new", "same"]
    with progress:  # nothing is left to do
        pass
    assert outputs[4:] == ["new"]
    with pytest.raises(ZeroDivisionError), progress:
        run.step = 1 / 0
    assert outputs[5:] == ["new"]


def test_header_in_a_notebook_gives_running_means_and_does_not_move(run):
    run.history.rows[-1, 2:] = 9.0  # one step of 25
    run.step, run.total, run.seconds = 75, 1000, 10.0
    first = NotebookProgress(run)._header()
    assert "step   75 of 1000, 2:03 left" in first
    assert "now:  Loss_D 1.32  Loss_G 2.28  D(x) 1.13  D(G(z)) 0.65/0.55" in first
    run.step = 999
    assert first.index("of 1000") == NotebookProgress(run)._header().index("of 1000")
    run.step = 1000
    last = NotebookProgress(run)._header()
    assert last.startswith("step 1000 of 1000, took 0:10") and "at the end:  Loss_D" in last


def test_progress_in_a_notebook_waits_for_the_first_recorded_row(run, outputs):
    run.history = History(OBJECTIVE.metrics)
    with NotebookProgress(run) as progress:
        progress(report(25))
    assert outputs == []


def test_minutes():
    assert [minutes(seconds) for seconds in (0, 59.9, 60, 605)] == ["0:00", "0:59", "1:00", "10:05"]
