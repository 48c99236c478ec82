"""Showing how a run stands while it trains: on a terminal, in a log file, in a notebook."""

import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle, Image
from tqdm import tqdm

from ..drawing.plots import (
    image_grid,
    in_style,
    loss_curves,
    score_curves,
    to_png,
)
from ..drawing.stored import in_few_colors
from ..losses import Metric
from ..training import Report, StoppedBetweenSteps, Training

LOG_LINES = 10  # lines a whole run leaves in a log file
WIDTH, HEIGHT, DOTS_PER_INCH = 1100, 560, 100  # of the figure in a notebook; pixels


def describe(values: Mapping[str, float], metrics: Sequence[Metric]) -> str:
    """Return values of metrics in one line; D(G(z)) before and after D's step share a name."""
    parts: list[str] = []
    for metric in metrics:
        value = f"{values[metric.key]:.2f}"
        if metric.key == "d_fake_after":
            parts[-1] += f"/{value}"
        else:
            parts.append(f"{metric.label.partition(' before')[0]} {value}")
    return "  ".join(parts)


def minutes(seconds: float) -> str:
    """Return a duration as minutes and seconds, such as "2:05"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class TerminalProgress:
    """A progress bar on a terminal; `LOG_LINES` plain lines where the output is a file.

    The end of a `with` block ends the bar's line, also when an error ended the run.

    Parameters
    ----------
    training
        The run to show; it may already be part of the way.
    stream
        Where to; by default standard error.
    """

    def __init__(self, training: Training, stream: TextIO | None = None):
        stream = stream or sys.stderr
        self.metrics = training.objective.metrics
        self.stream, self.logged = stream, training.step * LOG_LINES // training.total
        self.bar = tqdm(
            total=training.total,
            initial=training.step,
            unit="step",
            file=stream,
            disable=not stream.isatty(),
            dynamic_ncols=True,
        )

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def __call__(self, report: Report) -> None:
        for warning in report.warnings:
            tqdm.write(f"Warning, step {report.step}: {warning}", file=self.stream)
        line = describe(report.metrics, self.metrics)
        self.bar.set_postfix_str(line, refresh=False)
        self.bar.update(report.step - self.bar.n)
        tenth = report.step * LOG_LINES // report.total
        if self.bar.disable and tenth > self.logged:
            self.logged = tenth
            line = f"step {report.step}/{report.total}  {line}"
            print(f"{line}  {minutes(report.seconds_left)} left", file=self.stream, flush=True)
        if report.step == report.total:
            self.bar.close()


class NotebookProgress:
    """A figure in a notebook, redrawn as the run goes on: losses, scores and the latest samples.

    A `with` block around the run draws it at the beginning and at the end as well: a cell that is
    run again, or interrupted, shows how the run stands, also where no step is left.

    Parameters
    ----------
    training
        The run to show.
    redraws
        How often the figure is redrawn in a whole run; each time takes about 0.3 s.
    """

    def __init__(self, training: Training, redraws: int = 24):
        self.training, self.every = training, training.total / redraws
        self.warnings: list[str] = []
        self.drawn = -self.every
        self.handle: DisplayHandle | None = None

    def __enter__(self) -> "NotebookProgress":
        self.handle = None  # that of an earlier block is of an output which is gone
        self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        if self.training.step != self.drawn and kind in (None, StoppedBetweenSteps):
            self._show()

    def __call__(self, report: Report) -> None:
        for warning in report.warnings:
            self.warnings.append(f"Warning, step {report.step}: {warning}")
            print(self.warnings[-1], file=sys.stderr)
        if report.step - self.drawn >= self.every or report.step == report.total:
            self._show()

    def _show(self) -> None:
        """Draw how the run stands, in place of the last picture if this block has one."""
        if not len(self.training.history):  # with record_every, rows may come later
            return
        self.drawn = self.training.step
        png = to_png(self._draw().axes[0], DOTS_PER_INCH)
        if self.drawn == self.training.total:  # the picture that is kept
            png = in_few_colors(png)
        alt = f"Losses, what D says, and samples. {self._header().strip('░█ ')}"
        picture = Image(png, width=WIDTH, height=HEIGHT, alt=" ".join(alt.split()))
        if self.handle is None:
            self.handle = DisplayHandle()
            self.handle.display(picture)
        else:
            self.handle.update(picture)

    def _header(self) -> str:
        """Return a bar with step and time, and below it running means; no bar once all is done."""
        run, metrics = self.training, self.training.objective.metrics
        done = "█" * round(24 * run.step / run.total)
        bar = f"{done:░<24}  " if run.step < run.total else ""
        width = len(str(run.total))  # so that nothing moves when a digit is added
        left = run.seconds / max(run.step, 1) * (run.total - run.step)
        time = f"{minutes(left)} left" if left else f"took {minutes(run.seconds)}"
        last = -max(25, len(run.history) // 40)  # in a long run, as many as the curves' means
        means = {m.key: run.history[m.key][last:].mean().item() for m in metrics}
        when = "now" if left else "at the end"
        return (
            f"{bar}step {run.step:>{width}} of {run.total}, {time}\n"
            f"running means {when}:  {describe(means, metrics)}"
        )

    @in_style
    def _draw(self) -> plt.Figure:
        run = self.training
        figure = plt.figure(figsize=(WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH))
        panels = figure.subplot_mosaic(
            [["losses", "samples"], ["scores", "samples"]], width_ratios=[1.25, 1]
        )
        loss_curves(run.history, panels["losses"]).set_title("Losses")  # the header has numbers
        score_curves(run.history, panels["scores"]).set_title("What D says")
        for name in ("losses", "scores"):
            panels[name].legend(loc="upper right", fontsize=9, ncols=3)
            panels[name].set_xlim(0, run.total)
        newest = max(run.frames)
        title = f"Samples after step {newest}"
        image_grid(run.frames[newest], title, run.columns, panels["samples"])
        figure.suptitle(self._header(), x=0.01, ha="left", fontsize=12, family="monospace")
        return figure
