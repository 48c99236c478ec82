"""How a run tells where it stands: a bar on a terminal, a line now and then elsewhere, a figure."""

import io
import re
from types import SimpleNamespace

import pytest

from dcgan_utils import progress
from dcgan_utils.health import BatchStatistics, Report
from dcgan_utils.progress import NotebookProgress, TerminalProgress, describe, minutes

ANY = BatchStatistics(0.4, 0.5, -1.0, 1.0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_file_gets_a_line_in_ten_seconds_at_most_and_one_at_the_end(clock):
    stream, ends = io.StringIO(), []
    with TerminalProgress(SimpleNamespace(total=100, step=0), stream) as shown:
        for step in range(1, 101):  # one second each
            clock.now, lines = float(step), stream.getvalue().count("\n")
            shown(Report(step, 100, step, 100 - step, {"loss_d": 0.7}, ANY, ANY))
            ends += [step] * (stream.getvalue().count("\n") - lines)
    assert ends == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100] and "\r" not in stream.getvalue()
    first, *_, last = stream.getvalue().splitlines()
    assert re.fullmatch(r"step 10/100 .*Loss_D 0\.70.* 1:30 left", first)
    assert re.fullmatch(r"step 100/100 .* 0:00 left", last)


def test_a_short_run_in_a_file_has_its_last_line_and_its_warnings(clock):
    stream = io.StringIO()
    with TerminalProgress(SimpleNamespace(total=2, step=0), stream) as shown:
        shown(Report(1, 2, 1, 1, {"loss_d": 0.7}, ANY, ANY, ["too fast"]))
        shown(Report(2, 2, 1, 0, {}, ANY, ANY))
    assert [line.split("  ")[0] for line in stream.getvalue().splitlines()] == [
        "Warning, step 1: too fast",
        "step 2/2",
    ]


def test_a_terminal_has_a_bar_that_goes_on_where_a_resumed_run_does():
    stream = Terminal()
    with TerminalProgress(SimpleNamespace(total=8, step=4), stream) as shown:
        shown(Report(6, 8, 1, 1, {"loss_d": 0.7, "gap": 2.5}, ANY, ANY))
    assert "4/8" in stream.getvalue() and "6/8" in stream.getvalue()
    assert "Loss_D 0.70  gap 2.50" in stream.getvalue() and stream.getvalue().endswith("\n")


def test_a_notebooks_figure_is_redrawn_and_never_counts_beyond_the_end(new_training, capsys):
    """A run of 5 steps that is taken to 12, and one whose cell is run again."""
    run = new_training(steps=5)
    headers = []
    shown = NotebookProgress(run)
    draw = shown._show
    shown._show = lambda: headers.append(shown._header() if len(run.history) else "") or draw()
    for steps in (None, 7, 0):
        with shown:
            run.run(shown, steps=steps)
    assert run.step == 12 and "Image object" in capsys.readouterr().out
    assert "step 12 of 12, took 0:" in headers[-1] and not any("-" in head for head in headers)


def test_numbers_in_one_line_whichever_there_are():
    numbers = {"d_fake_before": 0.25, "penalty": 2.0, "d_fake_after": 0.75}
    assert describe(numbers) == "D(G(z)) 0.25/0.75  penalty 2.00"
    assert describe({"d_fake_after": 0.5, "gap": -1.0}) == "d_fake_after 0.50  gap -1.00"
    assert (describe({}), minutes(125.9)) == ("", "2:05")
