"""What the commands of this folder have in common: how they are asked, and that MNIST is there."""

import argparse
import sys
from collections.abc import Sequence

from dcgan_utils.config import UserError
from dcgan_utils.data import load_source


def new_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of `python -m experiments.MODULE`, whose help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def require_known(
    parser: argparse.ArgumentParser, kind: str, given: Sequence[str], known: Sequence[str]
) -> None:
    """End with one line if a name is given that is not known."""
    if unknown := [name for name in given if name not in known]:
        parser.error(f"no {kind} {', '.join(unknown)}; there are: {', '.join(known)}")


def require_mnist() -> None:
    """End with one line if MNIST can't be had."""
    try:
        load_source("mnist")
    except UserError as error:
        sys.exit(str(error))
