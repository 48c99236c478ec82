"""Measure two processes beside one: `python -m experiments.processes`, about 5 minutes on 2 cores.

One process with one thread, one with two, and two with one each take turns, each timed in new
processes, on the embedded digits. One row a timing in results/processes.csv. With `--busy` another
program takes all it gets of one core meanwhile: `classroom` alone, 2 minutes, results/busy.csv.
What 8 GPUs and 8 machines would do follows on paper, from the numbers in `ON_PAPER`.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.device import device_name, joined, rank, world_size
from dcgan_utils.files import write_file
from dcgan_utils.networks import Discriminator, Generator
from dcgan_utils.training import Training

from .command import new_parser
from .tables import RESULTS, markdown, read, to_csv

STEPS = {"classroom": 60, "mnist64": 4}  # that one timing takes
KINDS = {(1, 1): "1 process, 1 thread", (1, 2): "1 process, 2 threads", (2, 1): "2 processes"}
RATE = 20e12  # what one GPU is assumed to compute in a second, in bfloat16: a fifth of what is sold
ON_PAPER = {  # bytes a second between neighbors, seconds of one exchange's latency
    "8 GPUs of one machine": (200e9, 50e-6),
    "8 machines, 100 Gbit/s": (12.5e9, 200e-6),
    "8 machines, 10 Gbit/s": (1.25e9, 200e-6),
}
GFLOP = {"mnist64": 2.237, "paper": 8.903}  # of a step, an image: measuring.gflop_per_image
EXCHANGES = 3  # of a step: D's gradients, G's, the metrics


def settings(name: str):
    """Return a preset as it is timed."""
    return preset(name, data="embedded", average=0.0, frames=2, samples=1, steps=10**6)


def loopback_bytes() -> int:
    """Return how many bytes this machine has sent to itself."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split()[1])
    return 0


def time_here(name: str) -> None:
    """Time a preset in this process, one of those that are there; the first one prints the row."""
    with joined():
        config = settings(name)
        training = Training(config, load_images(config))
        training.run(steps=3)
        sent, began = loopback_bytes(), time.perf_counter()
        training.run(steps=STEPS[name])
        seconds, sent = time.perf_counter() - began, loopback_bytes() - sent
        count = world_size()
        if rank() == 0:
            measured = {
                "setting": name,
                "processes": count,
                "threads": torch.get_num_threads(),
                "images_per_second": round(config.batch_size * STEPS[name] / seconds, 1),
                "bytes_a_step": round(sent / STEPS[name]) if count > 1 else 0,
                "precision": training.precision,
                "device": device_name(training.device).partition(",")[0] + ")",
                "torch": str(torch.__version__),
            }
            print(json.dumps(measured))


def time_once(name: str, processes: int, threads: int) -> dict[str, object]:
    """Return one timing's row."""
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command = [*start, "experiments.processes", "--here", name]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def parameters(name: str) -> tuple[int, int]:
    """Return how many numbers G and D of a preset learn."""
    config = preset(name)
    with torch.device("meta"):
        networks = (
            Generator(config.image_size, 1, config.latent_size, config.width),
            Discriminator(config.image_size, 1, config.width, first_bias=config.first_bias),
        )
    g, d = (sum(p.numel() for p in network.parameters()) for network in networks)
    return g, d


def measured_table(rows: Sequence[dict[str, str]]) -> str:
    """Return images per second, and ratios turn by turn, in Markdown."""
    lines: list[list[object]] = [
        ["preset", "run as", "images per second", "ratio", "MB sent a step"]
    ]
    for name in dict.fromkeys(row["setting"] for row in rows):
        own = [row for row in rows if row["setting"] == name]
        paces = {
            kind: [
                float(row["images_per_second"])
                for row in own
                if (int(row["processes"]), int(row["threads"])) == kind
            ]
            for kind in KINDS
        }
        for kind, called in KINDS.items():
            ratios = [pace / base for pace, base in zip(paces[kind], paces[1, 2])]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            sent = [int(row["bytes_a_step"]) for row in own if int(row["processes"]) == kind[0]]
            megabytes = f"{statistics.median(sent) / 1e6:.1f}" if kind[0] > 1 else "0"
            lines.append([name, called, f"{statistics.median(paces[kind]):.0f}", spread, megabytes])
    where = (
        f"{rows[0]['device']}, {rows[0]['precision']}, torch {rows[0]['torch']}, embedded digits"
    )
    return f"{where}:\n\n{markdown(lines)}"


def paper_table() -> str:
    """Return what a step would take, from the assumptions alone, in Markdown."""
    lines: list[list[object]] = [
        ["preset", "where", "computing [ms]", "exchange [ms]", "a step [ms]", "times as fast as 1"]
    ]
    for name, gflop in GFLOP.items():
        config, sent = preset(name), 4 * sum(parameters(name))
        alone = gflop * 1e9 * config.batch_size / RATE
        lines.append([name, "1 GPU", f"{alone * 1e3:.1f}", "0", f"{alone * 1e3:.1f}", "1"])
        for where, (bandwidth, latency) in ON_PAPER.items():
            exchange = 2 * 7 / 8 * sent / bandwidth + EXCHANGES * latency
            step = alone / 8 + exchange
            numbers = (f"{part * 1e3:.1f}" for part in (alone / 8, exchange, step))
            lines.append([name, where, *numbers, f"{alone / step:.1f}"])
    return markdown(lines)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = new_parser("processes", __doc__)
    parser.add_argument("--turns", type=int, default=5, help="timings of each kind")
    parser.add_argument("--busy", action="store_true", help="beside a program that never waits")
    parser.add_argument("--here", choices=STEPS, help="time one in this process; used by itself")
    return parser.parse_args(arguments)


def main() -> None:
    """Take the timings in turn, and write them."""
    options = parse()
    if options.here:
        return time_here(options.here)
    out = RESULTS / ("busy.csv" if options.busy else "processes.csv")
    rows: list[dict[str, object]] = []
    with contextlib.ExitStack() as stack:
        if options.busy:
            other = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", "while True: pass"])
            )
            stack.callback(other.kill)  # before it is waited for
        for name in ["classroom"] if options.busy else STEPS:
            for _ in range(options.turns):
                rows += [time_once(name, *kind) for kind in KINDS]
                write_file(out, to_csv(rows))  # whole turns only
    print(measured_table(read(out)))


if __name__ == "__main__":
    main()
