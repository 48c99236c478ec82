"""What do threads and processes bring, on an idle machine and on a busy one?

Four ways to use two cores take turns, each in new processes, on the embedded digits, beside none,
one or two programs that keep a core busy each.
"""

import contextlib
import os
import subprocess
import sys
from statistics import median

import psutil

from dcgan_utils.config import preset
from dcgan_utils.device import joined, rank

from .. import store
from ..harness import Key, Result, Study
from .speed import ratios, seconds_of, started

STEPS = {"classroom": 60, "mnist64": 4}  # that one timing takes
WAYS = {  # processes, threads of each, and whether each operation is to use them all
    "by default": (1, 2, False),
    "1 thread": (1, 1, True),
    "2 threads": (1, 2, True),
    "2 processes": (2, 1, True),
}
BUSY = {"classroom": (0, 1, 2), "mnist64": (0, 1)}  # other programs
PLAN = [
    {"setting": setting, "busy": str(busy), "turn": str(turn)}
    for setting in BUSY
    for busy in BUSY[setting]
    for turn in range(3)
]


def loopback_bytes() -> int:
    """Return how many bytes this machine has sent to itself; 0 where they are not counted."""
    counted = psutil.net_io_counters(pernic=True)
    return sum(counted[name].bytes_sent for name in ("lo", "lo0") if name in counted)


def time_here(setting: str, steps: int, threads: int | None = None) -> None:
    """Print a preset's images per second, and bytes a step, as one of the processes there are."""
    with joined():
        own = {"threads": threads, "average": 0.0, "frames": 2, "samples": 1, "steps": 10**6}
        config = preset(setting, data="embedded", **own)
        run = started("course", config)
        run(3)
        sent = loopback_bytes()
        pace = config.batch_size * steps / seconds_of(run, steps)
        if rank() == 0:
            print(f"{pace:.1f} {(loopback_bytes() - sent) / steps:.0f}")


def time_once(setting: str, way: str) -> dict[str, object]:
    """Return one timing's row; what the processes say when they fail is on the terminal."""
    processes, threads, all_of_them = WAYS[way]
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command += ["experiments.studies.processes", setting, str(STEPS[setting])]
    command += [str(threads)] * all_of_them
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    pace, sent = subprocess.check_output(command, env=environment, text=True).split()[-2:]
    row = {"way": way, "images_per_second": pace}
    return row | {"bytes_a_step": sent if processes > 1 else 0}


def execute(key: Key) -> Result:
    """Time the ways in turn, beside as many busy programs as the key says."""
    with contextlib.ExitStack() as others:
        for _ in range(int(key["busy"])):
            other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            others.enter_context(other)
            others.callback(other.kill)  # before it is waited for
        return Result({"processes": [time_once(key["setting"], way) for way in WAYS]})


def lines_of(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of one machine's table: images per second, and ratios turn by turn."""
    lines = [["preset", "busy programs", *WAYS, "by default / 2 threads", "MB sent a step"]]
    for (setting, busy), own in store.groups(rows, "setting", "busy").items():
        paces = {w: store.numbers(store.select(own, way=w), "images_per_second") for w in WAYS}
        cells = [f"{median(pace):.0f}" for pace in paces.values()]
        gain = ratios(paces["2 threads"], paces["by default"])
        sent = store.numbers(store.select(own, way="2 processes"), "bytes_a_step", 1e-6)
        cells += [store.spread(gain, ".2f", "", median), f"{median(sent):.1f}"]
        lines.append([setting, busy, *cells])
    return lines


def tables() -> dict[str, str]:
    """Return the table of images per second."""
    rows = [row | {"data": "embedded digits"} for row in store.read("processes")]
    return {"processes": store.table(rows, lines_of)}


STUDY = Study("12", PLAN, execute, tables, minutes=0.7, files=("processes",), threads=2, jobs=1)

if __name__ == "__main__":
    time_here(sys.argv[1], *map(int, sys.argv[2:]))
