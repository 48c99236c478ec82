"""The command line: python -m dcgan_utils train | resume | sample."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from .config import Config, UserError, preset

ABOUT = """Train a DCGAN, go on with an interrupted run, or draw samples.

  python -m dcgan_utils train --preset classroom     (train --help lists every setting)
  python -m dcgan_utils resume runs/classroom-1
  python -m dcgan_utils sample runs/classroom-1
"""


@dataclass(frozen=True)
class Train:
    """Train a DCGAN with a preset's settings; any of them can be changed."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    preset: str = "classroom"  # classroom, mnist64, paper, or smoke (for tests only)
    out: Path | None = None  # the run folder, which must not exist; None: runs/PRESET-NUMBER


@dataclass(frozen=True)
class Resume:
    """Go on with an interrupted run from its last checkpoint, and write its results."""

    run: tyro.conf.Positional[Path]  # the run folder


@dataclass(frozen=True)
class Sample:
    """Draw new images with a trained generator."""

    run: tyro.conf.Positional[Path]  # a run folder, or a G.pth
    count: int = 64  # images to draw
    seed: int = 0  # which latent vectors
    out: Path = Path("samples.png")  # the picture to write


def train(arguments: Sequence[str]) -> None:
    """Parse the settings on top of the preset that the arguments name, and train."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--preset", default="classroom")
    name = finder.parse_known_args(arguments)[0].preset
    options = _parse(Train, arguments, Train(preset(name), name))
    from . import runs

    folder = options.out or runs.next_folder(name)
    _finish(runs.start(options.config, folder), folder)


def resume(arguments: Sequence[str]) -> None:
    """Go on with a run."""
    options = _parse(Resume, arguments)
    from . import runs

    _finish(runs.resume(options.run), options.run)


def sample(arguments: Sequence[str]) -> None:
    """Write a picture of new samples."""
    options = _parse(Sample, arguments)
    from . import runs

    runs.write_samples(options.run, options.out, options.count, options.seed)
    print(f"{options.count} images written to {options.out}")


def _parse(kind: type, arguments: Sequence[str], default=None):
    extra = {} if default is None else {"default": default}
    program = f"python -m dcgan_utils {kind.__name__.lower()}"
    return tyro.cli(kind, prog=program, args=list(arguments), config=(tyro.conf.FlagConversionOff,),
                    **extra)  # fmt: skip


def _finish(training, folder: Path) -> None:
    from . import runs
    from .progress import TerminalProgress

    print(f"Training on {training.images.source}, into {folder}", flush=True)
    print(runs.last_line(runs.finish(training, folder, TerminalProgress(training))))


COMMANDS = {"train": train, "resume": resume, "sample": sample}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a mistake that its message explains."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in COMMANDS:
        wanted_help = arguments and arguments[0] in ("-h", "--help")
        if arguments and not wanted_help:
            print(f"error: there is no command {arguments[0]!r}", file=sys.stderr)
        print(ABOUT, file=sys.stdout if wanted_help else sys.stderr)
        return 0 if wanted_help else 2
    try:
        COMMANDS[arguments[0]](arguments[1:])
    except (UserError, ArithmeticError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. python -m dcgan_utils resume FOLDER goes on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
