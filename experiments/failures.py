"""Runs that fail, recorded: `python -m experiments.failures`, about half a minute a run.

Needs MNIST. Trains each run of `experiments.patients` once: the sick ones, twenty healthy ones, and
the eight of the clinic. Each has a process of its own with one thread, two at a time.

  results/failures.csv     a line for each report: the curves, and what else one would look at
  results/failures/        samples of the same 16 latent vectors at eight moments of each run
  dcgan_utils/exercises/clinic.csv   the clinic's lines, without what would give a run away

Nothing is averaged here: all is of G itself. Runs that are there are not made again; `--only NAME`
makes some, `--list` names what is left.
"""

import contextlib
import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_utils import judging, plots
from dcgan_utils.config import Config
from dcgan_utils.data import Images, load_images, load_source, scale
from dcgan_utils.exercises import diagnosing
from dcgan_utils.files import write_file
from dcgan_utils.health import BatchStatistics, Diverged, Monitor, Report
from dcgan_utils.losses import objective_for
from dcgan_utils.sampling import sample, sample_new
from dcgan_utils.training import Training

from .command import each_in_a_process, new_parser, require_known, require_mnist
from .own_steps import METRICS
from .patients import CLINIC, HEALTHY, SICK, Patient, fewer
from .rules import machine
from .tables import RESULTS, read, to_csv
from .variants import new_training

SHOWN = 500  # training and held-out digits that D is asked about
DRAWN = 256  # samples whose classes are counted
KEYS = BatchStatistics._fields
MOMENTS = (25, 75, 150, 300, 500, 800, 1100, 1500)  # steps of which samples are kept


def held_out_for(config: Config) -> Images:
    """Return the digits that no run trains on, at a run's size."""
    return load_source(config.data).split()[1].fitted(config.image_size, config.fit)


class Chart:
    """Writes down, at each report, what can be known of a run."""

    def __init__(self, patient: Patient, training: Training, held_out: Images):
        self.name_cells = {"name": patient.name, "seed": str(patient.seed)} | machine(1)
        self.training = training
        self.shown = {"known": training.images, "held_out": held_out}
        self.rows: list[dict[str, str]] = []
        self.moments: list[Tensor] = []  # (16, C, S, S) each

    def __call__(self, report: Report) -> None:
        """Take a report."""
        training = self.training
        row: dict[str, float] = {"step": report.step, **report.metrics}
        for name, look in (("real", report.real), ("fake", report.fake)):
            row |= {f"{name}_{key}": value for key, value in look._asdict().items()}
        row["mode"] = training.generator.training  # 1 for training, 0 for evaluation
        for name, network in (("g", training.generator), ("d", training.discriminator)):
            row[f"gradient_{name}"] = gradient_norm(network)
        row |= logits_of(training.discriminator, self.shown)
        counts = classes_of(training.generator, training.config)
        row["most_frequent"] = float(counts.max() / counts.sum())
        self.rows.append(self.name_cells | {key: f"{value:.4g}" for key, value in row.items()})
        if report.step in MOMENTS:
            self.moments.append(sample(training.generator, training.fixed_latents[:16]))


def logits_of(discriminator: nn.Module, shown: Mapping[str, Images]) -> dict[str, float]:
    """Return D's mean logits for the first images of some sets, by the sets' names."""
    aside = copy.deepcopy(discriminator)  # its running statistics stay what they are
    with torch.no_grad():
        means = {name: aside(scale(x.pixels[:SHOWN])).mean() for name, x in shown.items()}
    return {f"logit_{name}": float(mean) for name, mean in means.items()}


def gradient_norm(network: nn.Module) -> float:
    """Return the length of a network's gradient, as its last step left it."""
    parts = [p.grad.float().norm() for p in network.parameters() if p.grad is not None]
    return float(torch.stack(parts).norm()) if parts else math.nan


def classes_of(generator: nn.Module, config: Config) -> np.ndarray:
    """Return how many of some samples the judge's classifier takes for each digit, (10,)."""
    pixels = judging.to_judged_size(sample_new(generator, DRAWN, config.latent), config.fit)
    return np.bincount(judging.classify(pixels).probabilities.argmax(1), minlength=10)


def record(patient: Patient) -> tuple[list[dict[str, Any]], bytes]:
    """Train one run; return its chart and its picture."""
    torch.set_num_threads(1)
    config = patient.config
    images = fewer(load_images(config), patient.images)
    training = new_training(patient.variant, config, images)
    chart = Chart(patient, training, held_out_for(config))
    with contextlib.suppress(Diverged):  # the chart ends before it
        training.run(on_report=chart)
    return chart.rows, plots.mosaic_png(torch.cat(chart.moments), columns=16)


def charts(rows: list[dict[str, str]]) -> dict[tuple[str, int], diagnosing.Chart]:
    """Return each run's columns of numbers, by its name and its seed."""
    found = diagnosing.charts(rows, ["name", "seed"], list(machine(1)))
    return {(name, int(seed)): chart for (name, seed), chart in found.items()}


def warnings_for(patient: Patient, chart: diagnosing.Chart) -> list[tuple[int, str]]:
    """Return what `dcgan_utils` would have said of a recorded run, and at which step."""
    images = patient.images or {"embedded": 4000}.get(patient.config.data, 60_000)
    monitor, said = Monitor(objective_for(patient.config).healthy, images), []
    for place, step in enumerate(chart["step"]):
        values = {key: float(chart[key][place]) for key in METRICS}
        real, fake = (
            BatchStatistics(*(float(chart[f"{which}_{key}"][place]) for key in KEYS))
            for which in ("real", "fake")
        )
        told = monitor.check(values, real, fake, bool(chart["mode"][place]))
        said += [(int(step), advice) for advice in told]
    return said


def write_clinic(rows: list[dict[str, Any]]) -> None:
    """Store the charts that exercise 8.1 asks about."""
    hidden = {"seed", "mode", *machine(1)}
    own = [row for patient in CLINIC for row in rows if row["name"] == patient.name]
    shown = [{key: value for key, value in row.items() if key not in hidden} for row in own]
    write_file(diagnosing.STORED, to_csv(shown))


def main() -> None:
    """Record the runs that are not there."""
    parser = new_parser("failures", __doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this run; repeatable")
    parser.add_argument("--list", action="store_true", help="name what is left, and stop")
    options = parser.parse_args()
    runs = [*SICK, *HEALTHY, *CLINIC]
    require_known(parser, "run", options.only or [], [patient.name for patient in runs])
    require_mnist()
    path = RESULTS / "failures.csv"
    rows: list[dict[str, Any]] = read(path)
    there = {(row["name"], row["seed"]) for row in rows}
    if any({key: row[key] for key in machine(1)} != machine(1) for row in rows):
        print(f"{path.name} has runs of another machine, and keeps them.")
    left = [
        patient
        for patient in runs
        if (patient.name, str(patient.seed)) not in there
        and (not options.only or patient.name in options.only)
    ]
    print(f"{len(left)} of {len(runs)} runs are left, about {0.4 * len(left):.0f} minutes.")
    if options.list:
        print("\n".join(f"{patient.name}, seed {patient.seed}" for patient in left))
        return
    (RESULTS / "failures").mkdir(exist_ok=True)
    for patient, (charted, picture) in each_in_a_process(record, left):
        rows += charted
        if patient not in HEALTHY[1:]:
            write_file(RESULTS / "failures" / patient.picture, picture)
        write_file(path, to_csv(rows))
        if patient in CLINIC:
            write_clinic(rows)
        print(f"{patient.name}, seed {patient.seed}: {charted[-1]['step']} steps", flush=True)


if __name__ == "__main__":
    main()
