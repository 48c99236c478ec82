"""The command line: python -m dcgan_utils with train, resume, sample or judge."""

import argparse
import contextlib
import dataclasses
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import tyro

from .config import Config, UserError, preset
from .words import require_words

ABOUT = """Train a DCGAN, go on with an interrupted run, draw samples, or judge them.

  python -m dcgan_utils train --preset classroom     (train --help lists every setting)
  python -m dcgan_utils resume runs/classroom-1
  python -m dcgan_utils sample runs/classroom-1
  python -m dcgan_utils judge runs/classroom-1
"""


@dataclass(frozen=True)
class Train:
    """Train a DCGAN with a preset's settings; any of them can be changed."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    preset: str = "classroom"  # classroom, conditional, mnist64, paper, or smoke (for tests only)
    out: Path | None = None  # the run folder, which must not exist; None: runs/PRESET-NUMBER
    judge: int = 10_000  # samples of digits to judge at the end, 1,000 or more; 0 for none


@dataclass(frozen=True)
class Resume:
    """Go on with an interrupted run from its last checkpoint, and write its results."""

    run: tyro.conf.Positional[Path]  # the run folder
    steps: int | None = None  # a new length, to train a finished run further; None leaves it
    judge: int = 10_000  # samples of digits to judge at the end, 1,000 or more; 0 for none


@dataclass(frozen=True)
class Sample:
    """Draw new images with a trained generator."""

    run: tyro.conf.Positional[Path]  # a run folder, or a G.pth
    count: int = 64  # images to draw
    seed: int = 0  # which latent vectors
    digit: int | None = None  # which class to draw, for a conditional run; None: all in turn
    out: Path = Path("samples.png")  # the picture to write


@dataclass(frozen=True)
class Judge:
    """Say how good a run's samples are, beside real digits and noise; store it in its folder."""

    run: tyro.conf.Positional[Path]  # the run folder
    count: int = 10_000  # samples to draw, 1,000 or more
    seed: int = 0  # which latent vectors


Command = TypeVar("Command", Train, Resume, Sample, Judge)


def options_of(kind: type[Command], arguments: Sequence[str]) -> Command:
    """Parse the arguments of a command; those of `train` on top of the preset that they name."""
    require_words(kind, arguments)
    settings: dict[str, Any] = {"args": list(arguments)}
    if kind is Train:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        finder.add_argument("--preset", default="classroom")
        name = finder.parse_known_args(arguments)[0].preset
        settings["default"] = Train(preset(name), name)
    program = f"python -m dcgan_utils {kind.__name__.lower()}"
    options = tyro.cli(kind, prog=program, config=(tyro.conf.FlagConversionOff,), **settings)
    if isinstance(options, Train) and last_length(arguments) == "epochs":
        config = dataclasses.replace(options.config, steps=None)
        options = dataclasses.replace(options, config=config)
    return options


def last_length(arguments: Sequence[str]) -> str | None:
    """Return which of "epochs" and "steps" was given last: the later word of the user wins."""
    given = [argument.partition("=")[0] for argument in arguments]
    lengths = [name for name in given if name in ("--epochs", "--steps")]
    return lengths[-1].removeprefix("--") if lengths else None


def train(arguments: Sequence[str]) -> None:
    """Train."""
    options = options_of(Train, arguments)
    from . import runs
    from .training import joined

    def make():
        if options.out is None:
            return runs.create_next(options.config, options.preset)
        return runs.create(options.config, options.out), options.out

    _require_enough(options.judge)
    with joined():
        training, folder = runs.together(make, options.config.device)
        _complete(training, folder)
    _judge(training, folder, options.judge)


def resume(arguments: Sequence[str]) -> None:
    """Go on with a run."""
    options = options_of(Resume, arguments)
    from . import runs
    from .training import joined

    def make():
        return runs.reopen(options.run, steps=options.steps), options.run

    _require_enough(options.judge)
    with joined():
        training, folder = runs.together(make)
        _complete(training, folder)
    _judge(training, folder, options.judge)


def sample(arguments: Sequence[str]) -> None:
    """Write a picture of new samples."""
    options = options_of(Sample, arguments)
    from . import runs

    runs.write_samples(options.run, options.out, options.count, options.seed, options.digit)
    print(f"{options.count} images written to {options.out}")


def judge(arguments: Sequence[str]) -> None:
    """Judge a run's samples."""
    options = options_of(Judge, arguments)
    from . import runs

    judgment = runs.judge_run(options.run, options.count, options.seed)
    print(judgment.table, end="", flush=True)  # first, so that it is not lost with a full disk
    runs.store_judgment(options.run, judgment)


def _require_enough(count: int) -> None:
    """Refuse a number of samples that the judge would refuse, before a long run."""
    from .judging import FEWEST

    if count and count < FEWEST:
        raise UserError(f"judge is {count}; allowed: {FEWEST} or more, or 0 for no judgment.")


def _complete(training, folder: Path) -> None:
    """Train to the end; of several processes, the first one speaks."""
    from . import runs
    from .runs.progress import TerminalProgress
    from .training import ProcessLost

    command = f"{_program(training.processes.count)} resume {shlex.quote(str(folder))}"
    passes = training.total / (training.batches.per_epoch / training.objective.steps_of_d)
    length = f"{training.total:,} steps (epochs: {passes:.3g})"
    print(f"Training on {training.images.source} for {length}, into {folder}", flush=True)
    try:
        with TerminalProgress(training) as progress:
            summary = runs.complete(training, folder, progress)
    except KeyboardInterrupt:
        print(f"Stopped at step {training.step}. To go on: {command}", file=sys.stderr)
        raise
    except ProcessLost as lost:
        lost.args = (f"{lost} To go on: {command}",)
        raise
    if training.processes.first:
        print(runs.last_line(summary), flush=True)


def _program(count: int) -> str:
    """Return how the command is called with as many processes."""
    if count == 1:
        return "python -m dcgan_utils"
    if os.environ.get("LOCAL_WORLD_SIZE") == str(count):
        return f"torchrun --standalone --nproc-per-node={count} -m dcgan_utils"
    return "on each machine, torchrun with the same options, and -m dcgan_utils"


def _judge(training, folder: Path, count: int) -> None:
    """Judge a finished run, if its samples are digits."""
    from . import judging, runs

    if not training.processes.first:
        return
    if count and runs.can_judge(training.config):
        judgment = runs.judge_run(folder, count)
        print(judgment.line)
        runs.store_judgment(folder, judgment)
    elif count:
        print(judging.ONLY_DIGITS.format(training.images.source))


COMMANDS = {"train": train, "resume": resume, "sample": sample, "judge": judge}


class Lenient:
    """A stream that never ends a run: what can't be written any more is let go.

    A reader may have closed the pipe, the disk may be full, the terminal may know no Unicode, or
    there may be no stream at all.
    """

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write, if anything can still be written."""
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, if anything can still be written."""
        self._try(lambda stream: stream.flush())

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def _try(self, write: Callable[[TextIO], object]) -> None:
        if self._stream is None:
            return
        try:
            write(self._stream)
        except (OSError, ValueError):  # a closed pipe, a full disk; a closed stream
            with contextlib.suppress(OSError, ValueError):  # or Python complains at its end
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self._stream = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def is_first() -> bool:
    """Return whether this is the one of torchrun's processes that speaks, draws and judges."""
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    return alone or os.environ.get("RANK", "0") == "0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a mistake that its message explains."""
    arguments = sys.argv[1:] if arguments is None else arguments
    streams = (sys.stdout, sys.stderr)
    out, errors = (Lenient(stream if is_first() else None) for stream in streams)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            return run(arguments)
        finally:
            out.flush()


def run(arguments: Sequence[str]) -> int:
    """Run one command, as `main` does, with whatever streams there are."""
    if not arguments or arguments[0] not in COMMANDS:
        wanted_help = arguments and arguments[0] in ("-h", "--help")
        if arguments and not wanted_help:
            print(f"error: there is no command {arguments[0]!r}", file=sys.stderr)
        print(ABOUT, file=sys.stdout if wanted_help else sys.stderr)
        return 0 if wanted_help else 2
    if not is_first() and arguments[0] not in ("train", "resume"):
        return 0
    try:
        COMMANDS[arguments[0]](arguments[1:])
    except UserError as error:
        noticed = getattr(error, "told_here", None)  # of a lost process: by the first that noticed
        if noticed is not False:
            print(f"error: {error}", file=sys.__stderr__ if noticed else sys.stderr, flush=True)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
