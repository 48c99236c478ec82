"""Measure how fast training is: `make bench`, or some parts: `python -m experiments.bench PART`.

Needs MNIST. Each training is timed in a process of its own, and the program that most tutorials
run (`experiments/tutorial.py`) takes turns with the course's. Writes
results/bench.csv and figures/scaling.png. A part that is measured again replaces its own rows only.

  speed-classroom, speed-mnist64   images per second of both programs, 4 and 6 minutes
  startup                          seconds from the `train` command to its first step, 1 minute
  scaling                          images per second over batch, image size and width, 4 minutes
  quality                          seconds until the judge's distance passes a line, 9 minutes
  equal                            the distance of both after equally many steps, 10 minutes
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from dcgan_utils.device import choose_device, device_name
from dcgan_utils.files import write_file

from .command import new_parser, require_known, require_mnist
from .measuring import CLASSROOM, MNIST64, row, select
from .quality import equal, equal_table, quality, quality_table
from .speed import scaling, speed, speed_table, startup, startup_table
from .tables import RESULTS, markdown, read, to_csv

PARTS: dict[str, Callable[[argparse.Namespace], list[dict]]] = {
    "speed-classroom": lambda options: speed("speed-classroom", CLASSROOM, options),
    "speed-mnist64": lambda options: speed("speed-mnist64", MNIST64, options),
    "startup": startup,
    "scaling": scaling,
    "quality": quality,
    "equal": equal,
}
TABLES = {
    "speed": speed_table,
    "startup": startup_table,
    "quality": quality_table,
    "equal": equal_table,
}


def machine() -> list[dict]:
    """Return what the rows were measured on."""
    name = device_name(choose_device("auto"))
    return [row("machine", "device", name), row("machine", "torch", torch.__version__)]


def tables(rows: Sequence[dict]) -> dict[str, str]:
    """Return, by name, each table that there are rows for, and what all were measured on."""
    device, version = (r["value"] for r in select(rows, part="machine"))
    found = {"bench_machine": f"{device}, torch {version}, MNIST."}
    for name, table in TABLES.items():
        if own := [r for r in rows if r["part"].split("-")[0] == name]:
            found[f"bench_{name}"] = markdown(table(own))
    return found


def replaced(old: Sequence[dict], new: Sequence[dict]) -> list[dict]:
    """Return the rows with new ones in the place of those of the same parts, parts in order.

    Rows of two machines do not go into one table: the old ones of another are left out.
    """
    if select(old, part="machine") != select(new, part="machine"):
        old = []
    parts = {r["part"] for r in new}
    order = ["machine", *PARTS]
    rows = [r for r in old if r["part"] not in parts] + list(new)
    return sorted(rows, key=lambda r: order.index(r["part"]))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = new_parser("bench", __doc__)
    parser.add_argument("parts", nargs="*", help="default: all", metavar="PART")
    parser.add_argument("--pairs", type=int, default=5, help="turns of both programs; starts")
    parser.add_argument("--seconds", type=float, default=10.0, help="of one timing of speed")
    parser.add_argument("--seeds", type=int, nargs="+", help="quality: 0; equal: 0 1 2")
    parser.add_argument("--line", type=float, default=20.0, help="the distance to reach")
    parser.add_argument("--minutes", type=float, default=6.0, help="the tutorial's limit for it")
    parser.add_argument("--every", type=int, default=200, help="steps between two judgments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    require_known(parser, "part", options.parts, list(PARTS))
    for name in ("pairs", "seconds", "line", "minutes", "every"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name} is {getattr(options, name)}; allowed: above 0")
    if not options.out.is_dir():
        parser.error(f"--out is {options.out}, which is no folder; make it first")
    return options


def main() -> None:
    """Measure the parts that are asked for, and write each as it is done."""
    options = parse()
    require_mnist()
    path = options.out / "bench.csv"
    for part in options.parts or PARTS:
        old = read(path)
        if old and select(old, part="machine") != machine():
            print(f"{path} has rows of another machine, which are left out from now on.")
        rows = replaced(old, [*machine(), *PARTS[part](options)])
        write_file(path, to_csv(rows))
    print("\n\n".join(tables(rows).values()))


if __name__ == "__main__":
    main()
