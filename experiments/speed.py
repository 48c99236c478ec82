"""The benchmark's speeds: images per second, start-up, and how they change with the sizes."""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from dcgan_utils import plots
from dcgan_utils.config import Config
from dcgan_utils.device import choose_device, choose_precision
from dcgan_utils.files import write_file

from .measuring import (
    CLASSROOM,
    PROGRAMS,
    gflop_per_image,
    in_fresh_process,
    numbers,
    product_rate,
    product_rates,
    ratios,
    row,
    select,
    time_training,
)

FIGURES = Path(__file__).parents[1] / "figures"
SCALED = {
    "batch_size": (8, 16, 32, 64, 128, 256, 512),
    "image_size": (16, 32, 64, 128),
    "width": (8, 16, 32, 64, 128),
}


def describe(config: Config) -> str:
    """Return what a row of the table of speeds was measured with."""
    size = f"{config.image_size}×{config.image_size}"
    return f"{size}, width {config.width}, batch {config.batch_size}"


def speed(part: str, config: Config, options: argparse.Namespace) -> list[dict]:
    """Time both programs in turn, beside the machine's matrix product."""
    setting, rows = describe(config), []
    for program in PROGRAMS:
        work = gflop_per_image(program, config)
        rows.append(row(part, "gflop", work, setting=setting, program=program))
    for pair in range(options.pairs):
        for kind, rate in in_fresh_process(product_rates).items():
            rows.append(row(part, f"product {kind}", rate, setting=setting, run=pair))
        for program in PROGRAMS:
            pace, memory = in_fresh_process(time_training, program, config, options.seconds)
            where = {"setting": setting, "program": program, "run": pair}
            rows.append(row(part, "images_per_second", pace, **where))
            rows.append(row(part, "memory", memory, **where))
            print(f"{setting}, {program}: {pace:.1f} images/s, {memory:.0f} MB", flush=True)
    return rows


def share(rows: Sequence[dict], program: str, precision: str) -> str:
    """Return the median share of the matrix product's rate that a program reaches."""
    rates = numbers(rows, measure=f"product {precision}")
    if not rates:
        return "not available"
    (work,) = numbers(rows, measure="gflop", program=program)
    paces = numbers(rows, measure="images_per_second", program=program)
    return f"{ratios(rates, paces)[0] * work:.0%}"


def speed_table(rows: Sequence[dict]) -> list[list[str]]:
    """Return the lines of the table of speeds, for the rows of both settings."""
    lines = [
        [
            "setting",
            "program",
            "images per second",
            "ratio",
            "peak memory [MB]",
            "GFLOP an image",
            "share of the float32 product",
            "of the bf16 product",
        ]
    ]
    for setting in dict.fromkeys(r["setting"] for r in rows):
        own = select(rows, setting=setting)
        paces = {p: numbers(own, measure="images_per_second", program=p) for p in PROGRAMS}
        median, least, most = ratios(paces["tutorial"], paces["course"])
        for program in PROGRAMS:
            memory = max(numbers(own, measure="memory", program=program))
            (work,) = numbers(own, measure="gflop", program=program)
            ratio = f"{median:.2f} ({least:.2f} to {most:.2f})" if program == "course" else "1"
            lines.append(
                [
                    setting,
                    program,
                    f"{statistics.median(paces[program]):.0f}",
                    ratio,
                    "not available" if math.isnan(memory) else f"{memory:.0f}",
                    f"{work:.3f}",
                    share(own, program, "float32"),
                    share(own, program, "bf16"),
                ]
            )
    return lines


# Start-up


def first_step_seconds() -> float:
    """Return the seconds from starting the `train` command to the line that reports its first step.

    A frame of samples is drawn before that line, as before the first line of every run.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "dcgan_utils",
            "train",
            "--preset",
            "classroom",
            "--data",
            "mnist",
            "--steps",
            "1",
            "--judge",
            "0",
            "--out",
            f"{folder}/run",
        ]
        began = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            for line in process.stderr or ():
                if line.startswith("step 1/1 "):
                    return time.perf_counter() - began
    raise RuntimeError("The train command ended without a first step.")


def startup(options: argparse.Namespace) -> list[dict]:
    """Time the start; the first one, which brings programs and data into memory, is left out."""
    first_step_seconds()
    rows = []
    for run in range(options.pairs):
        rows.append(row("startup", "seconds", first_step_seconds(), run=run))
        print(f"first step after {rows[-1]['value']} s", flush=True)
    return rows


def startup_table(rows: Sequence[dict]) -> list[list[str]]:
    """Return the lines of the table of starts."""
    found = numbers(rows, measure="seconds")
    times = [statistics.median(found), min(found), max(found)]
    lines = [["seconds to the first step", "least", "largest", "starts"]]
    return [*lines, [*(f"{seconds:.1f}" for seconds in times), str(len(found))]]


# Scaling


def scaling(options: argparse.Namespace) -> list[dict]:
    """Time the course's program over batch size, image size and width, the others being fixed."""
    precision = choose_precision("auto", choose_device("auto"))
    products = [in_fresh_process(product_rate, precision)]
    rows, timed = [], {}
    for setting, sizes in SCALED.items():
        for size in sizes:
            changes: dict[str, Any] = {setting: size} | (
                {"fit": "resize"} if setting == "image_size" else {}
            )
            config = replace(CLASSROOM, **changes)
            config = CLASSROOM if size == getattr(CLASSROOM, setting) else config
            if config not in timed:
                pace, _ = in_fresh_process(time_training, "course", config, options.seconds / 3)
                timed[config] = pace, gflop_per_image("course", config)
                print(f"{setting} {size}: {pace:.1f} images/s", flush=True)
            for measure, value in zip(("images_per_second", "gflop"), timed[config]):
                rows.append(row("scaling", measure, value, setting=setting, at=size))
    products.append(in_fresh_process(product_rate, precision))
    rows.append(row("scaling", f"product {precision}", max(products)))
    write_file(FIGURES / "scaling.png", plots.to_png(scaling_picture(rows)))
    return rows


@plots.in_style
def scaling_picture(rows: Sequence[dict]) -> Axes:
    """Draw images per second over each of the three sizes, and the limit that the machine sets."""
    panels = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True)[1]
    shares = [
        share for ax, setting in zip(panels, SCALED) for share in scaling_panel(rows, setting, ax)
    ]
    panels[0].set_ylabel("images per second")
    panels[0].legend(loc="lower right", fontsize=11)
    (least, where_least), (most, where_most) = min(shares), max(shares)
    panels[0].figure.suptitle(
        f"Training reaches {least:.0%} ({where_least}) to {most:.0%} ({where_most}) of what the "
        f"machine's matrix product allows",
        x=0.01,
        ha="left",
        fontsize=13,
    )
    return panels[0]


def scaling_panel(rows: Sequence[dict], setting: str, ax: Axes) -> list[tuple[float, str]]:
    """Draw one panel; return the share of the limit at each of its points, and where it is."""
    own = select(rows, part="scaling", setting=setting)
    sizes = [int(r["at"]) for r in select(own, measure="gflop")]
    (product,) = [float(r["value"]) for r in rows if r["measure"].startswith("product ")]
    paces = numbers(own, measure="images_per_second")
    limits = [product / work for work in numbers(own, measure="gflop")]
    ax.loglog(sizes, limits, "--", color=plots.COLORS["reference"], label="limit: matrix product")
    ax.loglog(sizes, paces, "o-", color=plots.COLORS["discriminator"], label="measured")
    ax.set_xticks(sizes, list(map(str, sizes)))
    ax.set_xticks([], minor=True)
    ax.set_xlabel(
        {
            "batch_size": "batch size [images]",
            "image_size": "image size [pixels]",
            "width": "width [feature maps]",
        }[setting]
    )
    fixed = {
        "batch_size": "32×32, width 32",
        "image_size": "width 32, batch 64",
        "width": "32×32, batch 64",
    }
    ax.set_title(fixed[setting])
    name = setting.replace("_", " ")
    return [(p / limit, f"{name} {size}") for p, limit, size in zip(paces, limits, sizes)]
