"""What walks, sums and searches in latent space find: `python -m experiments.latent`, 20 minutes.

Needs MNIST. Three generators of the preset `classroom` (seed 0 is the one that ships with the
package), and three of its first 1,500 steps on MNIST's first 500 training digits alone. Each is
measured alike; those that this command trains are kept in runs/latent/.

  results/latent.csv         one row a generator
  results/latent_errors.csv  how far each of 200 digits is from what the generator can draw
  results/latent/            four walks of each generator
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dcgan_utils import judging, plots
from dcgan_utils.config import preset
from dcgan_utils.data import Images, load_source
from dcgan_utils.device import device_name
from dcgan_utils.files import write_file
from dcgan_utils.networks import Generator
from dcgan_utils.runs import weight_facts
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import Training
from dcgan_utils.weights import STORED, facts_of, load_generator, save_weights

from .arithmetic import KINDS, draw, new_pool, successes, sums
from .command import new_parser, require_mnist
from .latent_paths import find_latents, great_circle, straight_line
from .patients import fewer
from .tables import RESULTS, markdown, read, to_csv

RUNS = Path(__file__).parents[1] / "runs" / "latent"
SUBJECTS = [(count, seed) for count in (None, 500) for seed in range(3)]  # digits, None for all
FEW_STEPS = 1500  # on few digits: later D knows them by heart, and G falls apart
JUDGED, SCALES = 3000, (0.5, 2**-0.5, 1.0, 2.0)
WALKS, STEPS = 100, 32  # how many walks, in how many steps
SEARCHED = 200  # digits of each kind whose latent vectors are looked for
POOL, COUNTS = 6000, (1, 3, 10)  # for the arithmetic
TYPICAL = 10.0  # the norm of 100 normal numbers


def largest_step(features: np.ndarray) -> float:
    """Return which part of a walk's whole change its largest step makes, on average.

    Parameters
    ----------
    features
        (T, N, F): of N walks' images at T moments. Walks that never change are left out.
    """
    steps = np.linalg.norm(np.diff(features, axis=0), axis=2)  # (T - 1, N)
    moving = steps.sum(0) > 0
    return float((steps.max(0)[moving] / steps.sum(0)[moving]).mean())


def walked(generator: nn.Module, seed: int = 0) -> dict[str, float]:
    """Return how evenly images change along great circles, and how sure the judge is on the way."""
    random = torch.Generator().manual_seed(seed)
    ends = [draw_latents(WALKS, 100, "normal", random) for _ in range(2)]
    latents = great_circle(ends[0], ends[1], torch.linspace(0, 1, STEPS + 1))
    seen = judging.classify(draw(generator, latents.flatten(0, 1)))
    features = seen.features.reshape(STEPS + 1, WALKS, -1)
    top = seen.probabilities.max(1).reshape(STEPS + 1, WALKS)
    return {"largest_step": largest_step(features), "sure_on_the_way": float(top[1:-1].mean())}


def explained(latents: Tensor, values: Tensor) -> float:
    """Return which part of the variance of values (N,) is linear in the latent vectors.

    Fitted to four fifths, measured on the others.
    """
    ones = torch.cat([latents, torch.ones(len(latents), 1)], 1).double()
    n = len(values) * 4 // 5
    weights = torch.linalg.lstsq(ones[:n], values[:n, None].double()).solution
    rest = values[n:].double() - (ones[n:] @ weights)[:, 0]
    return 1 - (rest.var() / values[n:].double().var()).item()


def judged(generator: nn.Module) -> dict[str, float]:
    """Return distances of samples whose z was scaled, and of the midpoints of walks."""
    random = torch.Generator().manual_seed(1)
    z, other = (draw_latents(JUDGED, 100, "normal", random) for _ in range(2))
    middle = torch.tensor([0.5])
    latents = {f"scaled_{scale:.2f}": scale * z for scale in SCALES}
    latents["line"] = straight_line(z, other, middle)[0]
    latents["circle"] = great_circle(z, other, middle)[0]
    metrics = {"distance": judging.METRICS["distance"]}
    return {
        name: judging.measure(
            judging.classify(draw(generator, points)), judging.stored_reference(), metrics
        )["distance"]
        for name, points in latents.items()
    }


def searched(generator: nn.Module, known: Tensor, held_out: Tensor) -> dict[str, Tensor]:
    """Return how far digits are from what the generator can draw, (SEARCHED or fewer,) each.

    Both are (N, 1, 32, 32) uint8: what it learned from, and what it has not seen.
    """
    random = torch.Generator().manual_seed(2)
    candidates = draw_latents(2000, 100, "normal", random)
    errors = {}
    for name, pixels in (("training", known), ("held-out", held_out)):
        chosen = pixels[torch.randperm(len(pixels), generator=random)[:SEARCHED]]
        errors[name] = find_latents(generator, chosen, candidates)[1]
    return errors


def measured(generator: nn.Module, known: Tensor, held_out: Tensor) -> dict[str, float]:
    """Return all that is measured of a generator but the search; arguments as there."""
    random = torch.Generator().manual_seed(3)
    pool = new_pool(generator, draw_latents(POOL, 100, "normal", random))
    values = judged(generator) | walked(generator)
    count = min(len(known), len(held_out))  # more digits are nearer to anything
    for name, digits in (("training", known[:count]), ("held_out", held_out[:count])):
        cropped = judging.to_judged_size(digits, "pad")
        values[f"to_{name}"] = judging.nearest_distances(pool.pixels[:500], cropped).mean()
    for name in ("leaning", "thick"):
        kind = KINDS[name]
        amounts = kind.measure(pool.pixels)
        there = ~amounts.isnan()
        values[f"linear_{name}"] = explained(pool.latents[there], amounts[there])
    if len(known) > 1000:  # a few digits do not come in all kinds
        for kind in KINDS.values():
            for count in COUNTS:
                latents, digits = sums(pool, kind, count)
                latents["rescaled"] = TYPICAL * functional.normalize(latents["sum"])
                for name, points in latents.items():
                    share = successes(generator, points, digits, kind)["both"]
                    values[f"{kind.name}_{name}_{count}"] = share
    return values


# The command


def trained(key: Mapping[str, str], images: Images) -> tuple[Generator, Path]:
    """Return a generator of the plan, trained if it is not there yet, and where it is kept."""
    path = RUNS / f"G-{key['digits']}-{key['seed']}.pth"
    if key == {"digits": "all", "seed": "0"}:
        path = STORED / "G.pth"
    if not path.exists():
        config = preset("classroom", data="mnist", seed=int(key["seed"]))
        if key["digits"] != "all":
            config = replace(config, steps=FEW_STEPS)
        training = Training(config, images)
        training.run()
        facts = {"device": device_name(training.device), "torch": torch.__version__.split("+")[0]}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_weights(path, training.sampler.half(), weight_facts(training) | facts)
    return load_generator(path), path


def picture(generator: nn.Module) -> bytes:
    """Return four walks in twelve steps, one below the other, as a PNG file."""
    random = torch.Generator().manual_seed(4)
    ends = [draw_latents(4, 100, "normal", random) for _ in range(2)]
    latents = great_circle(ends[0], ends[1], torch.linspace(0, 1, 12)).transpose(0, 1)
    return plots.mosaic_png(draw(generator, latents.flatten(0, 1)), columns=12)


ROWS = (  # of the table: what it says, and the columns
    ("distance at half the norm of z", ("scaled_0.50",)),
    ("distance at the norm of training", ("scaled_1.00",)),
    ("distance at twice the norm", ("scaled_2.00",)),
    ("distance halfway, line", ("line",)),
    ("distance halfway, great circle", ("circle",)),
    ("largest of 32 steps", ("largest_step",)),
    ("top probability on the way", ("sure_on_the_way",)),
    ("slant, thickness: linear in z", ("linear_leaning", "linear_thick")),
    *(
        (f"{kind}: sums of 1, 3, 10 ({words})", tuple(f"{kind}_{name}_{n}" for n in COUNTS))
        for kind in KINDS
        for name, words in (("sum", "as they are"), ("rescaled", "norm 10"), ("control", "control"))
    ),
    ("nearest training digit, nearest held-out", ("to_training", "to_held_out")),
    ("search: training digits, held-out", ("error_training", "error_held-out")),
)


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the generators side by side, as Markdown."""
    names = [
        f"{'60,000' if row['digits'] == 'all' else row['digits']} digits, seed {row['seed']}"
        for row in rows
    ]
    lines: list[list[str]] = [["", *names]]
    for words, columns in ROWS:
        cells = [", ".join(f"{float(row[c]):.3g}" for c in columns if row[c]) for row in rows]
        lines.append([words, *(cell or "-" for cell in cells)])
    return f"MNIST, {rows[0]['device']}, torch {rows[0]['torch']}:\n\n{markdown(lines)}"


def main() -> None:
    """Make the rows that are not there yet."""
    new_parser("latent", __doc__).parse_args()
    require_mnist()
    torch.set_num_threads(1)
    learned, held_out = load_source("mnist").fitted(32, "pad").split()
    rows, errors = read(RESULTS / "latent.csv"), read(RESULTS / "latent_errors.csv")
    for count, seed in SUBJECTS:
        key = {"digits": "all" if count is None else str(count), "seed": str(seed)}
        if any(key.items() <= row.items() for row in rows):
            continue
        images = fewer(learned, count)
        generator, path = trained(key, images)
        found = measured(generator, images.pixels, held_out.pixels)
        distances = searched(generator, images.pixels, held_out.pixels)
        for name, values in distances.items():
            found[f"error_{name}"] = values.median().item()
            errors += [key | {"kind": name, "error": f"{e:.3f}"} for e in values.tolist()]
        made = {name: facts_of(path)[name] for name in ("device", "torch")}
        cells = {name: f"{value:.4g}" for name, value in found.items() if not math.isnan(value)}
        rows.append(key | cells | made)
        columns = {name: "" for row in rows for name in row}
        write_file(RESULTS / "latent.csv", to_csv([columns | row for row in rows]))
        write_file(RESULTS / "latent_errors.csv", to_csv(errors))
        (RESULTS / "latent").mkdir(exist_ok=True)
        name = f"{key['digits']}-{seed}.png"
        write_file(RESULTS / "latent" / name, picture(generator))
        print(key, cells, flush=True)


if __name__ == "__main__":
    main()
