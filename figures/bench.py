"""Measure how fast training is: `make bench`, or some parts of it: `python -m figures.bench PART`.

Needs MNIST. Each training is timed in a process of its own, and the program that most tutorials
run (`figures/tutorial.py`) takes turns with the course's. Writes bench.csv, all figures; bench.md,
the tables of them; and scaling.png. A part that is measured again replaces its own figures only.

  speed-classroom, speed-mnist64   images per second of both programs, 4 and 6 minutes
  startup                          seconds from the `train` command to its first step, 1 minute
  scaling                          images per second over batch, image size and width, 4 minutes
  quality                          seconds until the judge's distance passes a line, 9 minutes
  equal                            the distance of both after equally many steps, 10 minutes
"""

import argparse
import math
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import nn
from torch.utils.data import TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from dcgan_utils import judging, plots
from dcgan_utils.config import Config, UserError, preset
from dcgan_utils.data import Images, base_images, load_images
from dcgan_utils.files import write_file
from dcgan_utils.hardware import choose_device, choose_precision
from dcgan_utils.runs import device_name
from dcgan_utils.training import Training

from .__main__ import read
from .__main__ import table as to_csv
from .tutorial import LEARNING_RATE, Tutorial, digits

HERE = Path(__file__).parent
PROGRAMS = ("tutorial", "course")
WARM_UP = 2  # steps; twice so many are taken before the clock starts
LEAST = 4  # steps that are timed at least
JUDGED = 5000  # samples that the judge sees

# Trainings that are timed: image, network and batch are named here, so that they stay the same.
CLASSROOM = preset(
    "classroom", data="mnist", image_size=32, fit="pad", width=32, batch_size=64,
    first_bias=False, frames=2, samples=1,
)  # fmt: skip
MNIST64 = preset(
    "mnist64", data="mnist", image_size=64, fit="resize", width=64, batch_size=100,
    first_bias=False, average=0.0, frames=2, samples=1,
)  # fmt: skip
SCALED = {
    "batch_size": (8, 16, 32, 64, 128, 256, 512),
    "image_size": (16, 32, 64, 128),
    "width": (8, 16, 32, 64, 128),
}


# One figure of one measurement


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


def going_on(training: Training) -> Callable[[int], None]:
    """Return a function that takes so many steps of a training, also beyond its epochs."""

    def run(steps: int) -> None:
        training.total = training.step + steps
        training.run()

    return run


def time_training(program: str, config: Config, seconds: float) -> tuple[float, float]:
    """Return a program's images per second and peak memory in MB."""
    if program == "tutorial":
        run = Tutorial(digits(config.image_size, config.fit), config).run
    else:
        run = going_on(Training(config, load_images(config)))
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
    return own + sum(private_memory(child.pid) for child in multiprocessing.active_children())


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
        times = [seconds_of(lambda a=a: a @ a) for _ in range(6)]
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
    if program == "tutorial":
        tutorial = Tutorial(TensorDataset(pixels), few)
        step = lambda: tutorial.step(pixels.float())  # noqa: E731
    else:
        step = Training(few, Images(pixels, "zeros")).train_step
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 2 / 1e9


# Speed


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
    lines = [["setting", "program", "images per second", "ratio", "peak memory [MB]",
              "GFLOP an image", "share of the float32 product", "of the bf16 product"]]  # fmt: skip
    for setting in dict.fromkeys(r["setting"] for r in rows):
        own = select(rows, setting=setting)
        paces = {p: numbers(own, measure="images_per_second", program=p) for p in PROGRAMS}
        median, least, most = ratios(paces["tutorial"], paces["course"])
        for program in PROGRAMS:
            memory = max(numbers(own, measure="memory", program=program))
            (work,) = numbers(own, measure="gflop", program=program)
            ratio = f"{median:.2f} ({least:.2f} to {most:.2f})" if program == "course" else "1"
            lines.append([setting, program, f"{statistics.median(paces[program]):.0f}", ratio,
                          "not available" if math.isnan(memory) else f"{memory:.0f}",
                          f"{work:.3f}", share(own, program, "float32"),
                          share(own, program, "bf16")])  # fmt: skip
    return lines


# Start-up


def first_step_seconds() -> float:
    """Return the seconds from starting the `train` command to the line that reports its first step.

    A frame of samples is drawn before that line, as before the first line of every run.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "classroom", "--data",
                   "mnist", "--steps", "1", "--judge", "0", "--out", f"{folder}/run"]  # fmt: skip
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        began = time.perf_counter()
        with subprocess.Popen(command, **pipes) as process:
            for line in process.stderr:
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
            changes = {setting: size} | ({"fit": "resize"} if setting == "image_size" else {})
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
    write_file(options.out / "scaling.png", plots.to_png(scaling_picture(rows)))
    return rows


@plots.in_style
def scaling_picture(rows: Sequence[dict]) -> Axes:
    """Draw images per second over each of the three sizes, and the limit that the machine sets."""
    panels = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True)[1]
    shares = [share for ax, setting in zip(panels, SCALED)
              for share in scaling_panel(rows, setting, ax)]  # fmt: skip
    panels[0].set_ylabel("images per second")
    panels[0].legend(loc="lower right", fontsize=11)
    (least, where_least), (most, where_most) = min(shares), max(shares)
    panels[0].figure.suptitle(
        f"Training reaches {least:.0%} ({where_least}) to {most:.0%} ({where_most}) of what the "
        f"machine's matrix product allows", x=0.01, ha="left", fontsize=13,
    )  # fmt: skip
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
    ax.set_xticks(sizes, sizes)
    ax.set_xticks([], minor=True)
    ax.set_xlabel({"batch_size": "batch size [images]", "image_size": "image size [pixels]",
                   "width": "width [feature maps]"}[setting])  # fmt: skip
    fixed = {"batch_size": "32×32, width 32", "image_size": "width 32, batch 64",
             "width": "32×32, batch 64"}  # fmt: skip
    ax.set_title(fixed[setting])
    name = setting.replace("_", " ")
    return [(p / limit, f"{name} {size}") for p, limit, size in zip(paces, limits, sizes)]


# Quality


def distance(generator: nn.Module) -> float:
    """Return the judge's distance of samples of a generator trained on padded MNIST."""
    pixels = judging.draw_samples(generator, JUDGED, "normal")
    seen = judging.look(judging.to_judged_size(pixels, "pad"))
    return judging.measure(seen, judging.stored_reference())["distance"]


class Looks:
    """The judge's distances as a training goes on; its clock stands still while the judge looks."""

    def __init__(self, program: str, line: float):
        self.program, self.line = program, line
        self.began = time.perf_counter()
        self.found: list[tuple[int, float, float]] = []  # steps, seconds, distance

    def look(self, step: int, generator: nn.Module) -> bool:
        """Judge a generator; return whether its distance is at or under the line."""
        stopped = time.perf_counter()
        self.found.append((step, stopped - self.began, distance(generator)))
        print(
            self.program, "step {}, {:.0f} s: distance {:.1f}".format(*self.found[-1]), flush=True
        )
        self.began += time.perf_counter() - stopped
        return self.found[-1][-1] <= self.line


def judge_tutorial(
    seed: int, line: float, minutes: float, every: int
) -> list[tuple[int, float, float]]:
    """Train the tutorial's program until it passes the line or the minutes are over."""
    tutorial = Tutorial(digits(32, "pad"), replace(CLASSROOM, seed=seed))
    looks, passed = Looks("tutorial", line), False
    while not passed and time.perf_counter() - looks.began < 60 * minutes:
        tutorial.run(every)
        passed = looks.look(tutorial.finished, tutorial.netG)
    return looks.found


def judge_course(seed: int, line: float, every: int) -> list[tuple[int, float, float]]:
    """Train the preset, with all its settings, until it passes the line or ends."""
    config = preset("classroom", data="mnist", seed=seed, checkpoint_every=every)
    training = Training(config, load_images(config))
    looks = Looks("course", line)

    def look() -> None:
        if looks.look(training.step, training.sampler):
            training.total = training.step  # ends the run

    training.run(on_checkpoint=look)
    return looks.found


def quality(options: argparse.Namespace) -> list[dict]:
    """Measure how long each program takes to the line."""
    line, every, rows = options.line, options.every, []
    for seed in options.seeds or [0]:
        found = {
            "course": in_fresh_process(judge_course, seed, line, every),
            "tutorial": in_fresh_process(judge_tutorial, seed, line, options.minutes, every),
        }
        for program, looks in found.items():
            for step, *figures in looks:
                where = {"setting": f"{line:g}", "program": program, "run": seed, "at": step}
                for measure, value in zip(("seconds", "distance"), figures):
                    rows.append(row("quality", measure, value, **where))
    return rows


def quality_table(rows: Sequence[dict]) -> list[list[str]]:
    """Return the lines of the table of times to the line."""
    line = float(rows[0]["setting"])
    lines = [["program", "seed", f"seconds until the distance is {line:g}", "steps",
              "distance then"]]  # fmt: skip
    for program in PROGRAMS:
        for seed in dict.fromkeys(r["run"] for r in select(rows, program=program)):
            own = select(rows, program=program, run=seed)
            last = numbers(own, measure="distance")[-1]
            seconds = f"{numbers(own, measure='seconds')[-1]:.0f}"
            seconds = seconds if last <= line else f"> {seconds}"
            lines.append([program, seed, seconds, own[-1]["at"], f"{last:.1f}"])
    return lines


def train_equally(program: str, seed: int) -> tuple[float, float]:
    """Train with the tutorials' settings for one epoch; return seconds and distance."""
    config = replace(
        CLASSROOM, seed=seed, epochs=1, learning_rate=LEARNING_RATE, average=0.0, real_label=1.0
    )
    training = Training(config, load_images(config))
    run, generator = training.run, training.generator
    if program == "tutorial":
        tutorial = Tutorial(digits(32, "pad"), config)
        run, generator = lambda: tutorial.run(training.total), tutorial.netG
    return seconds_of(run), distance(generator)


def equal(options: argparse.Namespace) -> list[dict]:
    """Measure both programs' distance after equally many steps with equal settings."""
    rows = []
    for seed in options.seeds or [0, 1, 2]:
        for program in PROGRAMS:
            found = in_fresh_process(train_equally, program, seed)
            print(
                "{}, seed {}: {:.0f} s, distance {:.1f}".format(program, seed, *found), flush=True
            )
            for measure, value in zip(("seconds", "distance"), found):
                rows.append(row("equal", measure, value, program=program, run=seed))
    return rows


def equal_table(rows: Sequence[dict]) -> list[list[str]]:
    """Return the lines of the table of distances after equally many steps."""
    seeds = list(dict.fromkeys(r["run"] for r in rows))
    lines = [["program", *(f"distance, seed {seed}" for seed in seeds), "mean",
              "standard deviation", "seconds"]]  # fmt: skip
    for program in PROGRAMS:
        found = numbers(rows, program=program, measure="distance")
        spread = f"{statistics.stdev(found):.1f}" if len(found) > 1 else ""
        middle = statistics.median(numbers(rows, program=program, measure="seconds"))
        lines.append([program, *(f"{value:.1f}" for value in found),
                      f"{statistics.mean(found):.1f}", spread, f"{middle:.0f}"])  # fmt: skip
    return lines


# All of it

PARTS: dict[str, Callable[[argparse.Namespace], list[dict]]] = {
    "speed-classroom": lambda options: speed("speed-classroom", CLASSROOM, options),
    "speed-mnist64": lambda options: speed("speed-mnist64", MNIST64, options),
    "startup": startup,
    "scaling": scaling,
    "quality": quality,
    "equal": equal,
}
TABLES = {"speed": speed_table, "startup": startup_table, "quality": quality_table,
          "equal": equal_table}  # fmt: skip


def machine() -> list[dict]:
    """Return what the figures were measured on."""
    name = device_name(choose_device("auto"))
    return [row("machine", "device", name), row("machine", "torch", torch.__version__)]


def markdown(rows: Sequence[dict]) -> str:
    """Return all tables that there are figures for."""
    device, version = (r["value"] for r in select(rows, part="machine"))
    text = [f"{device}, torch {version}, MNIST; distances are not comparable with a published FID"]
    for name, table in TABLES.items():
        if own := [r for r in rows if r["part"].split("-")[0] == name]:
            lines = ["| " + " | ".join(cells) + " |" for cells in table(own)]
            lines.insert(1, "|---" * len(table(own)[0]) + "|")
            text.append("\n".join(lines))
    return "\n\n".join(text) + "\n"


def replaced(old: Sequence[dict], new: Sequence[dict]) -> list[dict]:
    """Return the rows with new ones in the place of those of the same parts, parts in order.

    Figures of two machines do not go into one table: the old ones of another are left out.
    """
    if select(old, part="machine") != select(new, part="machine"):
        old = []
    parts = {r["part"] for r in new}
    order = ["machine", *PARTS]
    rows = [r for r in old if r["part"] not in parts] + list(new)
    return sorted(rows, key=lambda r: order.index(r["part"]))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m figures.bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("parts", nargs="*", help="default: all", metavar="PART")
    parser.add_argument("--pairs", type=int, default=5, help="turns of both programs; starts")
    parser.add_argument("--seconds", type=float, default=10.0, help="of one timing of speed")
    parser.add_argument("--seeds", type=int, nargs="+", help="quality: 0; equal: 0 1 2")
    parser.add_argument("--line", type=float, default=20.0, help="the distance to reach")
    parser.add_argument("--minutes", type=float, default=6.0, help="the tutorial's limit for it")
    parser.add_argument("--every", type=int, default=200, help="steps between two judgments")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the results")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    for name in ("pairs", "seconds", "line", "minutes", "every"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name} is {getattr(options, name)}; allowed: above 0")
    if not options.out.is_dir():
        parser.error(f"--out is {options.out}, which is no folder; make it first")
    return options


def main() -> None:
    """Measure the parts that are asked for, and write each as it is done."""
    options = parse()
    try:
        base_images("mnist")
    except UserError as error:
        sys.exit(str(error))
    path = options.out / "bench.csv"
    for part in options.parts or PARTS:
        old = read(path) if path.exists() else []
        if old and select(old, part="machine") != machine():
            print(f"{path} has figures of another machine, which are left out from now on.")
        rows = replaced(old, [*machine(), *PARTS[part](options)])
        text = markdown(rows)
        write_file(path, to_csv(rows))
        write_file(options.out / "bench.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
