"""Is a run faster with several processes?

Three ways to use two cores take turns, each in new processes, on the embedded digits; some beside a
program that keeps one of the cores busy.
"""

import os
import subprocess
import sys

import psutil

from dcgan_utils.config import preset
from dcgan_utils.device import joined, rank

from .. import store
from ..harness import Key, Result, Study
from .speed import median, ratios, seconds_of, started

STEPS = {"classroom": 60, "mnist64": 4}  # that one timing takes
WAYS = {(1, 1): "1 process, 1 thread", (1, 2): "1 process, 2 threads", (2, 1): "2 processes"}
PLAN = [
    {"setting": setting, "busy": busy, "turn": str(turn)}
    for setting, busy in (("classroom", ""), ("mnist64", ""), ("classroom", "yes"))
    for turn in range(5)
]


def loopback_bytes() -> int:
    """Return how many bytes this machine has sent to itself; 0 where they are not counted."""
    counted = psutil.net_io_counters(pernic=True)
    return sum(counted[name].bytes_sent for name in ("lo", "lo0") if name in counted)


def time_here(setting: str, steps: int) -> None:
    """Print a preset's images per second, and bytes a step, as one of the processes there are."""
    with joined():
        config = preset(setting, data="embedded", average=0.0, frames=2, samples=1, steps=10**6)
        run, _ = started("course", config)
        run(3)
        sent = loopback_bytes()
        pace = config.batch_size * steps / seconds_of(run, steps)
        if rank() == 0:
            print(f"{pace:.1f} {(loopback_bytes() - sent) / steps:.0f}")


def time_once(setting: str, processes: int, threads: int) -> dict[str, object]:
    """Return one timing's row; what the processes say when they fail is on the terminal."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command += ["experiments.studies.processes", setting, str(STEPS[setting])]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    pace, sent = subprocess.check_output(command, env=environment, text=True).split()[-2:]
    row = {"processes": processes, "threads_each": threads, "images_per_second": pace}
    return row | {"bytes_a_step": sent if processes > 1 else 0}


def execute(key: Key) -> Result:
    """Time the three ways in turn, beside a busy program if the key says so."""
    program = "while True: pass" if key["busy"] else ""
    with subprocess.Popen([sys.executable, "-c", program]) as other:
        try:
            return Result({"processes": [time_once(key["setting"], *way) for way in WAYS]})
        finally:
            other.kill()  # before it is waited for


def lines_of(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of one machine's table: images per second, and ratios turn by turn."""
    lines = [["preset", "run as", "images per second", "ratio", "MB sent a step"]]
    for setting in dict.fromkeys(row["setting"] for row in rows):
        timed = store.select(rows, setting=setting)
        base = store.numbers(store.select(timed, processes=1, threads_each=2), "images_per_second")
        for (processes, threads), called in WAYS.items():
            own = store.select(timed, processes=processes, threads_each=threads)
            pace = store.numbers(own, "images_per_second")
            cells = [median(pace, ".0f"), median(ratios(base, pace), ".2f", extremes=True)]
            sent = median(store.numbers(own, "bytes_a_step", 1e-6), ".1f")
            lines.append([setting, called, *cells, sent if processes > 1 else "0"])
    return lines


def tables() -> dict[str, str]:
    """Return the tables of an idle and of a busy machine; their lines name the threads."""
    rows = [row | {"data": "embedded digits", "threads": ""} for row in store.read("processes")]
    names = {"processes": "", "processes_busy": "yes"}
    return {n: store.table(store.select(rows, busy=busy), lines_of) for n, busy in names.items()}


STUDY = Study(
    name="processes",
    question="Is a run faster with several processes?",
    notebook="12",
    plan=PLAN,
    execute=execute,
    tables=tables,
    minutes=0.5,
    files=("processes",),
    threads=2,
    jobs=1,
)

if __name__ == "__main__":
    time_here(sys.argv[1], int(sys.argv[2]))
