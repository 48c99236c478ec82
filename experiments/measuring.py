"""What the benchmark measures with: a row for each value, and clocks in processes of their own."""

import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from dcgan_utils.config import Config, preset
from dcgan_utils.data import Images, load_images
from dcgan_utils.device import choose_device, choose_precision
from dcgan_utils.training import Training

from .tutorial import Tutorial, digits

PROGRAMS = ("tutorial", "course")
WARM_UP = 2  # steps; twice as many are taken before the clock starts
LEAST = 4  # steps that are timed at least

# Trainings that are timed: image, network and batch are named here, so that they stay the same.
CLASSROOM = preset(
    "classroom",
    data="mnist",
    image_size=32,
    fit="pad",
    width=32,
    batch_size=64,
    first_bias=False,
    frames=2,
    samples=1,
)
MNIST64 = preset(
    "mnist64",
    data="mnist",
    image_size=64,
    fit="resize",
    width=64,
    batch_size=100,
    first_bias=False,
    average=0.0,
    frames=2,
    samples=1,
)


# One value of one measurement


def row(part: str, measure: str, value: float | str, **where: object) -> dict[str, str]:
    """Return a row of bench.csv; `where` may name setting, program, run and at (a step, a size)."""
    keys = {key: str(where.get(key, "")) for key in ("setting", "program", "run", "at")}
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return {"part": part, **keys, "measure": measure, "value": text}


def select(rows: Sequence[dict], **wanted: object) -> list[dict]:
    """Return the rows that have all these values, in their order."""
    return [r for r in rows if all(r[key] == str(value) for key, value in wanted.items())]


def numbers(rows: Sequence[dict], **wanted: object) -> list[float]:
    """Return the values of the rows that `select` returns."""
    return [float(r["value"]) for r in select(rows, **wanted)]


def ratios(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the least and the largest of after / before, pair by pair."""
    pairs = [b / a for a, b in zip(before, after, strict=True)]
    return statistics.median(pairs), min(pairs), max(pairs)


# What runs in a process of its own


def in_fresh_process(function: Callable, *arguments: object):
    """Return what a function of this module returns in a new Python process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long a call takes, the device's work included."""
    began = time.perf_counter()
    call()
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - began


def images_per_second(run: Callable[[int], object], batch_size: int, seconds: float) -> float:
    """Return the pace of a training, timed for about so many seconds after a warm-up.

    Parameters
    ----------
    run
        Takes so many steps, from where its last call ended.
    batch_size
        Images in a step.
    seconds
        How long to time.
    """
    run(WARM_UP)
    steps = max(LEAST, round(seconds * WARM_UP / seconds_of(lambda: run(WARM_UP))))
    return steps * batch_size / seconds_of(lambda: run(steps))


def time_training(program: str, config: Config, seconds: float) -> tuple[float, float]:
    """Return a program's images per second and peak memory in MB."""
    run: Callable[[int], object]
    if program == "tutorial":
        run = Tutorial(digits(config.image_size, config.fit), config).run
    else:
        training = Training(config, load_images(config))
        run = lambda steps: training.run(steps=steps)  # noqa: E731
    return images_per_second(run, config.batch_size, seconds), peak_memory()


def peak_memory() -> float:
    """Return this process's peak memory in MB, and what its workers now have for themselves.

    Workers share the most part of their memory with it, and it is counted once. What is theirs
    alone is known on Linux only. NaN on Windows.
    """
    try:
        import resource
    except ImportError:
        return math.nan
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return own + sum(
        private_memory(child.pid) for child in multiprocessing.active_children() if child.pid
    )


def private_memory(pid: int) -> float:
    """Return the memory in MB that a process shares with no other; 0 where it can't be known."""
    path = Path(f"/proc/{pid}/smaps_rollup")
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 2**10


def product_rate(precision: str) -> float:
    """Return the machine's own rate of square matrix products in GFLOP/s, the best of several."""
    device, size, best = choose_device("auto"), 512, 0.0
    if device.type == "cuda" and torch.backends.cudnn.allow_tf32:  # as float32 convolutions do
        torch.set_float32_matmul_precision("high")
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    slowest = 0.0
    while slowest < 0.05:  # ever larger matrices, until one product takes so many seconds
        size *= 2
        a = torch.rand(size, size, device=device).to(kind)
        times = [seconds_of(partial(torch.matmul, a, a)) for _ in range(6)]
        best, slowest = max(best, 2 * size**3 / min(times) / 1e9), min(times)
    return best


def product_rates() -> dict[str, float]:
    """Return the rate for each precision that training uses here."""
    best = choose_precision("auto", choose_device("auto"))
    return {kind: product_rate(kind) for kind in sorted({"float32", best}, reverse=True)}


def gflop_per_image(program: str, config: Config) -> float:
    """Return the work of one step for each image of its batch: multiply-adds, twice, in 1e9."""
    few = replace(config, batch_size=2, device="cpu", precision="float32")
    pixels = torch.zeros(2, 1, few.image_size, few.image_size, dtype=torch.uint8)
    step: Callable[[], object]
    if program == "tutorial":
        tutorial = Tutorial(TensorDataset(pixels), few)
        step = lambda: tutorial.step(pixels.float())  # noqa: E731
    else:
        step = Training(few, Images(pixels, "zeros")).train_step
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 2 / 1e9
