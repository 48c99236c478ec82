"""What D's features are good for, and what D looks at.

Trains `classroom`, and D alone after G is stopped; beside it a D whose G never moves. A linear
classifier then learns from the features of each, from pixels and others, with few labels and with
many; the seed also draws which digits have labels. Regularization and scale are chosen on a fifth
of the labels; the test digits serve once. features.csv has a row for each classifier, verdicts.csv
for what D says of each kind of images, looking.csv for each measurement of where D looks.
"""

import copy
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import Images, load_images, load_source, scale, unscale
from dcgan_utils.networks import Discriminator
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import discriminator_step

from .. import discriminator_features as analysis
from .. import feature_baselines as baselines
from .. import store
from ..discriminator_features import images_for, logits_for, with_statistics_of
from ..harness import Key, Result, Study
from ..training_variants import OwnStep

DATA = "mnist"
COUNTS, FEW = (100, 1000, 10_000, 60_000), 1000  # labels
CHOOSING = 5000  # labels at most that choose how features are classified, a fifth to test with
RATES = (0.001, 0.004)  # of the supervised network, chosen alike, but with all labels
SUPERVISED_STEPS = (300, 1000, 2000, 4000)
STEPS = (100, 300, 1000, 2100, 4200)  # at which D is looked at
OLDER = (300, 1000)  # steps whose G draws samples for the last D
ALONE = (300, 1000, 2000)  # steps of D beyond, once G is stopped; and of a D whose G never moves
SHOWN = 2000  # images of each kind that D is asked about
CHANGED = 500  # images of which a square is exchanged
MODES = ("as stored", "settled", "in batches")  # in which D is asked: see `verdicts`

Cells = dict[str, Any]
Split = tuple[Images, Images]  # digits to learn from, of which the first ones have labels; others


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


def trained(seed: int) -> Iterator[tuple[str, OwnStep]]:
    """Yield a run at each of `STEPS` and after G is stopped; then one whose G never moves."""
    config = preset("classroom", data=DATA, seed=seed)
    images = load_images(config)
    training = OwnStep(config, images)
    for step in STEPS:
        training.run(steps=step - training.step)
        yield "D", training
    for name, run in (("D, G stopped", training), ("D, G never moves", OwnStep(config, images))):
        for before, after in itertools.pairwise((0, *ALONE)):
            train_alone(run, after - before)
            yield name, run


def linear_rows(extract: baselines.Extract, split: Split, counts: Sequence[int]) -> Iterator[Cells]:
    """Yield a row for each number of labels."""
    learned, test = split
    all_known, new = extract(learned.pixels[: max(counts)]), extract(test.pixels)
    for count in counts:
        known, labels = all_known[:count], learned.labels[:count]
        scaling, strength = baselines.choose(known[:CHOOSING], labels[:CHOOSING])
        error = baselines.linear_error((known, labels, new, test.labels), scaling, strength)
        cells = {"labels": count, "error": f"{error:.4f}"}
        yield cells | {"scaling": scaling, "chosen": strength}


def supervised_rows(split: Split, seed: int) -> Iterator[Cells]:
    """Yield the rows of D's architecture trained with labels."""
    learned, test = split
    for count, steps in zip(COUNTS, SUPERVISED_STEPS):
        pixels, labels, four = learned.pixels[:count], learned.labels[:count], 4 * count // 5
        if count < max(COUNTS):  # else the rate stays
            parts = pixels[:four], labels[:four], pixels[four:], labels[four:]
            wrong = {r: baselines.supervised_error(parts, seed, steps, r) for r in RATES}
            rate = min(RATES, key=wrong.__getitem__)
        task = pixels, labels, test.pixels, test.labels
        error = baselines.supervised_error(task, seed, steps, rate)
        yield {"labels": count, "error": f"{error:.4f}", "chosen": rate}


def network_rows(network: Discriminator, split: Split, whole: bool) -> Iterator[Cells]:
    """Yield the rows of a D's features; if `whole`, with all counts and of each layer, too."""
    ready = with_statistics_of(network, images_for(split[0].pixels[-2000:]).split(100))
    for layers in ("123", "1", "2", "3") if whole else ("123",):
        counts = COUNTS if whole and layers == "123" else (FEW,)
        extract = functools.partial(analysis.features, ready, layers=list(map(int, layers)))
        yield from ({"layers": layers} | row for row in linear_rows(extract, split, counts))


def verdicts(
    network: Discriminator, settled: Discriminator, kinds: Mapping[str, Tensor]
) -> Iterator[Cells]:
    """Yield what D says of each kind of images, in three modes.

    "As stored" is evaluation mode with the statistics that training left, "settled" with those of
    half real, half generated images; "in batches" takes those of batches of one kind, as training
    does. `above` is how often an image gets a higher logit than a held-out digit.
    """
    networks = (copy.deepcopy(network).eval(), settled, copy.deepcopy(network).train())
    for mode, asked in zip(MODES, networks):
        usual = logits_for(asked, kinds["held-out digits"])
        for kind, images in kinds.items():
            said = logits_for(asked, images)
            truth = [0] * len(usual) + [1] * len(said)
            above = roc_auc_score(truth, torch.cat([usual, said]))
            cells = {"mean": f"{said.mean():.3f}", "deviation": f"{said.std():.3f}"}
            yield {"mode": mode, "kind": kind} | cells | {"above": f"{above:.3f}"}


def looking(
    settled: Discriminator, split: Split, fake: Tensor, seed: int
) -> Iterator[tuple[str, str, Tensor]]:
    """Yield what is measured, of what, and its values (N,)."""
    digits, held_out = (images_for(images.pixels[:10_000]) for images in split)
    for layers in (1, 2, 3, 4):
        other = analysis.with_random_top(settled, layers, digits[:2000])
        for name, guided in (("plain", False), ("guided", True)):
            two = [analysis.gradient_maps(d, held_out[:100], guided) for d in (settled, other)]
            yield "maps alike", f"{name}, {layers} random", analysis.rank_correlations(*two)
    sources = {"real": digits[: len(fake) - CHANGED], "generated": fake[CHANGED:]}
    for group, images in (("G", fake[:CHANGED]), ("held-out", held_out[:CHANGED])):
        before, maps = logits_for(settled, images), analysis.occlusion_maps(settled, images)
        for place, places in (("raises", maps.argmax(1)), ("lowers", maps.argmin(1))):
            control = analysis.control_places(images, places)
            for spot, chosen in ((place, places), (f"{place}, control", control)):
                for kind, others in sources.items():
                    after = logits_for(settled, analysis.exchanged(images, chosen, others))
                    yield "exchange", f"{group}, {spot}, {kind}", after - before
    random = with_statistics_of(analysis.untrained(seed), [digits[:2000]])
    for name, network in (("D", settled), ("untrained D", random)):
        for layer, found in enumerate(analysis.hidden_maps(network, digits[:5000]), 1):
            classes = split[0].labels[analysis.most_exciting(found, 50)[0]]  # (C, 50)
            most = (classes == classes.mode(1, keepdim=True).values).float().mean(1)
            yield "most of one class", f"{name}, layer {layer}", most
    sure = judging.classify(judging.to_judged_size(unscale(fake), "pad")).probabilities.max(1)
    agree = stats.spearmanr(logits_for(settled, fake), sure).statistic
    yield "rank correlation", "logit, top probability", torch.tensor([agree])


def look(
    network: Discriminator, generators: Mapping[str, nn.Module], split: Split, seed: int
) -> dict[str, list[Cells]]:
    """Return the rows of verdicts.csv and of looking.csv for a run's D at its end."""
    learned, held_out = (images.pixels[:SHOWN] for images in split)
    kinds = {"held-out digits": images_for(held_out), "training digits": images_for(learned)}
    for name, generator in generators.items():
        kinds[name] = scale(sample_new(generator, SHOWN, "normal", seed=1))
    for name, pixels in analysis.altered(held_out, torch.Generator().manual_seed(seed)).items():
        kinds[name] = images_for(pixels)
    kinds["black and white swapped"] = -kinds["held-out digits"]  # its frame as well
    fake = scale(sample_new(generators["G at the end"], 2 * SHOWN, "normal", seed=2))
    batches = zip(images_for(split[0].pixels[-SHOWN:]).split(50), fake[:SHOWN].split(50))
    settled = with_statistics_of(network, itertools.chain.from_iterable(batches))
    looked = []
    for measure, at, values in looking(settled, split, fake, seed):
        error = values.std(correction=0) / len(values) ** 0.5  # the standard error of the mean
        numbers = {"mean": f"{values.mean():.4f}", "error": f"{error:.4f}"}
        looked.append({"measure": measure, "at": at} | numbers)
    return {"verdicts": list(verdicts(network, settled, kinds)), "looking": looked}


def execute(key: Key) -> Result:
    """Train and measure one seed's runs; networks are measured on the CPU."""
    seed = int(key["seed"])
    learned, test = load_source(DATA).split()
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(learned), generator=random)
    split = replace(learned, pixels=learned.pixels[order], labels=learned.labels[order]), test
    result, generators = Result({"features": []}), {}

    def add(rows: Iterable[Cells], name: str, **cells: object) -> None:
        result.rows["features"] += [{"features": name} | cells | row for row in rows]

    add(linear_rows(baselines.raw_pixels, split, COUNTS), "pixels")
    components = baselines.principal_components(split[0].pixels)
    add(linear_rows(components, split, COUNTS), "principal components")
    add(linear_rows(baselines.k_means(split[0].pixels, random), split, COUNTS), "k-means")
    add(supervised_rows(split, seed), "supervised CNN")
    add(network_rows(analysis.untrained(seed), split, True), "untrained D", step=0)
    for name, training in trained(seed):
        network: Any = copy.deepcopy(training.discriminator).cpu()
        step = training.step
        recent = {"d_real": training.history["d_real"], "d_fake": training.history["d_fake_before"]}
        said = {cell: f"{values[-100:].mean():.4f}" for cell, values in recent.items()}
        whole = (name, step) == ("D", STEPS[-1])
        add(network_rows(network, split, whole), name, step=step, **said)
        if name == "D" and step in OLDER:
            generators[f"G after {step:,} steps"] = copy.deepcopy(training.generator)
        if whole:
            generators |= {"G at the end": training.generator, "the average of G": training.sampler}
            result.rows |= look(network, generators, split, seed)
    return result


def spread(rows: Sequence[store.Row], column: str, form: str, **wanted: object) -> str:
    """Return mean and extremes of a column, as shares if `form` ends in "%"; of no rows, ""."""
    values = store.numbers(store.select(rows, **wanted), column, 100 if "%" in form else 1)
    return store.spread(values, form.rstrip("%")) + "%" * ("%" in form) if values else ""


def features_lines(rows: Sequence[store.Row]) -> Iterator[list[str]]:
    """Yield the errors with few labels and with many."""
    yield ["features", *(f"{count:,} labels" for count in COUNTS)]
    for kind in ("pixels", "principal components", "k-means", "untrained D", "D", "supervised CNN"):
        own = [row for row in store.select(rows, features=kind) if row["layers"] in ("", "123")]
        own = [row for row in own if kind != "D" or row["step"] == str(STEPS[-1])]
        yield [kind, *(spread(own, "error", ".1f%", labels=count) for count in COUNTS)]


def course_lines(rows: Sequence[store.Row]) -> Iterator[list[str]]:
    """Yield the errors with few labels of each layer, and of D on its way."""
    yield ["D", "layers", "steps", "D(x)", "D(G(z))", "error"]
    few = [row for row in store.select(rows, labels=FEW) if row["layers"]]
    for name, layers, step in dict.fromkeys((r["features"], r["layers"], r["step"]) for r in few):
        own = store.select(few, features=name, layers=layers, step=step)
        said = (spread(own, column, ".2f") for column in ("d_real", "d_fake"))
        which = layers.replace("123", "all")
        yield [name, which, f"{int(step):,}", *said, spread(own, "error", ".1f%")]


def verdicts_lines(rows: Sequence[store.Row]) -> Iterator[list[str]]:
    """Yield D's mean logit of each kind of images, in each mode, and the order of images."""
    yield ["images", *MODES, "above a held-out digit (settled)"]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        means = (spread(rows, "mean", ".1f", kind=kind, mode=mode) for mode in MODES)
        yield [kind, *means, spread(rows, "above", ".0f%", kind=kind, mode="settled")]


def looking_lines(rows: Sequence[store.Row]) -> Iterator[list[str]]:
    """Yield what it does to the logit to exchange a square; means over images, then seeds."""
    yield ["images", "square", "for the most similar real one", "for a generated one"]
    groups = {"G": "samples", "held-out": "held-out digits"}
    for group, place in itertools.product(groups, ("raises", "lowers")):
        spots = {place: f"blackening {place} the logit most", f"{place}, control": "its control"}
        for spot, words in spots.items():
            at = (f"{group}, {spot}, {kind}" for kind in ("real", "generated"))
            yield [groups[group], words, *(spread(rows, "mean", "+.2f", at=a) for a in at)]


def alike_lines(rows: Sequence[store.Row]) -> Iterator[list[str]]:
    """Yield how like gradient maps stay when convolutions become random from the top."""
    yield ["gradient", *(f"{count} of 4 random" for count in range(1, 5))]
    for name in ("plain", "guided"):
        at = (f"{name}, {count} random" for count in range(1, 5))
        yield [name, *(spread(rows, "mean", ".2f", at=a) for a in at)]


def tables() -> dict[str, str]:
    """Return the tables of RESULTS.md by name."""
    rows = [row for row in store.read("features") if row.get("error")]  # not those that diverged
    looked = store.read("looking")
    return {
        "features": store.table(rows, lambda own: [*features_lines(own)]),
        "features_course": store.table(rows, lambda own: [*course_lines(own)]),
        "verdicts": store.table(store.read("verdicts"), lambda own: [*verdicts_lines(own)]),
        "looking": store.table(looked, lambda own: [*looking_lines(own)]),
        "maps_alike": store.table(looked, lambda own: [*alike_lines(own)]),
    }


STUDY = Study(
    name="features",
    question="What are D's features good for, and what does D look at?",
    notebook="11",
    plan=[{"seed": str(seed)} for seed in range(3)],
    execute=execute,
    tables=tables,
    minutes=10,
    files=("features", "verdicts", "looking"),
)
