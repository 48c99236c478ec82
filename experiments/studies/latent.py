"""What do norms, directions, sums and searches in latent space find?

Nine generators of `classroom`, three of each kind: as it is (seed 0 ships with the package), its
first 1,500 steps, and these on 500 digits. Later D knows the 500 by heart, and G falls apart.

Latent vectors are (N, latent_size); images are (N, 1, 28, 28) uint8, bright ink on black.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import load_source, scale
from dcgan_utils.sampling import draw_latents, sample
from dcgan_utils.training import Training
from dcgan_utils.weights import network_from_weights, trained_generator

from ..failure_cases import fewer
from ..harness import Key, Result, Study
from ..measures import judged

SURE = 0.9  # the probability from which on a digit counts as read
LEANING, UPRIGHT = 0.35, 0.1  # the slant of a leaning digit at least, of an upright one at most
JUDGED, SCALES = 3000, (0.5, 0.71, 1.0, 2.0, 4.0)
POOL, COUNTS, TRIALS = 20_000, (1, 3, 10), 200  # COUNTS: how many latent vectors are averaged
DIRECTIONS, SEEN_FROM = 12, 100  # so many directions, the strongest ones over so many z
SEARCHED = 200  # digits of each kind whose latent vectors are looked for


def draw(generator: nn.Module, latents: Tensor) -> Tensor:
    """Return the images of latent vectors."""
    return judging.to_judged_size(sample(generator, latents), "pad")


def slant(pixels: Tensor) -> Tensor:
    """Return how far digits (N,) lean to the right, in pixels a pixel of height; 0 is upright.

    The covariance of x and height by the variance of height, with the ink as the weight: the slope
    by which a shear would make the digit upright. NaN without ink.
    """
    ink = pixels[:, 0].double()  # (N, S, S)
    x = torch.arange(ink.shape[-1], dtype=torch.float64)
    height = -x[:, None]  # rows count downwards
    share = ink / ink.sum((1, 2), keepdim=True)
    across, up = (place - (share * place).sum((1, 2), keepdim=True) for place in (x, height))
    return (ink * across * up).sum((1, 2)) / (ink * up**2).sum((1, 2))


@dataclass(frozen=True)
class Pool:
    """Latent vectors whose digits the classifier is sure of, and what is measured in the images."""

    latents: Tensor  # (N, latent_size)
    digits: Tensor  # (N,) int64
    slants: Tensor  # (N,) float64


def new_pool(generator: nn.Module, latents: Tensor) -> Pool:
    """Draw latent vectors, and keep those that the classifier is sure of."""
    pixels = draw(generator, latents)
    top, digits = torch.from_numpy(judging.classify(pixels).probabilities).max(1)
    sure = top >= SURE
    return Pool(latents[sure], digits[sure], slant(pixels[sure]))


def terms(pool: Pool, count: int, random: torch.Generator) -> tuple[list[Tensor], int]:
    """Pick the latent vectors of a sum, three times (count, latent_size), and the digit to expect.

    Leaning ones of one digit, upright ones of it, upright ones of another: a - b + c should be that
    other digit, leaning.
    """

    def pick(among: Tensor, digit: int) -> Tensor:
        places = (among & (pool.digits == digit)).nonzero()[:, 0]
        return pool.latents[places[torch.randperm(len(places), generator=random)[:count]]]

    leaning, upright = pool.slants >= LEANING, pool.slants.abs() <= UPRIGHT
    while True:  # until there are enough samples of both digits
        one, other = torch.randperm(10, generator=random)[:2].tolist()
        found = [pick(leaning, one), pick(upright, one), pick(upright, other)]
        if all(len(part) == count for part in found):
            return found, other


def sums(pool: Pool, count: int, trials: int) -> tuple[dict[str, Tensor], Tensor]:
    """Return latent vectors (trials, latent_size) by how they were made, and the digits to expect.

    "sum" is a - b + c, of averages of `count`. "single" and "random" are c and a step as long as
    a - b, in the direction of a single difference, or in any.
    """
    random, points, digits = torch.Generator().manual_seed(0), [], []
    for _ in range(trials):
        (a, b, c), digit = terms(pool, count, random)  # (count, latent_size) each
        step, noise = a.mean(0) - b.mean(0), torch.randn(a.shape[1], generator=random)
        ways = normalize(torch.stack([step, a[0] - b[0], noise]))  # (3, latent_size)
        points.append(c.mean(0) + step.norm() * ways)
        digits.append(digit)
    return dict(zip(("sum", "single", "random"), torch.stack(points, 1))), torch.tensor(digits)


def successes(generator: nn.Module, z: Tensor, digits: Tensor) -> tuple[float, float]:
    """Return how many images are the digit asked for, and how many lean as well, as shares."""
    pixels = draw(generator, z)
    right = torch.from_numpy(judging.classify(pixels).probabilities.argmax(1)) == digits
    both = right & (slant(pixels) >= LEANING)
    return right.double().mean().item(), both.double().mean().item()


def find_latents(
    generator: nn.Module, images: Tensor, candidates: Tensor, steps: int = 150, prior: float = 0.02
) -> tuple[Tensor, Tensor]:
    """Return latent vectors for given images, and how far off (N,) each image is.

    Adam on z alone, from the candidate that is drawn most like the image, minimizes the squared
    Euclidean distance, with gray levels from 0 to 1, plus `prior` times the squared norm of z: a
    minimum nearby, not always the best. Images are (N, C, S, S) uint8, of the generator's size.
    """
    device = next(generator.parameters()).device
    drawn = sample(generator, candidates).flatten(1).float()  # (M, pixels)
    nearest = torch.cdist(images.flatten(1).float(), drawn).argmin(1)  # (N,)
    z, wanted = candidates[nearest].to(device).requires_grad_(), scale(images).to(device)
    optimizer = torch.optim.Adam([z], lr=0.1)

    def squared() -> Tensor:  # (N,); gray levels 0 to 1 are half as far apart as -1 to 1
        return (generator(z) - wanted).square().sum((1, 2, 3)) / 4

    for _ in range(steps):
        (z.grad,) = torch.autograd.grad((squared() + prior * z.square().sum(1)).sum(), z)
        optimizer.step()
    return z.detach().cpu(), squared().detach().sqrt().cpu()


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
    """Return what the strongest directions hold: the slant, the digit of a mean."""
    nudges, squares = 0.01 * torch.eye(100), torch.zeros(100, 100)
    for z in pool.latents[:SEEN_FROM]:
        changes = (generator(z + nudges) - generator(z - nudges)).flatten(1)  # (100, pixels)
        squares += changes @ changes.T
    strong = torch.linalg.eigh(squares).eigenvectors[:, -DIRECTIONS:]  # (100, DIRECTIONS)
    along = torch.corrcoef(torch.cat([(pool.latents @ strong).T, pool.slants[None]]))[-1, :-1]
    found = {"slant_along": along.abs().max().item()}
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
    return Result({"latent": [found]})


KINDS = (("60000", "4200"), ("60000", "1500"), ("500", "1500"))  # digits and steps
PLAN = [{"digits": d, "steps": s, "seed": str(seed)} for d, s in KINDS for seed in range(3)]
STUDY = Study("09", PLAN, execute, dict, minutes=2, files=("latent",))
