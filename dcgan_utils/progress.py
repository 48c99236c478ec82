"""Showing how a run stands while it trains: on a terminal, in a log file, in a notebook."""

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle, Image
from tqdm import tqdm

from .language import say
from .plots import image_grid, in_style, loss_curves, score_curves, to_png
from .training import Report, Training

LABELS = {"loss_d": "Loss_D", "loss_g": "Loss_G", "d_real": "D(x)", "d_fake_before": "D(G(z))"}
SECONDS = 10  # between two lines in a log file, at least
WIDTH, HEIGHT, DOTS_PER_INCH = 1100, 560, 100  # of the figure in a notebook; pixels


def describe(values: Mapping[str, float]) -> str:
    """Return reported numbers in one line; D(G(z)) before and after D's step share a name."""
    shown = {name: f"{value:.2f}" for name, value in values.items()}
    if "d_fake_before" in shown and "d_fake_after" in shown:
        shown["d_fake_before"] += "/" + shown.pop("d_fake_after")
    return "  ".join(f"{LABELS.get(name, name)} {number}" for name, number in shown.items())


def minutes(seconds: float) -> str:
    """Return a duration as minutes and seconds, such as "2:05"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class TerminalProgress:
    """A bar on a terminal, until a `with` block ends; in a file or a pipe, a line now and then."""

    def __init__(self, training: Training, stream: TextIO | None = None):
        self.stream, self.shown = stream or sys.stderr, time.monotonic()
        no_bar = not self.stream.isatty()
        at = {"total": training.total, "initial": training.step}
        self.bar = tqdm(**at, unit="step", file=self.stream, disable=no_bar, dynamic_ncols=True)

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def __call__(self, report: Report) -> None:
        for warning in report.warnings:
            line = say("Warning, step {}: {}").format(report.step, say(warning))
            tqdm.write(line, file=self.stream)
        numbers = describe(report.metrics)
        self.bar.set_postfix_str(numbers, refresh=False)
        self.bar.update(report.step - self.bar.n)
        due = time.monotonic() - self.shown >= SECONDS or report.step == report.total
        if self.bar.disable and due:
            self.shown = time.monotonic()
            line = f"step {report.step}/{report.total}  {numbers}"
            print(f"{line}  {minutes(report.seconds_left)} left", file=self.stream, flush=True)


class NotebookProgress:
    """A figure in a notebook, redrawn as the run goes on: losses, scores and the latest samples.

    A `with` block around the run draws it at both ends as well: at its full height before the first
    step, and once the run is over, however it ended, without a time that is left. It says when it
    was drawn, since a stored figure looks like a live one. Each of `redraws` takes 0.3 s.
    """

    def __init__(self, training: Training, redraws: int = 24):
        self.training, self.every = training, training.total / redraws
        self.warnings: list[str] = []
        self.drawn, self.over = 0, False
        self.handle = DisplayHandle()

    def __enter__(self) -> "NotebookProgress":
        self.over, self.handle = False, DisplayHandle()  # an earlier block's output is gone
        self.handle.display(self._picture())
        return self

    def __exit__(self, *_) -> None:
        self.over = True
        self.handle.update(self._picture())

    def __call__(self, report: Report) -> None:
        for warning in report.warnings:
            self.warnings.append(say("Warning, step {}: {}").format(report.step, say(warning)))
            print(self.warnings[-1], file=sys.stderr)
        if report.step - self.drawn >= self.every:
            self.handle.update(self._picture())

    def _picture(self) -> Image:
        self.drawn = self.training.step
        png = to_png(self._draw().axes[0], DOTS_PER_INCH)
        alt = f"Losses, what D says, and samples. {self._header().strip('░█ ')}"
        return Image(png, width=WIDTH, height=HEIGHT, metadata={"alt": " ".join(alt.split())})

    def _header(self) -> str:
        """Return a bar with step and time while the run goes on, and below it running means."""
        run, total = self.training, max(self.training.step, self.training.total)
        last = -max(25, len(run.history) // 40)  # in a long run, as many as the curves' means
        means = {name: run.history[name][last:].nanmean().item() for name in run.history.names}
        step = f"step {run.step:>{len(str(total))}} of {total}"
        if run.step == total:
            step += f", took {minutes(run.seconds)}"
        elif self.over:
            step += ", stopped"
        else:
            left = run.seconds / max(run.step, 1) * (total - run.step)
            step = f"{'█' * round(24 * run.step / total):░<24}  {step}"
            step += f", {minutes(left)} left" * (run.step > 0)
        drawn = time.strftime("%b %d, %H:%M:%S")
        return f"{step}; drawn {drawn}\nrunning means:  {describe(means)}"

    @in_style
    def _draw(self) -> plt.Figure:
        run = self.training
        figure = plt.figure(figsize=(WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH))
        places: Any = [["losses", "samples"], ["scores", "samples"]]
        panels = figure.subplot_mosaic(places, width_ratios=[1.25, 1])
        loss_curves(run.history, panels["losses"]).set_title("Losses")  # the header has numbers
        score_curves(run.history, panels["scores"]).set_title("What D says")
        for name in ("losses", "scores"):
            if panels[name].get_legend():  # there is a curve
                panels[name].legend(loc="upper right", fontsize=9, ncols=3)
            panels[name].set_xlim(0, max(run.step, run.total))
        panels["samples"].axis("off")
        if run.frames:
            newest = max(run.frames)
            title = f"Samples after step {newest}"
            image_grid(run.frames[newest], title, run.columns, panels["samples"])
        figure.suptitle(self._header(), x=0.01, ha="left", fontsize=12, family="monospace")
        return figure
