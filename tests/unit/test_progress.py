"""How a run tells where it stands: a bar on a terminal, a line now and then elsewhere, a figure."""

import io
import re
from types import SimpleNamespace

from dcgan_utils import progress
from dcgan_utils.health import BatchStatistics, Report
from dcgan_utils.progress import NotebookProgress, TerminalProgress, describe, minutes

ANY = BatchStatistics(0.4, 0.5, -1.0, 1.0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_a_line_in_ten_seconds_at_most_and_one_at_the_end(monkeypatch):
    stream, ends = io.StringIO(), []
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(progress, "time", clock)
    with TerminalProgress(SimpleNamespace(total=100, step=0), stream) as shown:
        for step in range(1, 101):  # one second each
            clock.now, lines = float(step), stream.getvalue().count("\n")
            warnings = ["too fast"] if step == 95 else []
            shown(Report(step, 100, step, 100 - step, {"loss_d": 0.7}, ANY, ANY, warnings))
            ends += [step] * (stream.getvalue().count("\n") - lines)
    assert ends == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100]
    first, *_, warning, last = stream.getvalue().splitlines()
    assert warning == "Warning, step 95: too fast" and "\r" not in stream.getvalue()
    assert re.fullmatch(r"step 10/100 .*Loss_D 0\.70.* 1:30 left", first)
    assert re.fullmatch(r"step 100/100 .* 0:00 left", last)


def test_a_terminal_has_a_bar_that_goes_on_where_a_resumed_run_does():
    stream = Terminal()
    with TerminalProgress(SimpleNamespace(total=8, step=4), stream) as shown:
        shown(Report(6, 8, 1, 1, {"loss_d": 0.7, "gap": 2.5}, ANY, ANY))
    assert "4/8" in stream.getvalue() and "6/8" in stream.getvalue()
    assert "Loss_D 0.70  gap 2.50" in stream.getvalue() and stream.getvalue().endswith("\n")


def test_a_notebooks_figure_tells_how_the_run_stands(new_training, capsys):
    """A run of 4 steps: stopped, taken to its end, taken beyond it, and its cell run again."""
    run = new_training(steps=4)
    shown, headers = NotebookProgress(run, redraws=2), []
    draw = shown._picture
    shown._picture = lambda: headers.append(shown._header()) or draw()
    for steps, ends in ((3, "3 of 4, stopped;"), (None, "4 of 4, took 0:"), (2, "6 of 6, took")):
        with shown:
            run.run(shown, steps=steps)
        assert f"step {ends}" in headers[-1] and " left" not in headers[-1]
    with shown:
        run.run(shown, steps=0)
    assert "step 0 of 4; drawn " in headers[0]  # at its full height before the first step
    assert "3 of 4, 0:0" in headers[2] and not any("-" in header for header in headers)
    assert capsys.readouterr().out.count("Image object") == len(headers)


def test_numbers_in_one_line_whichever_there_are():
    numbers = {"d_fake_before": 0.25, "penalty": 2.0, "d_fake_after": 0.75}
    assert describe(numbers) == "D(G(z)) 0.25/0.75  penalty 2.00"
    assert describe({"d_fake_after": 0.5}) == "d_fake_after 0.50" and minutes(125.9) == "2:05"
