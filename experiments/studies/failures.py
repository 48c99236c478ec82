"""What do failing runs look like, and which alarms go off?

Each run of `failure_cases` once, the clinic's eight among them.

  results/failures.csv     a line for each report: the curves, and what else one would look at
  results/failures/        samples of the same 16 latent vectors at eight moments of each run
  dcgan_utils/exercises/clinic.csv   the clinic's lines, without what would give a run away

Nothing is averaged here: all is of G itself. A run that diverges ends before its chart does.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_utils import judging, plots
from dcgan_utils.config import Config
from dcgan_utils.data import load_images
from dcgan_utils.exercises import diagnosing
from dcgan_utils.health import BatchStatistics, Diverged, Monitor, Report
from dcgan_utils.losses import objective_for
from dcgan_utils.sampling import sample
from dcgan_utils.training import Training

from .. import store
from ..failure_cases import CLINIC, HEALTHY, SICK, Case, fewer, held_out_for, logits_of
from ..harness import Key, Result, Study
from ..measures import draw
from ..training_variants import METRICS
from ..variants import new_training

DRAWN = 256  # samples whose classes are counted
KEYS = BatchStatistics._fields
MOMENTS = (25, 75, 150, 300, 500, 800, 1100, 1500)  # steps of which samples are kept
CASES = {(case.name, str(case.seed)): case for case in (*SICK, *HEALTHY, *CLINIC)}


class Chart:
    """Writes down, at each report, what can be known of a run."""

    def __init__(self, training: Training):
        self.training = training
        held_out = held_out_for(training.config)
        self.shown = {"known": training.images, "held_out": held_out}
        self.rows: list[dict[str, str]] = []
        self.moments: list[Tensor] = []  # (16, C, S, S) each

    def __call__(self, report: Report) -> None:
        """Take a report."""
        training = self.training
        row: dict[str, float] = {"step": report.step, **report.metrics}
        for name, seen in (("real", report.real), ("fake", report.fake)):
            row |= {f"{name}_{key}": value for key, value in seen._asdict().items()}
        row["mode"] = training.generator.training  # 1 for training, 0 for evaluation
        row["gradient_g"] = gradient_norm(training.generator)
        row["gradient_d"] = gradient_norm(training.discriminator)
        row |= logits_of(training.discriminator, self.shown)
        row["most_frequent"] = most_frequent(training.generator, training.config)
        self.rows.append({key: f"{value:.4g}" for key, value in row.items()})
        if report.step in MOMENTS:
            self.moments.append(sample(training.generator, training.fixed_latents[:16]))


def gradient_norm(network: nn.Module) -> float:
    """Return the length of a network's gradient, as its last step left it."""
    parts = [p.grad.float().norm() for p in network.parameters() if p.grad is not None]
    return float(torch.stack(parts).norm()) if parts else math.nan


def most_frequent(generator: nn.Module, config: Config) -> float:
    """Return the share of the digit that the judge's classifier sees most among some samples."""
    seen = judging.classify(draw(generator, config, DRAWN))
    return float(np.bincount(seen.probabilities.argmax(1), minlength=10).max() / DRAWN)


def execute(key: Key) -> Result:
    """Record one run."""
    case = CASES[key["name"], key["seed"]]
    training = new_training(case.variant, case.config, fewer(load_images(case.config), case.images))
    chart = Chart(training)
    try:
        training.run(on_report=chart)
    except Diverged:
        if not chart.moments:  # nothing to keep but that
            raise
    files = {}
    if case not in HEALTHY[1:]:
        files[f"failures/{case.picture}"] = plots.mosaic_png(torch.cat(chart.moments), columns=16)
    return Result({"failures": chart.rows}, files)


def charts(rows: list[dict[str, str]]) -> dict[tuple[str, int], diagnosing.Chart]:
    """Return each run's columns of numbers, by its name and its seed."""
    found = diagnosing.charts(rows, ["name", "seed"], store.MACHINE)
    return {(name, int(seed)): chart for (name, seed), chart in found.items()}


def warnings_for(case: Case, chart: diagnosing.Chart) -> list[tuple[int, str]]:
    """Return what `dcgan_utils` would have said of a recorded run, and at which step."""
    images = case.images or {"embedded": 4000}.get(case.config.data, 60_000)
    monitor, said = Monitor(objective_for(case.config).healthy, images), []
    for place, step in enumerate(chart["step"]):
        values = {key: float(chart[key][place]) for key in METRICS}
        real, fake = (
            BatchStatistics(*(float(chart[f"{which}_{key}"][place]) for key in KEYS))
            for which in ("real", "fake")
        )
        warnings = monitor.check(values, real, fake, bool(chart["mode"][place]))
        said += [(int(step), warning) for warning in warnings]
    return said


def clinic() -> list[dict[str, str]]:
    """Return the lines that exercise 8.1 asks about, which dcgan_utils/exercises/clinic.csv has."""
    rows, hidden = store.read("failures"), {"seed", "mode", *store.MACHINE}
    own = [row for case in CLINIC for row in rows if row["name"] == case.name]
    return [{key: value for key, value in row.items() if key not in hidden} for row in own]


STUDY = Study(
    "05, 08",
    [{"name": name, "seed": seed} for name, seed in CASES],
    execute,
    tables=dict,
    minutes=0.6,
    files=("failures",),
)
