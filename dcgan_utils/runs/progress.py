"""Showing how a run stands while it trains: on a terminal, in a log file, in a notebook."""

import sys
from collections.abc import Sequence
from typing import TextIO

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle
from tqdm import tqdm

from ..drawing.plots import image_grid, in_style, loss_curves, score_curves
from ..losses import Metric
from ..training import Report, Training

LOG_LINES = 10  # lines a whole run leaves in a log file


def describe(report: Report, metrics: Sequence[Metric]) -> str:
    """Return the step's metrics in one line; D(G(z)) before and after D's step share a name."""
    parts: list[str] = []
    for metric in metrics:
        value = f"{report.metrics[metric.key]:.2f}"
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
        line = describe(report, self.metrics)
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
        self.handle = DisplayHandle()
        self.shown = False

    def __call__(self, report: Report) -> None:
        for warning in report.warnings:
            self.warnings.append(f"Warning, step {report.step}: {warning}")
            print(self.warnings[-1], file=sys.stderr)
        due = report.step - self.drawn >= self.every or report.step == report.total
        if not due or not len(self.training.history):  # with record_every, rows may come later
            return
        self.drawn = report.step
        figure = self._draw(report)
        self.handle.update(figure) if self.shown else self.handle.display(figure)
        self.shown = True
        plt.close(figure)

    @in_style
    def _draw(self, report: Report) -> plt.Figure:
        figure = plt.figure(figsize=(11, 5.6))
        panels = figure.subplot_mosaic(
            [["losses", "samples"], ["scores", "samples"]], width_ratios=[1.25, 1]
        )
        loss_curves(self.training.history, panels["losses"])
        score_curves(self.training.history, panels["scores"])
        for name in ("losses", "scores"):
            panels[name].legend(loc="upper right", fontsize=9, ncols=3)
        newest = max(self.training.frames)
        image_grid(
            self.training.frames[newest],
            f"Samples after step {newest}",
            self.training.columns,
            panels["samples"],
        )
        done = "█" * round(24 * report.step / report.total)
        line = describe(report, self.training.objective.metrics)
        figure.suptitle(
            f"{done:░<24}  step {report.step} of {report.total}, "
            f"{minutes(report.seconds_left)} left\n{line}",
            fontsize=12,
            family="monospace",
        )
        return figure
