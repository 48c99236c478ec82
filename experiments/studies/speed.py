"""How fast is training, beside the program that most tutorials run?

`studies/tutorials.py` has that program. Both take turns, each timing in a process of its own. A
turn also times the machine's own matrix product, which bounds what any program can reach.
"""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from dcgan_utils.config import Config, preset
from dcgan_utils.data import load_images
from dcgan_utils.device import choose_device, choose_precision
from dcgan_utils.training import Training

from .. import store
from ..harness import Key, Result, Study, in_fresh_process
from ..measures import draw, judged
from .tutorials import Tutorial, digits

PROGRAMS = ("tutorial", "course")
FIXED: dict[str, Any] = {"data": "mnist", "first_bias": False, "frames": 2, "samples": 1}
SETTINGS = {
    "speed-classroom": preset("classroom", batch_size=64, **FIXED),
    "speed-mnist64": preset("mnist64", average=0.0, **FIXED),
}
RUNS = {**dict.fromkeys(SETTINGS, 5), "startup": 5, "digits": 3}  # turns, or seeds
PLAN = [{"part": part, "run": str(run)} for part, runs in RUNS.items() for run in range(runs)]
JUDGED, LOOKS = 5000, 100  # samples; steps from one look at them to the next
SECONDS = 10.0  # of one timing of speed
READABLE = 0.8  # the classifier's mean top probability from which on samples count as digits
SIZE = 4096  # of the matrices
KINDS = {"float32": torch.float32, "bf16": torch.bfloat16}
START = ["train", "--preset", "classroom", "--data", "mnist", "--steps", "1", "--judge", "0"]


def started(program: str, config: Config) -> Callable[[int], object]:
    """Return what takes a number of steps of a program."""
    if program == "tutorial":
        return Tutorial(digits(config.image_size, config.fit), config).run
    training = Training(config, load_images(config))
    return lambda steps: training.run(steps=steps)


def seconds_of(run: Callable[[int], object], steps: int) -> float:
    """Return how long some steps take, the device's work included."""
    began = time.perf_counter()
    run(steps)
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - began


def steps_per_second(run: Callable[[int], object]) -> float:
    """Return the pace of a run, after four steps to warm up."""
    run(2)
    steps = max(5, round(SECONDS * 2 / seconds_of(run, 2)))
    return steps / seconds_of(run, steps)


def time_training(program: str, config: Config) -> dict[str, float]:
    """Return a program's pace, its work for an image in GFLOP, and its memory."""
    run = started(program, config)
    pace = config.batch_size * steps_per_second(run)
    memory = peak_memory()
    run = started(program, dataclasses.replace(config, threads=2))  # the counter sees one thread
    run(1)  # which also draws the first picture
    with FlopCounterMode(display=False) as counter:  # a multiply-add is two operations
        run(1)
    gflop = counter.get_total_flops() / config.batch_size / 1e9
    return {"gflop": gflop, "images_per_second": pace} | memory


def peak_memory() -> dict[str, float]:
    """Return this process's largest memory in MB, on Linux; `getrusage` counts its parent's too."""
    if not (status := Path("/proc/self/status")).exists():
        return {}
    return {"memory": float(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]) / 1e3}


def time_product(kind: str) -> float:
    """Return the GFLOP/s of a matrix product in a number format."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # as in convolutions
    a = torch.rand(SIZE, SIZE, device=choose_device("auto")).to(KINDS[kind])
    product = torch.empty_like(a)
    pace = steps_per_second(lambda steps: [torch.mm(a, a, out=product) for _ in range(steps)])
    return 2e-9 * SIZE**3 * pace


def time_start() -> dict[str, float]:
    """Return the seconds from starting the `train` command to its line about the first step."""
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "dcgan_utils", *START, "--out", f"{folder}/run"]
        began, pipe = time.perf_counter(), subprocess.PIPE
        with subprocess.Popen(command, env=environment, stderr=pipe, text=True) as process:
            if any(line.startswith("step 1/1 ") for line in process.stderr or ()):
                return {"seconds": time.perf_counter() - began}
    raise RuntimeError("The train command ended without a first step.")


def time_digits(seed: int) -> dict[str, float]:
    """Return the seconds of `classroom` to readable samples, to a distance of 10, and to the end.

    Without the program's start; drawing and judging are not counted.
    """
    training = Training(config := preset("classroom", data="mnist", seed=seed), load_images(config))
    found: dict[str, float] = {}
    while training.step < training.total:
        training.run(steps=LOOKS)
        seen = judged(draw(training.sampler, config, JUDGED))
        reached = {"readable": seen["top_probability"] >= READABLE, "10": seen["distance"] <= 10}
        found = {name: training.seconds for name in reached if reached[name]} | found
    return found | {"end": training.seconds}


def execute(key: Key) -> Result:
    """Make one turn of a part, each timing in a process of its own."""
    part, setting = key["part"], ""
    if part == "startup":
        time_start()  # brings programs and data into memory
        found = {"": time_start()}
    elif part == "digits":
        found = {"": in_fresh_process(time_digits, int(key["run"]))}
    else:
        config = SETTINGS[part]
        side, width = config.image_size, config.width
        setting = f"{side}×{side}, width {width}, batch {config.batch_size}"
        found = {p: in_fresh_process(time_training, p, config) for p in PROGRAMS}
        kinds = dict.fromkeys(("float32", choose_precision("auto", choose_device("auto"))))
        found[""] = {f"product {kind}": in_fresh_process(time_product, kind) for kind in kinds}
    rows = [
        {"setting": setting, "program": program, "measure": measure, "value": value}
        for program, values in found.items()
        for measure, value in values.items()
    ]
    return Result({"speed": rows})


def values(rows: Sequence[store.Row], measure: str, **wanted: str) -> list[float]:
    """Return what was measured, turn by turn."""
    return store.numbers(store.select(rows, measure=measure, **wanted), "value")


def ratios(before: Sequence[float], after: Sequence[float], factor: float = 1) -> list[float]:
    """Return after / before, times a factor, turn by turn."""
    return [factor * b / a for a, b in zip(before, after)]


def speed_lines(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of the table of speeds."""
    lines = [["setting", "program", "images per second", "ratio", "GFLOP an image"]]
    lines[0] += ["share of the float32 product", "of the bf16 product", "peak memory"]
    for (setting, program), own in store.groups(rows, "setting", "program").items():
        if program:  # else the machine's own product
            turns = store.select(rows, setting=setting)
            pace, work = values(own, "images_per_second"), values(own, "gflop")[0]
            gain = ratios(values(turns, "images_per_second", program="tutorial"), pace)
            ratio = "1" if program == "tutorial" else store.spread(gain, ".2f", "", median)
            shares = [ratios(values(turns, f"product {kind}"), pace, work) for kind in KINDS]
            lines.append([setting, program, f"{median(pace):.0f}", ratio, f"{work:.3f}"])
            lines[-1] += [f"{median(some):.0%}" if some else "not available" for some in shares]
            memory = values(own, "memory")
            lines[-1].append(f"{median(memory):.0f} MB" if memory else "-")
    return lines


def wait_lines(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of the table of waits."""
    names = {"seconds": "the first step, the program's start included"}
    if store.select(rows, part="digits"):
        names |= {"readable": "readable digits", "10": "a distance of 10", "end": "the end"}
    lines = [["seconds to", "runs that got there", "median"]]
    for name, words in names.items():
        found = values(rows, name)
        lines.append([words, str(len(found)), store.spread(found, ".3g", "", median)])
    return lines


def tables() -> dict[str, str]:
    """Return the tables of speeds and of waits."""
    rows = [row for row in store.read("speed") if row.get("value")]  # it is empty if a run diverged
    speeds, waits = ([r for r in rows if (r["part"] in SETTINGS) == wanted] for wanted in (1, 0))
    return {
        "bench_speed": store.table(speeds, speed_lines),
        "bench_waits": store.table(waits, wait_lines),
    }


STUDY = Study("-", PLAN, execute, tables, minutes=1, files=("speed",), threads=2, jobs=1)
