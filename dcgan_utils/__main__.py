"""The command line: python -m dcgan_utils with train, resume, sample or judge."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import tyro

from .config import Config, UserError, preset


@dataclass(frozen=True)
class Train:
    """Train a DCGAN with a preset's settings; any of them can be changed."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    preset: str = "classroom"  # classroom, classroom-r1, conditional, mnist64, paper; smoke: tests
    out: Path | None = None  # the run folder, which must not exist; None: runs/PRESET-NUMBER
    judge: int = 10_000  # samples of digits to judge at the end, 1,000 or more; 0 for none


@dataclass(frozen=True)
class Resume:
    """Go on with a run from a checkpoint, and write its results."""

    run: tyro.conf.Positional[Path]  # the run folder
    steps: int | None = None  # a new length, to train a finished run further; None leaves it
    from_step: Annotated[int | None, tyro.conf.arg(name="from")] = None  # an earlier checkpoint
    learning_rate: float | None = None  # a new rate; None leaves it
    out: Path | None = None  # a new run folder; needed with --from and --learning-rate
    judge: int = 10_000  # samples of digits to judge at the end, 1,000 or more; 0 for none


@dataclass(frozen=True)
class Sample:
    """Draw new images with a trained generator."""

    run: tyro.conf.Positional[Path]  # a run folder, or a G.pth
    count: int = 64  # images to draw
    seed: int = 0  # which latent vectors
    digit: int | None = None  # which class to draw, for a conditional run; None: all in turn
    step: int | None = None  # draw with an earlier checkpoint of the run folder
    out: Path = Path("samples.png")  # the picture to write


@dataclass(frozen=True)
class Judge:
    """Say how good a run's samples are, beside real digits and noise; store it in its folder."""

    run: tyro.conf.Positional[Path]  # the run folder
    count: int = 10_000  # samples to draw, 1,000 or more
    seed: int = 0  # which latent vectors
    step: int | None = None  # judge an earlier checkpoint; nothing is stored


def parse(arguments: Sequence[str]) -> Train | Resume | Sample | Judge:
    """Return a command with its options; those of `train` on top of the preset that they name."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--preset", default="classroom")
    finder.add_argument("--epochs")
    known, _ = finder.parse_known_args(arguments)
    length = {"epochs": 1} if known.epochs else {}  # any number, in place of the preset's steps
    start = Train(preset(known.preset, **length), known.preset)
    commands = (
        Annotated[Train, tyro.conf.subcommand("train", default=start)]
        | Annotated[Resume, tyro.conf.subcommand("resume")]
        | Annotated[Sample, tyro.conf.subcommand("sample")]
        | Annotated[Judge, tyro.conf.subcommand("judge")]
    )
    program, style = "python -m dcgan_utils", (tyro.conf.FlagConversionOff,)
    options: Any = tyro.cli(commands, prog=program, args=list(arguments), config=style)
    count = getattr(options, "judge", 0)
    if count and not 1000 <= count <= 1_000_000:  # refused now, not after a long run
        raise UserError(f"judge is {count}; allowed: 1000 to 1000000, or 0 for no judgment.")
    return options


def train(options: Train) -> None:
    """Make a run, train it to its end, and judge it."""
    from . import data, device, losses, runs, training

    with device.joined():
        with device.first_process_first():
            if options.out is not None:
                runs.require_free(options.out)
            losses.objective_for(options.config)  # refused before the data are loaded
            config = data.decide(device.decide_device(options.config))
            images = data.load_images(config)
        run = training.Training(config, images)
        out = options.out
        folder = runs.create(run, out) if out else runs.create_next(run, options.preset)
        summary = complete(run, folder)
    judge_finished(run, folder, options.judge if summary else 0)


def resume(options: Resume) -> None:
    """Go on with a run, or with a copy of it from an earlier checkpoint, to its end."""
    from . import device, runs

    named = {"steps": options.steps, "learning_rate": options.learning_rate}
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if options.out is None and (options.from_step, options.learning_rate) != (None, None):
        raise UserError("--from and --learning-rate make another run: name its folder with --out.")
    with device.joined():
        if options.out is not None:
            runs.require_free(options.out)
        path = runs.checkpoint_of(options.run, options.from_step)
        run = runs.load_training(path, **changes)
        folder = options.run if options.out is None else runs.create(run, options.out)
        summary = complete(run, folder)
    judge_finished(run, folder, options.judge if summary else 0)


def complete(run, folder: Path) -> dict:
    """Train to the end, saying how it goes; of several processes, the first has a summary."""
    from . import runs
    from .progress import TerminalProgress

    length = f"{run.total:,} steps (epochs: {run.epochs:.3g})"
    print(f"Training on {run.images.source} for {length}, into {folder}", flush=True)
    try:
        with TerminalProgress(run) as progress:
            summary = runs.complete(run, folder, progress)
    except KeyboardInterrupt:
        processes = os.environ.get("WORLD_SIZE")
        start = f"torchrun --nproc-per-node={processes}" if processes else "python"
        command = f"{start} -m dcgan_utils resume {shlex.quote(str(folder))}"
        print(f"Stopped at step {run.step}. To go on: {command}", file=sys.stderr)
        raise
    if summary:
        print(runs.last_line(summary), flush=True)
    return summary


def judge_finished(run, folder: Path, count: int) -> None:
    """Judge so many samples of a run, if they are digits."""
    from . import judging, runs

    if count and runs.can_judge(run.config):
        table, line, content = runs.judge(run.sampler, run.config, count)
        print(line)
        runs.store_judgment(folder, table, content)
    elif count:
        print(judging.ONLY_DIGITS.format(run.images.source))


def sample(options: Sample) -> None:
    """Write a picture of new samples."""
    from . import runs

    runs.write_samples(**vars(options))
    print(f"{options.count} images written to {options.out}")


def judge(options: Judge) -> None:
    """Judge a run's samples."""
    from . import runs

    config, generator = runs.load_run(options.run, options.step)
    table, _, content = runs.judge(generator, config, options.count, options.seed)
    print(table, end="", flush=True)
    if options.step is None:
        runs.store_judgment(options.run, table, content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a mistake that its message explains."""
    commands: dict[type, Any] = {Train: train, Resume: resume, Sample: sample, Judge: judge}
    out, err = sys.stdout, sys.stderr
    with open(os.devnull, "w") as silence:
        if os.environ.get("RANK", "0") != "0":  # others than the first tell errors alone
            out = err = silence
        try:
            options = parse(sys.argv[1:] if arguments is None else arguments)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                commands[type(options)](options)
        except (UserError, OSError) as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            return 2
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    for stream in filter(None, (sys.stdout, sys.stderr)):
        cast(Any, stream).reconfigure(errors="backslashreplace")  # a terminal without Unicode
    sys.exit(main())
