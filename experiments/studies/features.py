"""What D's features are good for, and what it says of which images.

A linear classifier learns from the features of each D, from pixels and others, with few labels and
with many; the seed also draws which digits have labels. Regularization and scale are chosen on a
fifth of the labels; the test digits serve once. features.csv has a row for each classifier,
probes.csv for each other number: a share of pairs, a mean logit, a rank correlation.
"""

import copy
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from scipy import stats
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import Images, load_images, load_source, scale, unscale
from dcgan_utils.networks import Discriminator
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import discriminator_step

from .. import discriminator_features as analysis
from .. import store
from ..classify_from_samples import batches, train
from ..discriminator_features import images_for, logits_for
from ..harness import Key, Result, Study
from ..training_variants import OwnStep

DATA, PARTS = "mnist", ("without G", "with G", "final G")  # of the plan: see `execute`
COUNTS, FEW = (100, 1000, 10_000, 60_000), 1000  # labels
SCALINGS = ("each", "together")  # how features are scaled: see `to_unit_scale`
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


def trained(seed: int, part: str) -> Iterator[tuple[str, int, OwnStep]]:
    """Yield a run at each of `STEPS`; then, at each of `ALONE`, the Ds whose G stands still."""
    config = preset("classroom", data=DATA, seed=seed)
    images = load_images(config)
    training = OwnStep(config, images)
    for step in STEPS:
        training.run(steps=step - training.step)
        yield "D", step, training
    alone = {"fresh D, final G": OwnStep(config, images, generator=training.generator)}
    if part != "final G":
        alone = {"D, G stopped": training, "fresh D, untrained G": OwnStep(config, images)}
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
        return F.adaptive_max_pool2d(maps, analysis.GRID).flatten(1)

    return lambda digits: torch.cat([pooled(part) for part in digits.split(100)])


def to_unit_scale(scaling: str, known: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """Return features (N, d) and (M, d) less the mean of the known ones, by their deviation.

    "each" divides each feature by its own, to which a hundredth of the largest is added, so that
    one that hardly varies is not blown up; "together" divides all by one number.
    """
    mean, deviation = known.mean(0), known.std(0)
    if scaling == "each":
        deviation = deviation + 0.01 * deviation.max()
    else:
        deviation = deviation.square().mean().sqrt()
    return (known - mean) / deviation, (new - mean) / deviation


def linear_error(task: Task, scaling: str, strength: float) -> float:
    """Return how often logistic regression, fitted to known features, is wrong about others."""
    known, labels, new, truth = task
    known, new = to_unit_scale(scaling, known, new)
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    with warnings.catch_warnings(action="ignore"):  # a fit that is not quite done counts as it is
        model.fit(known.numpy(), labels.numpy())
    return float((model.predict(new.numpy()) != truth.numpy()).mean())


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
    network, random = analysis.untrained(seed), torch.Generator().manual_seed(seed)
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
        choice = choose(known[:CHOOSING], labels[:CHOOSING])
        error = linear_error((known, labels, new, test.labels), *choice)
        yield {"labels": count, "error": f"{error:.4f}"}


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
        error = supervised_error(task, seed, steps, rate)
        yield {"labels": count, "error": f"{error:.4f}"}


def network_rows(network: Discriminator, split: Split, counts: Sequence[int]) -> Iterator[Cells]:
    """Yield the rows of a D's features."""
    ready = analysis.with_statistics_of(network, images_for(split[0].pixels[-2000:]).split(100))
    yield from linear_rows(lambda some: torch.cat(analysis.features(ready, some), 1), split, counts)


def probes(
    network: Discriminator, generators: Mapping[str, nn.Module], split: Split, seed: int
) -> Iterator[tuple[str, str, float]]:
    """Yield what is measured, of what, and the number.

    D is asked in three modes: in evaluation mode "as stored", with the statistics that training
    left, and "settled", with those of half real, half generated images; and "in batches" of one
    kind, as in training. Of each kind: in which share of the pairs it is above a held-out digit.
    """
    held_out, learned = split[1].pixels[:SHOWN], split[0].pixels[:SHOWN]
    kinds = {"held-out digits": images_for(held_out), "training digits": images_for(learned)}
    for name, generator in generators.items():
        kinds[name] = scale(sample_new(generator, SHOWN, "normal", seed=1))
    kinds |= analysis.altered(held_out, torch.Generator().manual_seed(seed))
    fake = scale(sample_new(generators["G at the end"], 2 * SHOWN, "normal", seed=2))
    pairs = zip(images_for(split[0].pixels[-SHOWN:]).split(50), fake[:SHOWN].split(50))
    halves = itertools.chain.from_iterable(pairs)
    settled = analysis.with_statistics_of(network, halves)
    networks = (copy.deepcopy(network).eval(), settled, copy.deepcopy(network).train())
    for mode, asked in zip(MODES, networks):
        usual = logits_for(asked, kinds["held-out digits"])
        yield "mean logit", mode, usual.mean().item()
        for kind, images in kinds.items():
            yield mode, kind, analysis.share_above(logits_for(asked, images), usual)
    sure = judging.classify(judging.to_judged_size(unscale(fake), "pad")).probabilities.max(1)
    agree = stats.spearmanr(logits_for(settled, fake), sure).statistic
    yield "rank correlation", "logit, top probability", agree


def execute(key: Key) -> Result:
    """Measure what needs no G, or a seed's run and Ds, or a D beside its final G; on the CPU."""
    seed = int(key["seed"])
    learned, test = load_source(DATA).split()
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(learned), generator=random)
    split = replace(learned, pixels=learned.pixels[order], labels=learned.labels[order]), test
    rows, numbers, generators = list[Cells](), list[tuple](), dict[str, nn.Module]()

    def add(name: str, found: Iterable[Cells], **cells: object) -> None:
        rows.extend({"features": name} | cells | row for row in found)

    if key["part"] == "without G":
        add("pixels", linear_rows(lambda digits: digits.flatten(1) / 255, split, COUNTS))
        add("k-means", linear_rows(k_means(split[0].pixels, random), split, COUNTS))
        add("supervised CNN", supervised_rows(split, seed))
        add("untrained D", network_rows(analysis.untrained(seed), split, COUNTS), step=0)
        return Result({"features": rows})
    for name, step, training in trained(seed, key["part"]):
        if (name, key["part"]) == ("D", "final G"):
            continue  # on the way to that G; measured with the others
        network: Any = copy.deepcopy(training.discriminator).cpu()
        recent = {"d_real": training.history["d_real"], "d_fake": training.history["d_fake_before"]}
        said = {cell: f"{values[-100:].mean():.4f}" for cell, values in recent.items()}
        last = (name, step) == ("D", STEPS[-1])
        add(name, network_rows(network, split, COUNTS if last else (FEW,)), step=step, **said)
        if (name, step) == ("D", EARLY):
            generators[f"G after {step} steps"] = copy.deepcopy(training.generator)
        if last:
            generators |= {"G at the end": training.generator, "G's average": training.sampler}
            numbers = [*probes(network, generators, split, seed)]
    probed = [{"measure": what, "at": at, "value": f"{value:.4f}"} for what, at, value in numbers]
    return Result({"features": rows, "probes": probed})


def pivot(rows: Sequence[store.Row], down: str, across: str, value: str) -> list[list[str]]:
    """Return lines of cells: over the seeds, a column's mean and extremes for each two names."""
    names = [*dict.fromkeys(row[across] for row in rows)]
    lines = [[down, *names]]
    for name in dict.fromkeys(row[down] for row in rows):
        own = store.select(rows, **{down: name})
        found = (store.numbers(store.select(own, **{across: other}), value) for other in names)
        lines.append([name, *map(store.spread, found)])
    return lines


def tables() -> dict[str, str]:
    """Return the tables of RESULTS.md by name: errors, and shares of pairs."""
    rows, probed = store.read("features"), store.read("probes")
    whens = ("", "0", str(STEPS[-1]))
    whole = [row for row in rows if "G" not in row["features"] and row["step"] in whens]
    few = [row for row in rows if row["labels"] == str(FEW) and row["step"]]
    said = [row for row in probed if row["measure"] in MODES]
    return {
        "features": store.table(whole, lambda own: pivot(own, "features", "labels", "error")),
        "features_course": store.table(few, lambda own: pivot(own, "features", "step", "error")),
        "verdicts": store.table(said, lambda own: pivot(own, "at", "measure", "value")),
    }


STUDY = Study(
    name="features",
    question="What are D's features good for, and what does D judge?",
    notebook="11",
    plan=[{"part": part, "seed": str(seed)} for part in PARTS for seed in range(3)],
    execute=execute,
    tables=tables,
    minutes=10,
    files=("features", "probes"),
)
