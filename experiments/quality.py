"""The benchmark's quality: how long until the samples are good, and how good after equal steps."""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import nn

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import Training

from .measuring import CLASSROOM, PROGRAMS, in_fresh_process, numbers, row, seconds_of, select
from .tutorial import LEARNING_RATE, Tutorial, digits

JUDGED = 5000  # samples that the judge sees


def distance(generator: nn.Module) -> float:
    """Return the judge's distance of samples of a generator trained on padded MNIST."""
    pixels = sample_new(generator, JUDGED, "normal")
    seen = judging.classify(judging.to_judged_size(pixels, "pad"))
    return judging.measure(seen, judging.stored_reference())["distance"]


class Course:
    """The judge's distances in the course of a run; its clock stands still while they are taken."""

    def __init__(self, program: str, line: float):
        self.program, self.line = program, line
        self.began = time.perf_counter()
        self.found: list[tuple[int, float, float]] = []  # steps, seconds, distance

    def judge(self, step: int, generator: nn.Module) -> bool:
        """Judge a generator; return whether its distance is at or under the line."""
        stopped = time.perf_counter()
        self.found.append((step, stopped - self.began, distance(generator)))
        print(
            self.program, "step {}, {:.0f} s: distance {:.1f}".format(*self.found[-1]), flush=True
        )
        self.began += time.perf_counter() - stopped
        return self.found[-1][-1] <= self.line


def judge_tutorial(
    seed: int, line: float, minutes: float, every: int
) -> list[tuple[int, float, float]]:
    """Train the tutorial's program until it passes the line or the minutes are over."""
    tutorial = Tutorial(digits(32, "pad"), replace(CLASSROOM, seed=seed))
    course, passed = Course("tutorial", line), False
    while not passed and time.perf_counter() - course.began < 60 * minutes:
        tutorial.run(every)
        passed = course.judge(tutorial.finished, tutorial.netG)
    return course.found


def judge_course(seed: int, line: float, every: int) -> list[tuple[int, float, float]]:
    """Train the preset, with all its settings, until it passes the line or ends."""
    config = preset("classroom", data="mnist", seed=seed, checkpoint_every=every)
    training = Training(config, load_images(config))
    course = Course("course", line)
    training.run(on_checkpoint=lambda: course.judge(training.step, training.sampler))
    return course.found


def quality(options: argparse.Namespace) -> list[dict]:
    """Measure how long each program takes to the line."""
    line, every, rows = options.line, options.every, []
    for seed in options.seeds or [0]:
        found = {
            "course": in_fresh_process(judge_course, seed, line, every),
            "tutorial": in_fresh_process(judge_tutorial, seed, line, options.minutes, every),
        }
        for program, judged in found.items():
            for step, *figures in judged:
                where = {"setting": f"{line:g}", "program": program, "run": seed, "at": step}
                for measure, value in zip(("seconds", "distance"), figures):
                    rows.append(row("quality", measure, value, **where))
    return rows


def quality_table(rows: Sequence[dict]) -> list[list[str]]:
    """Return the lines of the table of times to the line."""
    line = float(rows[0]["setting"])
    lines = [
        ["program", "seed", f"seconds until the distance is {line:g}", "steps", "distance then"]
    ]
    for program in PROGRAMS:
        for seed in dict.fromkeys(r["run"] for r in select(rows, program=program)):
            own = select(rows, program=program, run=seed)
            last = numbers(own, measure="distance")[-1]
            seconds = f"{numbers(own, measure='seconds')[-1]:.0f}"
            seconds = seconds if last <= line else f"> {seconds}"
            lines.append([program, seed, seconds, own[-1]["at"], f"{last:.1f}"])
    return lines


def train_equally(program: str, seed: int) -> tuple[float, float]:
    """Train with the tutorials' settings for one epoch; return seconds and distance."""
    config = replace(
        CLASSROOM, seed=seed, epochs=1, learning_rate=LEARNING_RATE, average=0.0, real_label=1.0
    )
    training = Training(config, load_images(config))
    run: Callable[[], object] = training.run
    generator = training.generator
    if program == "tutorial":
        tutorial = Tutorial(digits(32, "pad"), config)
        run, generator = lambda: tutorial.run(training.total), tutorial.netG
    return seconds_of(run), distance(generator)


def equal(options: argparse.Namespace) -> list[dict]:
    """Measure both programs' distance after equally many steps with equal settings."""
    rows = []
    for seed in options.seeds or [0, 1, 2]:
        for program in PROGRAMS:
            found = in_fresh_process(train_equally, program, seed)
            print(
                "{}, seed {}: {:.0f} s, distance {:.1f}".format(program, seed, *found), flush=True
            )
            for measure, value in zip(("seconds", "distance"), found):
                rows.append(row("equal", measure, value, program=program, run=seed))
    return rows


def equal_table(rows: Sequence[dict]) -> list[list[str]]:
    """Return the lines of the table of distances after equally many steps."""
    seeds = list(dict.fromkeys(r["run"] for r in rows))
    lines = [
        [
            "program",
            *(f"distance, seed {seed}" for seed in seeds),
            "mean",
            "standard deviation",
            "seconds",
        ]
    ]
    for program in PROGRAMS:
        found = numbers(rows, program=program, measure="distance")
        spread = f"{statistics.stdev(found):.1f}" if len(found) > 1 else ""
        middle = statistics.median(numbers(rows, program=program, measure="seconds"))
        lines.append(
            [
                program,
                *(f"{value:.1f}" for value in found),
                f"{statistics.mean(found):.1f}",
                spread,
                f"{middle:.0f}",
            ]
        )
    return lines
