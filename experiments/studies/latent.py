"""What walks, sums and searches in latent space find.

Three generators of the preset `classroom`, of which seed 0 is the one that ships with the package,
and three of its first 1,500 steps on 500 digits alone. `latent_errors.csv` has how far each of 200
digits is from what each of them can draw, and the folder `latent` four walks of each.
"""

import itertools
from dataclasses import replace

import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import explained_variance_score
from torch import Tensor, nn
from torch.nn.functional import normalize

from dcgan_utils import judging, plots
from dcgan_utils.config import preset
from dcgan_utils.data import load_source
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import Training
from dcgan_utils.weights import network_from_weights, trained_generator

from .. import store
from ..failure_cases import fewer
from ..harness import Key, Result, Study
from ..latent_paths import find_latents, great_circle, straight_line
from ..latent_sums import KINDS, draw, new_pool, successes, sums
from ..measures import as_cells, judged

FEW_STEPS = 1500  # on few digits: later D knows them by heart, and G falls apart
JUDGED, SCALES = 3000, (0.5, 1.0, 2.0)
WALKS, STEPS = 100, 32  # how many walks, in how many steps
SEARCHED = 200  # digits of each kind whose latent vectors are looked for
POOL, COUNTS = 6000, (1, 3, 10)  # latent vectors to choose from, and how many make an average


def normal(count: int, seed: int) -> Tensor:
    """Return latent vectors (count, 100)."""
    return draw_latents(count, 100, "normal", torch.Generator().manual_seed(seed))


def walks(generator: nn.Module, count: int, steps: int, seed: int) -> Tensor:
    """Return images (steps + 1, count, 1, 28, 28) uint8 along great circles."""
    start, end = normal(2 * count, seed).chunk(2)
    latents = great_circle(start, end, torch.linspace(0, 1, steps + 1))
    return draw(generator, latents.flatten(0, 1)).unflatten(0, (steps + 1, count))


def largest_step(features: np.ndarray) -> float:
    """Return which share of its whole change a walk makes in its largest step.

    The mean of walks, given as features (T, N, F); one that never changes is left out.
    """
    steps = np.linalg.norm(np.diff(features, axis=0), axis=2)  # (T - 1, N)
    moving = steps.sum(0) > 0  # (N,)
    return float((steps.max(0)[moving] / steps.sum(0)[moving]).mean())


def explained(latents: Tensor, values: Tensor) -> float:
    """Return which part of the variance of values (N,) is linear in z, tested on a fifth."""
    z, n = latents.double().numpy(), len(values) * 4 // 5
    fitted = LinearRegression().fit(z[:n], values[:n].numpy())
    return float(explained_variance_score(values[n:].numpy(), fitted.predict(z[n:])))


def measured(generator: nn.Module, known: Tensor, held_out: Tensor) -> dict[str, float]:
    """Return all that is measured but the search.

    Digits are (N, 1, 32, 32) uint8: those that the generator learned from, and others.
    """
    ends, middle = normal(2 * JUDGED, 1).chunk(2), torch.tensor([0.5])
    points = {f"scaled_{scale:.2f}": scale * ends[0] for scale in SCALES}
    points["line"] = straight_line(ends[0], ends[1], middle)[0]
    points["circle"] = great_circle(ends[0], ends[1], middle)[0]
    found = {name: judged(draw(generator, z))["distance"] for name, z in points.items()}
    seen = judging.classify(walks(generator, WALKS, STEPS, 0).flatten(0, 1))
    found["largest_step"] = largest_step(seen.features.reshape(STEPS + 1, WALKS, -1))
    found["sure_on_the_way"] = seen.probabilities.max(1)[WALKS:-WALKS].mean()

    pool = new_pool(generator, normal(POOL, 3))
    count = min(len(known), len(held_out))  # more digits are nearer to anything
    for name, digits in (("training", known[:count]), ("held_out", held_out[:count])):
        cropped = judging.to_judged_size(digits, "pad")
        found[f"to_{name}"] = judging.nearest_distances(pool.pixels[:500], cropped).mean()
    for name in ("leaning", "thick"):
        there = ~pool.values[name].isnan()
        found[f"linear_{name}"] = explained(pool.latents[there], pool.values[name][there])
    kinds = KINDS.values() if len(known) > 1000 else ()  # a few digits do not come in all kinds
    for kind, count in itertools.product(kinds, COUNTS):
        latents, wanted = sums(pool, kind, count)
        latents["rescaled"] = 10 * normalize(latents["sum"])  # about as long as any z
        for name, z in latents.items():
            share = successes(generator, z, wanted, kind)["both"]
            found[f"{kind.name}_{name}_{count}"] = share
    return found


def execute(key: Key) -> Result:
    """Train a generator, unless it is the one that comes with the package, and measure it."""
    images, held_out = load_source("mnist").fitted(32, "pad").split()
    config = preset("classroom", data="mnist", seed=int(key["seed"]))
    if key["digits"] != "all":
        images, config = fewer(images, int(key["digits"])), replace(config, steps=FEW_STEPS)
    if key == {"digits": "all", "seed": "0"}:
        generator: nn.Module = trained_generator()
    else:
        training = Training(config, images)
        training.run()
        generator = network_from_weights(training.sampler.half().state_dict()).eval()
    found = measured(generator, images.pixels, held_out.pixels)
    random, each = torch.Generator().manual_seed(2), []
    candidates = draw_latents(2000, 100, "normal", random)
    for kind, pixels in (("training", images.pixels), ("held-out", held_out.pixels)):
        chosen = pixels[torch.randperm(len(pixels), generator=random)[:SEARCHED]]
        errors = find_latents(generator, chosen, candidates)[1]
        found[f"error_{kind}"] = errors.median().item()
        each += [{"kind": kind, "error": f"{error:.3f}"} for error in errors]
    picture = plots.mosaic_png(walks(generator, 4, 11, 4).transpose(0, 1).flatten(0, 1), columns=12)
    files = {f"latent/{key['digits']}-{key['seed']}.png": picture}
    return Result({"latent": [as_cells(found)], "latent_errors": each}, files)


COLUMNS = {  # of the table, which are rows there
    "distance at half the norm of z": ["scaled_0.50"],
    "distance at the norm of training": ["scaled_1.00"],
    "distance at twice the norm": ["scaled_2.00"],
    "distance halfway, line": ["line"],
    "distance halfway, great circle": ["circle"],
    "largest of 32 steps": ["largest_step"],
    "top probability on the way": ["sure_on_the_way"],
    "slant, thickness: linear in z": ["linear_leaning", "linear_thick"],
    **{
        f"{kind}: sums of 1, 3, 10 ({words})": [f"{kind}_{name}_{count}" for count in COUNTS]
        for kind in KINDS
        for name, words in (("sum", "as they are"), ("rescaled", "norm 10"), ("control", "control"))
    },
    "nearest training digit, nearest held-out": ["to_training", "to_held_out"],
    "search: training digits, held-out": ["error_training", "error_held-out"],
}


def lines(rows: list[store.Row]) -> list[list[str]]:
    """Return the generators side by side."""
    digits = [row["digits"].replace("all", "60,000") for row in rows]
    table = [["", *(f"{count} digits, seed {row['seed']}" for count, row in zip(digits, rows))]]
    for title, columns in COLUMNS.items():
        found = [[value for c in columns for value in store.numbers([row], c)] for row in rows]
        table.append([title, *(", ".join(f"{v:.3g}" for v in cell) or "-" for cell in found)])
    return table


STUDY = Study(
    "latent",
    "What do walks, sums and searches in latent space find?",
    "09",
    [{"digits": digits, "seed": str(seed)} for digits in ("all", "500") for seed in range(3)],
    execute,
    lambda: {"latent": store.table(store.read("latent"), lines)},
    minutes=4,
    files=("latent", "latent_errors"),
)
