"""What are D's features good for, and what does D judge?

A linear classifier learns from the features of each D, from pixels and others, with few labels and
with many; the seed also draws which digits have labels. Regularization and scale are chosen on a
fifth of the labels; the test digits serve once. features.csv has a row for each classifier,
probes.csv for each other number: a share of pairs, a mean logit, a rank correlation.

Digits are (N, 1, 28, 28) uint8; images are what D of `classroom` sees, (N, 1, 32, 32) in [-1, 1].
"""

import copy
import itertools
import string
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from scipy import stats
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torchvision.transforms.functional import pil_to_tensor

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import Images, fit_images, load_images, load_source, scale, unscale
from dcgan_utils.networks import Discriminator, initialize_weights
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import discriminator_step

from ..classify_from_samples import batches, train
from ..harness import Key, Result, Study
from ..training_variants import OwnStep

BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1]) / 16  # a blur of one pixel's deviation
GRID = 4  # each map is pooled to this many places a side, as in section 5 of the paper
DATA, PARTS = "mnist", ("without G", "with G")  # of the plan: see `execute`
COUNTS, FEW = (100, 1000, 10_000, 60_000), 1000  # labels
SCALINGS = ("each", "together")  # how features are scaled: see `linear_error`
STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C: the smaller, the more regularized
CHOOSING = 5000  # labels at most that choose scaling and C, a fifth to test with
FOLDED = 100  # labels up to which each fifth takes its turn
CENTERS, PATCH, PATCHES = 224, 6, 50_000  # of k-means: as many features as D's three layers have
RATES, BATCH = (0.001, 0.004), 32  # of the supervised network; the rate is chosen alike
SUPERVISED_STEPS = (300, 1000, 2000, 4000)
STEPS, EARLY = (100, 300, 1000, 2100, 4200), 300  # at which D is looked at; a G that is kept
ALONE = (300, 1000, 2000)  # steps of a D whose G stands still
SHOWN = 2000  # images of each kind that D is asked about
MODES = ("as stored", "settled", "in batches")  # in which D is asked: see `probes`

Cells = dict[str, Any]
Extract = Callable[[Tensor], Tensor]  # digits to features (N, d)
Split = tuple[Images, Images]  # digits to learn from, of which the first ones have labels; others
Task = tuple[Tensor, Tensor, Tensor, Tensor]  # features or digits, their labels; others, theirs


def images_for(digits: Tensor) -> Tensor:
    """Return digits as images."""
    return scale(fit_images(digits, 32, "pad"))


def untrained(seed: int) -> Discriminator:
    """Return a discriminator with random weights, as a run of `classroom` begins with."""
    network = Discriminator(32, 1, 32, first_bias=True)
    initialize_weights(network, torch.Generator().manual_seed(seed))
    return network


def with_statistics_of(network: Discriminator, batches: Iterable[Tensor]) -> Discriminator:
    """Return a copy in evaluation mode; its running statistics are the means over some batches."""
    network = copy.deepcopy(network)
    update_bn(batches, network)
    return network.eval()


@torch.no_grad()
def hidden_maps(network: Discriminator, images: Tensor) -> list[Tensor]:
    """Return each LeakyReLU's output: (N, 32, 16, 16), (N, 64, 8, 8) and (N, 128, 4, 4)."""
    found = []
    for layer in network.main[:-1]:
        images = torch.cat([layer(part) for part in images.split(500)])  # keeps memory low
        if isinstance(layer, nn.LeakyReLU):
            found.append(images)
    return found


def features(network: Discriminator, digits: Tensor) -> list[Tensor]:
    """Return each layer's maps, max-pooled to 4x4: (N, 512), (N, 1024) and (N, 2048).

    D is in evaluation mode. Radford, Metz, Chintala (2015), arXiv:1511.06434, section 5.
    """
    pooled = [
        [F.adaptive_max_pool2d(maps, GRID).flatten(1) for maps in hidden_maps(network, images)]
        for images in map(images_for, digits.split(500))
    ]
    return [torch.cat(parts) for parts in zip(*pooled)]


@torch.no_grad()
def logits_for(network: nn.Module, images: Tensor) -> Tensor:
    """Return what a network says of images, (N,); in training mode, of each full batch of 32."""
    size = 32 if network.training else 500
    parts = [part for part in images.split(size) if len(part) == size or not network.training]
    return torch.cat([network(part) for part in parts])


def share_above(some: Tensor, others: Tensor) -> float:
    """Return in which share of all pairs one of some has the higher logit, not one of others.

    Equal ones count half: the area under the ROC curve.
    """
    return float(roc_auc_score([1] * len(some) + [0] * len(others), torch.cat([some, others])))


def letters() -> Tensor:
    """Return 468 capital letters in a typeface that ships with Matplotlib, in places and sizes."""
    file = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    drawn = []
    for size, letter, place in itertools.product((18, 22), string.ascii_uppercase, range(9)):
        page, font = Image.new("L", (28, 28)), ImageFont.truetype(file, size)
        at = (13 + place % 3, 13 + place // 3)
        ImageDraw.Draw(page).text(at, letter, 255, font, anchor="mm")
        drawn.append(pil_to_tensor(page))
    return torch.stack(drawn)


def altered(digits: Tensor, random: torch.Generator) -> dict[str, Tensor]:
    """Return images that are no digits, or were, by name; made of digits or of nothing."""
    others = digits[torch.randperm(len(digits), generator=random)]
    soft = F.conv2d(digits.float(), BINOMIAL.outer(BINOMIAL)[None, None], padding=2)
    made = {
        "upside down": digits.flip(2, 3),
        "halves of two digits": torch.cat([digits[..., :14], others[..., 14:]], 3),
        "letters": letters(),
        "blurred": soft.round().to(torch.uint8),
        "noise": torch.randint(256, digits.shape, generator=random).to(torch.uint8),
    }
    images = {name: images_for(pixels) for name, pixels in made.items()}
    return images | {"inverted": -images_for(digits)}  # its frame as well


def train_alone(training: OwnStep, steps: int) -> None:
    """Train D against a G that stands still."""
    optimizer = training.optimizers["discriminator"]
    for _ in range(steps):
        with torch.no_grad():
            real, fake = training.forward()
        said = discriminator_step(training.discriminator, optimizer, real, fake)
        training.step += 1
        training.history.add(training.step, 0, said)
    training.history.flush()


def trained(seed: int) -> Iterator[tuple[str, int, OwnStep]]:
    """Yield a run at each of `STEPS`; then, at each of `ALONE`, the Ds whose G stands still."""
    config = preset("classroom", data=DATA, seed=seed)
    images = load_images(config)
    training = OwnStep(config, images)
    for step in STEPS:
        training.run(steps=step - training.step)
        yield "D", step, training
    alone = {"D, G stopped": training, "fresh D, untrained G": OwnStep(config, images)}
    alone["fresh D, final G"] = OwnStep(config, images, generator=training.generator)
    for name, run in alone.items():
        for before, after in itertools.pairwise((0, *ALONE)):
            train_alone(run, after - before)
            yield name, after, run


def patches_of(digits: Tensor) -> Tensor:
    """Return all patches of digits at 32x32, each with mean 0: (N, 27 * 27, 36)."""
    patches = F.unfold(images_for(digits), PATCH).transpose(1, 2)
    return patches - patches.mean(2, keepdim=True)


def k_means(known: Tensor, random: torch.Generator) -> Extract:
    """Return how much nearer than usual whitened patches are to centers, max-pooled as D's maps.

    Coates, Lee, Ng (2011), An analysis of single-layer networks in unsupervised feature learning,
    which pools by sums.
    """
    few = patches_of(known[torch.randperm(len(known), generator=random)[:1000]]).flatten(0, 1)
    few = few[few.std(1) > 0.1]  # most patches of a digit are plain black
    few = few[torch.randperm(len(few), generator=random)[:PATCHES]]
    values, directions = torch.linalg.eigh(few.T @ few / len(few))
    whiten = directions / (values.clamp(min=0) + 0.1).sqrt()  # (36, 36)
    seed = int(torch.randint(2**31, (1,), generator=random))
    found = MiniBatchKMeans(CENTERS, n_init=3, random_state=seed).fit((few @ whiten).numpy())
    centers = torch.from_numpy(found.cluster_centers_).float()

    def pooled(digits: Tensor) -> Tensor:
        away = torch.cdist(patches_of(digits) @ whiten, centers)  # (B, 729, CENTERS)
        nearer = (away.mean(2, keepdim=True) - away).clamp(min=0)
        maps = nearer.transpose(1, 2).unflatten(2, (27, 27))
        return F.adaptive_max_pool2d(maps, GRID).flatten(1)

    return lambda digits: torch.cat([pooled(part) for part in digits.split(100)])


def features_of(network: Discriminator, known: Tensor) -> Extract:
    """Return what makes a D's features, with the statistics of some digits."""
    ready = with_statistics_of(network, images_for(known[-2000:]).split(100))
    return lambda digits: torch.cat(features(ready, digits), 1)


def linear_error(task: Task, scaling: str, strength: float) -> float:
    """Return how often logistic regression, fitted to known features, is wrong about others.

    "each" divides each feature by its own deviation, to which a hundredth of the largest is added,
    so that one that hardly varies is not blown up; "together" divides all by one number.
    """
    known, labels, new, truth = task
    mean, deviation = known.mean(0), known.std(0)
    if scaling == "each":
        deviation = deviation + 0.01 * deviation.max()
    else:
        deviation = deviation.square().mean().sqrt()
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    with warnings.catch_warnings(action="ignore"):  # a fit that is not quite done counts as it is
        model.fit(((known - mean) / deviation).numpy(), labels.numpy())
    answers = model.predict(((new - mean) / deviation).numpy())
    return float((answers != truth.numpy()).mean())


def choose(features: Tensor, labels: Tensor) -> tuple[str, float]:
    """Return the scaling and the C with the least error on every fifth label.

    With few labels each fifth takes its turn, as twenty digits say little.
    """
    tasks = []
    for turn in range(5 if len(labels) <= FOLDED else 1):
        tried = torch.arange(len(labels)) % 5 == turn
        tasks.append((features[~tried], labels[~tried], features[tried], labels[tried]))
    choices = itertools.product(SCALINGS, STRENGTHS)  # the first wins, if several are equal
    return min(choices, key=lambda choice: sum(linear_error(task, *choice) for task in tasks))


def supervised_error(task: Task, seed: int, steps: int, rate: float) -> float:
    """Return how often D with ten outputs, trained with labels, is wrong about other digits."""
    known, labels, new, truth = task
    network, random = untrained(seed), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.main[-1] = nn.Conv2d(128, 10, 4)
    model, images = nn.Sequential(network.main, nn.Flatten()), images_for(known)
    chosen = batches(len(images), BATCH, random)
    train(model, ((images[k], labels[k]) for k in chosen), steps, rate)
    return (logits_for(model, images_for(new)).argmax(1) != truth).double().mean().item()


def linear_rows(extract: Extract, split: Split, counts: Sequence[int]) -> Iterator[Cells]:
    """Yield a row for each number of labels."""
    learned, test = split
    all_known, new = extract(learned.pixels[: max(counts)]), extract(test.pixels)
    for count in counts:
        known, labels = all_known[:count], learned.labels[:count]
        task = known, labels, new, test.labels
        choice = choose(known[:CHOOSING], labels[:CHOOSING])
        yield {"labels": count, "error": linear_error(task, *choice)}


def supervised_rows(split: Split, seed: int) -> Iterator[Cells]:
    """Yield the rows of D's architecture trained with labels."""
    learned, test = split
    for count, steps in zip(COUNTS, SUPERVISED_STEPS):
        pixels, labels, four = learned.pixels[:count], learned.labels[:count], 4 * count // 5
        if count < max(COUNTS):  # else the rate stays
            parts = pixels[:four], labels[:four], pixels[four:], labels[four:]
            wrong = {r: supervised_error(parts, seed, steps, r) for r in RATES}
            rate = min(RATES, key=wrong.__getitem__)
        task = pixels, labels, test.pixels, test.labels
        yield {"labels": count, "error": supervised_error(task, seed, steps, rate)}


def probes(
    network: Discriminator, generators: Mapping[str, nn.Module], split: Split, seed: int
) -> Iterator[Cells]:
    """Yield the rows of probes.csv.

    D is asked in three modes: in evaluation mode "as stored", with the statistics that training
    left, and "settled", with those of half real, half generated images; and "in batches" of one
    kind, as in training. Of each kind: in which share of the pairs it is above a held-out digit.
    """
    held_out, learned = split[1].pixels[:SHOWN], split[0].pixels[:SHOWN]
    kinds = {"held-out digits": images_for(held_out), "training digits": images_for(learned)}
    for name, generator in generators.items():
        kinds[name] = scale(sample_new(generator, SHOWN, "normal", seed=1))
    kinds |= altered(held_out, torch.Generator().manual_seed(seed))
    fake = scale(sample_new(generators["G at the end"], 2 * SHOWN, "normal", seed=2))
    pairs = zip(images_for(split[0].pixels[-SHOWN:]).split(50), fake[:SHOWN].split(50))
    settled = with_statistics_of(network, itertools.chain.from_iterable(pairs))
    networks = (copy.deepcopy(network).eval(), settled, copy.deepcopy(network).train())
    for mode, asked in zip(MODES, networks):
        usual = logits_for(asked, kinds["held-out digits"])
        yield {"measure": "mean logit", "at": mode, "value": usual.mean().item()}
        for kind, images in kinds.items():
            above = share_above(logits_for(asked, images), usual)
            yield {"measure": mode, "at": kind, "value": above}
    sure = judging.classify(judging.to_judged_size(unscale(fake), "pad")).probabilities.max(1)
    agree = stats.spearmanr(logits_for(settled, fake), sure).statistic
    yield {"measure": "rank correlation", "at": "logit, top probability", "value": float(agree)}


def execute(key: Key) -> Result:
    """Measure what needs no G, or a seed's run and all its Ds; on the CPU."""
    seed = int(key["seed"])
    learned, test = load_source(DATA).split()
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(learned), generator=random)
    learned = replace(learned, pixels=learned.pixels[order], labels=learned.labels[order])
    split = learned, test
    if key["part"] == "without G":
        found = {
            "pixels": linear_rows(lambda digits: digits.flatten(1) / 255, split, COUNTS),
            "k-means": linear_rows(k_means(learned.pixels, random), split, COUNTS),
            "supervised CNN": supervised_rows(split, seed),
            "untrained D": linear_rows(features_of(untrained(seed), learned.pixels), split, COUNTS),
        }
        rows = [{"features": name, **row} for name, part in found.items() for row in part]
        return Result({"features": rows})
    rows, probed, generators = [], list[Cells](), dict[str, nn.Module]()
    for name, step, training in trained(seed):
        network: Any = copy.deepcopy(training.discriminator).cpu()
        cells: Cells = {"features": name, "step": step}
        for cell, metric in {"d_real": "d_real", "d_fake": "d_fake_before"}.items():
            cells[cell] = training.history[metric][-100:].mean().item()
        last = (name, step) == ("D", STEPS[-1])
        extract, counts = features_of(network, learned.pixels), COUNTS if last else (FEW,)
        rows += [cells | row for row in linear_rows(extract, split, counts)]
        if (name, step) == ("D", EARLY):
            generators[f"G after {step} steps"] = copy.deepcopy(training.generator)
        if last:
            generators |= {"G at the end": training.generator, "G's average": training.sampler}
            probed = [*probes(network, generators, split, seed)]
    return Result({"features": rows, "probes": probed})


PLAN = [{"part": part, "seed": str(seed)} for part in PARTS for seed in range(3)]
STUDY = Study("11", PLAN, execute, dict, minutes=10, files=("features", "probes"))
