"""What each rule and each number is worth: `python -m experiments.rules`, about a minute a run.

Needs MNIST. Trains every variant of `experiments.variants` from the fast recipe, the ladder from
the published recipe to the fast one, some variants from the published recipe, with three seeds
each; and the published recipe with five, until its distance no longer falls. Each run has a process
of its own with one thread, two at a time, and is judged on the way. Rows that this machine has made
are not made again, so it goes on where it was stopped; rows of another machine or another PyTorch
are kept, and never share a table with these.

  results/rules.csv         one row a run: how it ended
  results/rules_course.csv  the first judge's metrics and the step's on the way; those made before
                            these were kept have the distances only
  results/rules/            32 samples at the end of each run, drawn by the average

`--only NAME` makes one variant, `--base NAME` one part of the plan; `--list` names what is left.
"""

import argparse
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dcgan_utils import judging, plots
from dcgan_utils.config import Config
from dcgan_utils.data import load_images
from dcgan_utils.device import choose_device, device_name
from dcgan_utils.files import write_file
from dcgan_utils.health import Diverged, variety
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import Training

from .command import each_in_a_process, new_parser, require_known, require_mnist
from .second_judge import second_distance
from .tables import RESULTS, read, to_csv
from .variants import BASES, BY_NAME, EPOCH, PARTS, config_of, new_training

SAMPLES, ON_THE_WAY = 5000, 2000  # that are judged at the end, and on the way
JUDGE_EVERY = {"fast": 700, "ladder": 1050, "to its end": 2 * EPOCH, "published": EPOCH}  # steps
SEEDS = {"fast": 3, "ladder": 3, "to its end": 5, "published": 3}
PATIENCE, GAIN = 3, 0.95  # when a distance no longer falls: see `no_longer_falls`
PICTURE = 32  # samples that are kept of a run
ALIKE, ONE_CLASS = 0.5, 0.5  # what counts as collapsed: see `has_collapsed`


@dataclass(frozen=True)
class Run:
    """One run of the plan."""

    variant: str
    base: str  # which recipe it changes
    seed: int

    @property
    def config(self) -> Config:
        """Its settings."""
        return config_of(BY_NAME[self.variant], BASES[self.base], self.seed)

    @property
    def picture(self) -> Path:
        """Where its samples are kept."""
        name = self.variant
        for sign, word in (("×", "times"), ("÷", "over"), ("β₁", "beta1"), ("γ", "gamma")):
            name = name.replace(sign, word)
        words = "_".join("".join(c if c.isalnum() else " " for c in name).split())
        return RESULTS / "rules" / f"{words}-{self.base.replace(' ', '_')}-{self.seed}.png"


PLAN = [
    Run(variant.name, base, seed)
    for base, variants in PARTS.items()
    for seed in range(SEEDS[base])
    for variant in variants
]


def has_collapsed(samples_variety: float, real_variety: float, most_frequent: float) -> bool:
    """Return whether samples count as collapsed.

    They do if they differ from one another less than half as much as real digits do (standard
    deviation over the images, averaged over the pixels), or if more than half of them are of one
    class for the judge.
    """
    return samples_variety < ALIKE * real_variety or most_frequent > ONE_CLASS


def no_longer_falls(distances: Sequence[float]) -> bool:
    """Return whether none of the last three is 5% below the least of those before."""
    before, last = distances[:-PATIENCE], distances[-PATIENCE:]
    return bool(before) and min(last) > GAIN * min(before)


def draw(network: nn.Module, config: Config, count: int) -> Tensor:
    """Return samples (count, 1, 28, 28) uint8."""
    return judging.to_judged_size(sample_new(network, count, config.latent), config.fit)


def judged(pixels: Tensor) -> dict[str, float]:
    """Return the first judge's metrics of samples (N, 1, 28, 28) uint8."""
    keys = ("distance", "top_probability", "rarest", "most_frequent", "precision", "recall")
    metrics = {key: judging.METRICS[key] for key in keys}
    return judging.measure(judging.classify(pixels), judging.stored_reference(), metrics)


def course(training: Training, every: int, to_its_end: bool) -> list[dict[str, object]]:
    """Train and judge G and its average every few steps; perhaps only until G improves no more."""
    rows: list[dict[str, object]] = []
    for step in range(every, training.total + 1, every):
        training.run(steps=step - training.step)
        row: dict[str, object] = {"step": step, "seconds": f"{training.seconds:.1f}"}
        networks = {"": training.sampler, "raw_": training.generator}
        for prefix, network in networks.items():
            found = judged(draw(network, training.config, ON_THE_WAY))
            row |= {f"{prefix}{name}": f"{value:.4g}" for name, value in found.items()}
        rows.append(row | {name: f"{value:.4g}" for name, value in losses(training, every).items()})
        if to_its_end and no_longer_falls([float(str(row["raw_distance"])) for row in rows]):
            break
    return rows


def judged_at_the_end(pixels: Tensor) -> dict[str, float]:
    """Return all of both judges' metrics of a run's final samples (N, 1, 28, 28) uint8."""
    rest = {"second_distance": second_distance(pixels), "variety": float(variety(pixels))}
    return judged(pixels) | rest


def losses(training: Training, last: int) -> dict[str, float]:
    """Return the means of the step's metrics over a run's last steps."""
    rows = training.history.rows[-last:]
    return dict(zip(training.history.names, rows.mean(0)[2:].tolist()))


def execute(run: Run, threads: int) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """Train and judge one run; return its row, its course and its picture."""
    torch.set_num_threads(threads)
    images = load_images(run.config)
    training = new_training(BY_NAME[run.variant], run.config, images)
    note, on_the_way = "", []
    try:
        on_the_way = course(training, JUDGE_EVERY[run.base], run.base == "to its end")
    except Diverged:
        note = f"diverged by step {training.step}"
    row: dict[str, Any] = name_of(run) | {"rule": BY_NAME[run.variant].rule}
    row |= {"steps": training.step, "batch_size": run.config.batch_size}
    row |= {"seconds": f"{training.seconds:.0f}"} | machine(threads) | {"number_format": ""}
    row["number_format"] = training.precision
    real = float(variety(judging.to_judged_size(images.pixels[:SAMPLES], run.config.fit)))
    pixels = {
        "": draw(training.sampler, run.config, SAMPLES),
        "raw_": draw(training.generator, run.config, SAMPLES),
    }
    values: dict[str, float] = {}
    for prefix, drawn in pixels.items():
        found = judged_at_the_end(drawn)
        values |= {prefix + name: value for name, value in found.items()}
        gone = bool(note) or has_collapsed(found["variety"], real, found["most_frequent"])
        row[prefix + "collapsed"] = int(gone)
    ends = losses(training, max(1, len(training.history) // 4))
    row |= {name: f"{value:.4g}" for name, value in (values | ends).items()}
    row["note"] = note
    picture = plots.mosaic_png(pixels[""][:PICTURE], columns=16)
    return row, [name_of(run) | machine(threads) | place for place in on_the_way], picture


def name_of(run: Run) -> dict[str, str]:
    """Return the cells that name a run."""
    return {"variant": run.variant, "base": run.base, "seed": str(run.seed)}


def machine(threads: int) -> dict[str, str]:
    """Return the cells that name what a run was made on."""
    name = device_name(choose_device("auto")).rpartition(",")[0]
    return {"device": f"{name}, threads: {threads})", "torch": torch.__version__.split("+")[0]}


def left_of(plan: Sequence[Run], rows: Sequence[dict[str, str]], here: dict[str, str]) -> list[Run]:
    """Return the runs of a plan that have no row made on this machine."""
    keys = [*name_of(plan[0]), *here]
    done = {tuple(row[key] for key in keys) for row in rows}
    return [run for run in plan if tuple((name_of(run) | here).values()) not in done]


def seconds_of(run: Run, rows: Sequence[dict[str, str]], pace: float) -> float:
    """Return how long a run will take: as its other seeds did, or else by the pace of one step."""
    known = [
        float(row["seconds"])
        for row in rows
        if (row["variant"], row["base"]) == (run.variant, run.base)
    ]
    if known:
        return sum(known) / len(known) + 20  # the judges' time
    config = run.config
    return (config.steps or 0) * pace * (0.3 + 0.7 * config.batch_size / 32) + 20


def pace_here(threads: int) -> float:
    """Return the seconds of one step of the recipe, from thirty."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    config = replace(BASES["fast"], data="embedded")
    training = Training(config, load_images(config))
    training.run(steps=10)
    began = time.perf_counter()
    training.run(steps=30)
    torch.set_num_threads(before)
    return (time.perf_counter() - began) / 30


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = new_parser("rules", __doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this variant; repeatable")
    parser.add_argument("--base", choices=PARTS, help="only this part of the plan")
    parser.add_argument("--list", action="store_true", help="name what is left, and stop")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    options = parser.parse_args(arguments)
    require_known(parser, "variant", options.only or [], list(BY_NAME))
    for name in ("jobs", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; allowed: 1 or more")
    return options


def main() -> None:
    """Make the rows that this machine has not made yet."""
    options = parse()
    require_mnist()
    path, course_path = RESULTS / "rules.csv", RESULTS / "rules_course.csv"
    rows, places = read(path), read(course_path)
    here = machine(options.threads)
    if any({key: row[key] for key in here} != here for row in rows):
        print(f"{path.name} has rows of another machine, which are kept apart from these.")
    plan = [
        run
        for run in PLAN
        if run.variant in (options.only or BY_NAME) and run.base in (options.base or PARTS)
    ]
    left = left_of(plan, rows, here) if plan else []
    own = [row for row in rows if {key: row[key] for key in here} == here]
    pace = pace_here(options.threads) if left else 0.0
    rest = sum(seconds_of(run, own, pace) for run in left) / options.jobs
    print(f"{len(left)} of {len(plan)} runs are left, about {rest / 60:.0f} minutes.", flush=True)
    if options.list:
        print("\n".join(f"{run.variant}, {run.base}, seed {run.seed}" for run in left))
        return
    (RESULTS / "rules").mkdir(exist_ok=True)
    work = functools.partial(execute, threads=options.threads)
    done = each_in_a_process(work, left, options.jobs)
    for number, (run, (row, on_the_way, picture)) in enumerate(done, 1):
        rows, places = [*rows, row], [*places, *on_the_way]
        write_file(run.picture, picture)
        write_file(course_path, to_csv(places))
        write_file(path, to_csv(rows))
        print(f"{number} of {len(left)}: {run.variant}, seed {run.seed}:", end=" ")
        print(row["distance"], row["note"] or ("collapsed" * row["collapsed"]), flush=True)


if __name__ == "__main__":
    main()
