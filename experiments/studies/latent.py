"""What norms, directions, sums and searches in latent space find.

Nine generators of `classroom`, three of each kind: as it is (seed 0 ships with the package), its
first 1,500 steps, and these on 500 digits. Later D knows the 500 by heart, and G falls apart.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import load_source
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import Training
from dcgan_utils.weights import network_from_weights, trained_generator

from .. import store
from ..failure_cases import fewer
from ..harness import Key, Result, Study
from ..latent_space import Pool, draw, find_latents, new_pool, successes, sums
from ..measures import as_cells, judged

JUDGED, SCALES = 3000, (0.5, 0.71, 1.0, 2.0, 4.0)
POOL, COUNTS, TRIALS = 20_000, (1, 3, 10), 200  # COUNTS: how many latent vectors are averaged
DIRECTIONS, SEEN_FROM = 12, 100  # so many directions, the strongest ones over so many z
SEARCHED = 200  # digits of each kind whose latent vectors are looked for


def normal(count: int, seed: int) -> Tensor:
    """Return latent vectors (count, 100)."""
    return draw_latents(count, 100, "normal", torch.Generator().manual_seed(seed))


def at_norms(generator: nn.Module) -> dict[str, float]:
    """Return the judge's metrics of z of several lengths, and how many digits stay the same."""
    found, z = dict[str, float](), normal(JUDGED, 1)
    digits = torch.from_numpy(judging.classify(draw(generator, z)).probabilities.argmax(1))
    for factor in SCALES:
        metrics = judged(draw(generator, factor * z))
        found |= {f"{k}_{factor}": metrics[k] for k in ("distance", "precision", "recall")}
        found[f"same_{factor}"] = successes(generator, factor * z, digits)[0]
    return found


def directions(generator: nn.Module, pool: Pool) -> dict[str, float]:
    """Return what the strongest directions hold: the changes, the slant, the digit of a mean."""
    nudges, squares, needed = 0.01 * torch.eye(100), torch.zeros(100, 100), []
    for z in pool.latents[:SEEN_FROM]:
        changes = (generator(z + nudges) - generator(z - nudges)).flatten(1)  # (100, pixels)
        squares += changes @ changes.T
        strengths = torch.linalg.svdvals(changes).square()
        needed.append(int((strengths.cumsum(0) < 0.9 * strengths.sum()).sum()) + 1)
    strong = torch.linalg.eigh(squares).eigenvectors[:, -DIRECTIONS:]  # (100, DIRECTIONS)
    along = torch.corrcoef(torch.cat([(pool.latents @ strong).T, pool.slants[None]]))[-1, :-1]
    found = {"needed": float(np.median(needed)), "slant_along": along.abs().max().item()}
    wanted = torch.arange(TRIALS) % 10
    of_digit = [pool.latents[pool.digits == digit] for digit in range(10)]
    means = torch.stack([of_digit[k % 10][k : k + 10].mean(0) for k in range(TRIALS)])
    inside = means @ strong @ strong.T
    for name, z in {"whole": means, "inside": inside, "outside": means - inside}.items():
        found[f"mean_{name}"] = successes(generator, z, wanted)[0]
    return found


def searched(generator: nn.Module, known: Tensor, unseen: Tensor) -> dict[str, float]:
    """Return median errors on digits (N, 1, 32, 32) uint8, and their ratio, bootstrap 95% of it."""
    random, count = torch.Generator().manual_seed(0), SEARCHED
    chosen = [part[torch.randperm(len(part), generator=random)[:count]] for part in (known, unseen)]
    errors = find_latents(generator, torch.cat(chosen), normal(2000, 2))[1].view(2, count)
    again = torch.randint(count, (2, 1000, count), generator=random)
    medians = [each[places].quantile(0.5, 1) for each, places in zip(errors, again)]
    low, high = (medians[1] / medians[0]).quantile(torch.tensor([0.025, 0.975])).tolist()
    a, b = errors.quantile(0.5, 1).tolist()
    return {"known": a, "unseen": b, "ratio": b / a, "ratio_low": low, "ratio_high": high}


def execute(key: Key) -> Result:
    """Train a generator, unless it is the one that comes with the package, and measure it."""
    images, held_out = load_source("mnist").fitted(32, "pad").split()
    config = preset("classroom", data="mnist", seed=int(key["seed"]))
    images, whole = fewer(images, int(key["digits"])), key["steps"] == str(config.steps)
    if whole and config.seed == 0:
        generator: nn.Module = trained_generator()
    else:
        training = Training(replace(config, steps=int(key["steps"])), images)
        training.run()
        generator = network_from_weights(training.sampler.half().state_dict()).eval()
    found = at_norms(generator) | searched(generator, images.pixels, held_out.pixels)
    if whole:
        pool = new_pool(generator, normal(POOL, 3))
        found |= directions(generator, pool)
        for count in COUNTS:
            made, digits = sums(pool, count, TRIALS)
            made["rescaled"] = 10 * normalize(made["sum"])  # as long as any z
            for how, z in made.items():
                name = f"{how}_{count}"
                found[f"{name}_digit"], found[name] = successes(generator, z, digits)
    return Result({"latent": [as_cells(found)]})


SHOWN = (
    *("digits", "steps", "seed", "distance_0.71", "distance_1.0", "distance_2.0", "same_0.71"),
    *("same_2.0", "sum_1", "sum_3", "sum_10", "single_10", "known", "unseen", "ratio"),
)


def cells(rows: list[store.Row]) -> list[list[str]]:
    """Return a line for each generator under a header."""
    return [[*SHOWN], *([row[column] or "-" for column in SHOWN] for row in rows)]


STUDY = Study(
    "latent",
    "What do norms, directions, sums and searches in latent space find?",
    "09",
    [
        {"digits": digits, "steps": steps, "seed": str(seed)}
        for digits, steps in (("60000", "4200"), ("60000", "1500"), ("500", "1500"))
        for seed in range(3)
    ],
    execute,
    lambda: {"latent": store.table(store.read("latent"), cells)},
    minutes=2,
    files=("latent",),
)
