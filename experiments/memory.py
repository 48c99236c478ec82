"""Measure the peak memory of the commands: `python -m experiments.memory`, about 3 minutes.

Trains `classroom` on MNIST, judges it, and draws 100,000 samples, each in a process of its own, on
Linux or macOS. One row a command in results/memory.csv, with the machine.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from dcgan_utils.device import choose_device, device_name
from dcgan_utils.files import write_file

from .tables import RESULTS, markdown, read, to_csv

OUT = RESULTS / "memory.csv"
COMMANDS = {
    "train, classroom": ["train", "--data", "mnist", "--judge", "0", "--out", "RUN"],
    "judge": ["judge", "RUN"],
    "sample --count 100000": ["sample", "RUN", "--count", "100000", "--out", "PICTURE"],
}


def peak_megabytes(arguments: Sequence[str]) -> float:
    """Return the peak memory of one command of the course, in MB.

    Raises
    ------
    RuntimeError
        If the command fails.
    """
    process = subprocess.Popen([sys.executable, "-m", "dcgan_utils", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} failed")
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def memory_table(rows: Sequence[dict[str, str]]) -> str:
    """Return one table for each machine, in Markdown."""
    parts = []
    for machine in dict.fromkeys((row["device"], row["torch"]) for row in rows):
        own = [row for row in rows if (row["device"], row["torch"]) == machine]
        lines = [["command", "peak memory [MB]"], *([r["command"], r["megabytes"]] for r in own)]
        parts.append(f"MNIST, {machine[0]}, torch {machine[1]}:\n\n{markdown(lines)}")
    return "\n\n".join(parts)


def main() -> None:
    """Measure all commands and store the rows; those of other machines stay."""
    machine = {"device": device_name(choose_device("auto")), "torch": str(torch.__version__)}
    rows = [row for row in read(OUT) if any(row[key] != machine[key] for key in machine)]
    with tempfile.TemporaryDirectory() as folder:
        places = {"RUN": str(Path(folder) / "run"), "PICTURE": str(Path(folder) / "all.png")}
        for name, arguments in COMMANDS.items():
            megabytes = peak_megabytes([places.get(word, word) for word in arguments])
            rows.append(machine | {"command": name, "megabytes": f"{megabytes:.0f}"})
    write_file(OUT, to_csv(rows))
    print(memory_table(rows))


if __name__ == "__main__":
    main()
