"""What D's features are good for, and what it looks at: `python -m experiments.features`.

Needs MNIST; about ten minutes a seed on one core. Trains `classroom` with three seeds and lets D go
on after G is stopped; beside it a D whose G never moves. A linear classifier then learns from the
features of each, from pixels, from an untrained D and others, with few labels and with many; the
seed also draws which digits have labels. Regularization and scale are chosen on a fifth of the
labels, and the test digits serve once. Each seed has a process of its own with one thread, two at a
time. Seeds that this machine has finished are not made again; rows of two machines share no table.

  results/features.csv  one row for each classifier: its error on MNIST's test digits
  results/verdicts.csv  one row for each kind of images: what D says of them, in three modes
  results/looking.csv   one row for each measurement of where D looks

`--only SEED` makes one seed, `--list` names what is left.
"""

import argparse
import copy
import functools
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from dcgan_utils.config import preset
from dcgan_utils.data import Images, load_images, load_source, scale
from dcgan_utils.files import write_file
from dcgan_utils.networks import Discriminator
from dcgan_utils.sampling import draw_latents, sample_new
from dcgan_utils.training import Training, discriminator_step

from .baselines import Extract, k_means, principal_components, raw_pixels, share_wrong, taught
from .command import each_in_a_process, new_parser, require_mnist
from .inside import features, images_for, resettled, untrained
from .kinds import before_d, settled_on_both, verdicts
from .looking import measured
from .rules import machine
from .tables import RESULTS, read, to_csv

SEEDS = (0, 1, 2)
COUNTS, FEW = (100, 1000, 10_000, 60_000), 1000  # labels
STEPS = (100, 300, 1000, 2100, 4200)  # at which D is looked at
OLDER = (300, 1000)  # steps whose G draws samples for the last D
ALONE = (300, 1000, 2000)  # steps of D beyond, once G is stopped; and of a D whose G never moves
SCALINGS = ("each", "together")  # how features are scaled: see `to_unit_scale`
STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C: the smaller, the more regularized
FOLDED = 100  # labels up to which each fifth takes its turn
CHOOSING = 5000  # labels at most that choose among them, a fifth of them to test with
RATES = (0.001, 0.004)  # of the network that is taught, chosen alike
TAUGHT_STEPS = {100: 300, 1000: 1000, 10_000: 2000, 60_000: 4000}
SHOWN = 2000  # images of each kind that D is asked about
FILES = ("features", "verdicts", "looking")
Row = dict[str, Any]


# Training


def go_on_alone(training: Training, steps: int) -> Row:
    """Train D against a G that stands still; return what D says in the last 100 steps."""
    config, said = training.config, []
    for turn in range(steps):
        real, _ = training.batches.batch(training.step + turn)
        latents = draw_latents(len(real), config.latent_size, config.latent, training.random)
        with torch.no_grad():
            fake = training.generator(latents)
        optimizer = training.optimizers["discriminator"]
        of_d = discriminator_step(training.discriminator, optimizer, real, fake)
        said.append(torch.stack([of_d["d_real"], of_d["d_fake_before"]]))
    training.step += steps
    return says(torch.stack(said[-100:]).mean(0).tolist())


def says(means: Sequence[float]) -> Row:
    """Return cells that tell how D stands: its means of real and of generated images."""
    return {"d_real": f"{means[0]:.4f}", "d_fake": f"{means[1]:.4f}"}


def trained(seed: int, images: Images) -> Iterator[tuple[str, int, Training, Row]]:
    """Yield a run at each of `STEPS` and after G is stopped; then one whose G never moves."""
    config = preset("classroom", data="mnist", seed=seed, frames=2, checkpoint_every=10**6)
    training = Training(config, images)
    for step in STEPS:
        training.run(steps=step - training.step)
        means = [
            training.history[name][-100:].mean().item() for name in ("d_real", "d_fake_before")
        ]
        yield "D", step, training, says(means)
    for name, run in (("D, G stopped", training), ("D, G never moves", Training(config, images))):
        for before, after in zip((0, *ALONE), ALONE):
            told = go_on_alone(run, after - before)
            yield name, run.step, run, told


# Classifying


def to_unit_scale(scaling: str, known: Tensor, *others: Tensor) -> list[Tensor]:
    """Return features (N, d) less the mean that `known` has, divided by its deviation.

    "each" divides each feature by its own, to which a hundredth of the largest is added, so that
    one that hardly varies is not blown up; "together" divides all by one number.
    """
    mean, deviation = known.mean(0), known.std(0)
    if scaling == "each":
        deviation = deviation + 0.01 * deviation.max()
    else:
        deviation = deviation.square().mean().sqrt()
    return [(values - mean) / deviation for values in (known, *others)]


def classifier(features: Tensor, labels: Tensor, strength: float) -> Any:
    """Return scikit-learn's logistic regression, fitted to features (N, d) and labels (N,)."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that is not quite done is compared as it is
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
        return model.fit(features.numpy(), labels.numpy())


def chosen(features: Tensor, labels: Tensor) -> tuple[str, float]:
    """Return the scaling and the C with the least error on every fifth label.

    With few labels each fifth takes its turn, as twenty digits say little.
    """
    errors: dict[tuple[str, float], float] = {}
    for turn in range(5 if len(labels) <= FOLDED else 1):
        held_out = torch.arange(len(labels)) % 5 == turn
        for scaling in SCALINGS:
            known, tried = to_unit_scale(scaling, features[~held_out], features[held_out])
            for strength in STRENGTHS:
                answers = classifier(known, labels[~held_out], strength).predict(tried.numpy())
                wrong = float((answers != labels[held_out].numpy()).mean())
                errors[scaling, strength] = errors.get((scaling, strength), 0) + wrong
    return min(errors, key=lambda choice: errors[choice])  # the first, if several are equal


def error_of(
    features: Tensor, labels: Tensor, test: Tensor, truth: Tensor
) -> tuple[float, str, float]:
    """Return how often a linear classifier is wrong about test features, its scaling, its C."""
    scaling, strength = chosen(features[:CHOOSING], labels[:CHOOSING])
    known, others = to_unit_scale(scaling, features, test)
    answers = classifier(known, labels, strength).predict(others.numpy())
    return float((answers != truth.numpy()).mean()), scaling, strength


def rows_of(extract: Extract, learned: Images, test: Images, counts: Sequence[int]) -> list[Row]:
    """Return a row for each number of labels; the first ones of `learned` have labels."""
    known, others, rows = extract(learned.pixels[: max(counts)]), extract(test.pixels), []
    for count in counts:
        began = time.perf_counter()
        labels = learned.labels[:count]
        error, scaling, strength = error_of(known[:count], labels, others, test.labels)
        cells = {"labels": count, "error": f"{error:.4f}", "scaling": scaling, "chosen": strength}
        rows.append(row(**cells, seconds=f"{time.perf_counter() - began:.1f}"))
    return rows


def row(**cells: object) -> Row:
    """Return a row of features.csv with these cells filled."""
    names = ("features", "layers", "step", "labels", "error", "scaling", "chosen", "seconds")
    return dict.fromkeys((*names, "d_real", "d_fake"), "") | cells


def taught_rows(learned: Images, test: Images, seed: int) -> list[Row]:
    """Return the rows of D's architecture taught with labels; its rate is chosen as C is."""
    rows = []
    for count in COUNTS:
        began = time.perf_counter()
        pixels, labels = learned.pixels[:count], learned.labels[:count]
        if count < max(COUNTS):  # with all, the rate stays
            part = slice(0, 4 * count // 5)
            errors = []
            for rate in RATES:
                model = taught(pixels[part], labels[part], seed, TAUGHT_STEPS[count], rate)
                errors.append(share_wrong(model, pixels[part.stop :], labels[part.stop :]))
            best = RATES[errors.index(min(errors))]
        model = taught(pixels, labels, seed, TAUGHT_STEPS[count], best)
        error = f"{share_wrong(model, test.pixels, test.labels):.4f}"
        seconds = f"{time.perf_counter() - began:.1f}"
        cells = {"labels": count, "error": error, "chosen": best, "seconds": seconds}
        rows.append(row(features="supervised CNN", **cells))
    return rows


def layers_of(network: nn.Module, layers: Sequence[int], settle: Tensor) -> Extract:
    """Return the features of some hidden layers, counted from 1, statistics settled on images."""
    ready = resettled(network, settle.split(100))
    assert isinstance(ready, Discriminator)

    def extract(pixels: Tensor) -> Tensor:
        found = features(ready, pixels)
        return torch.cat([found[layer - 1] for layer in layers], 1)

    return extract


def rows_of_network(
    name: str, step: int, network: nn.Module, learned: Images, test: Images, whole: bool
) -> list[Row]:
    """Return the rows of a D's features; if `whole`, with all counts and of each layer, too."""
    settle = images_for(learned.pixels[-2000:])
    rows = []
    for layers in ("123", "1", "2", "3") if whole else ("123",):
        counts = COUNTS if whole and layers == "123" else (FEW,)
        extract = layers_of(network, [int(layer) for layer in layers], settle)
        found = rows_of(extract, learned, test, counts)
        rows += [cells | {"features": name, "layers": layers, "step": step} for cells in found]
    return rows


# A seed


def execute(seed: int, threads: int) -> list[list[Row]]:
    """Train and measure one seed's runs; return the rows of each of `FILES`."""
    torch.set_num_threads(threads)
    learned, test = load_source("mnist").split()
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(learned), generator=random)  # the first ones have labels
    learned = replace(learned, pixels=learned.pixels[order], labels=learned.labels[order])
    rows, looked_at, older = [], [], {}
    others = {
        "pixels": raw_pixels,
        "principal components": principal_components(learned.pixels),
        "k-means": k_means(learned.pixels, random),
    }
    for name, extract in others.items():
        rows += [r | {"features": name} for r in rows_of(extract, learned, test, COUNTS)]
    rows += taught_rows(learned, test, seed)
    rows += rows_of_network("untrained D", 0, untrained(seed), learned, test, whole=True)
    for name, step, training, told in trained(seed, load_images(preset("classroom", data="mnist"))):
        whole = (name, step) == ("D", STEPS[-1])
        network = copy.deepcopy(training.discriminator)
        assert isinstance(network, Discriminator)
        found = rows_of_network(name, step, network, learned, test, whole)
        rows += [r | told for r in found]
        older[step] = copy.deepcopy(training.generator)
        if whole:
            generators = {f"G after {earlier:,} steps": older[earlier] for earlier in OLDER}
            generators |= {"G at the end": older[step], "the average of G": training.sampler}
            looked_at = looking_rows(network, generators, learned, test, seed)
    cells = {"seed": seed} | machine(threads)
    return [[cells | r for r in made] for made in (rows, *looked_at)]


def looking_rows(
    network: Discriminator,
    generators: dict[str, nn.Module],
    learned: Images,
    test: Images,
    seed: int,
) -> list[list[Row]]:
    """Return the rows of verdicts.csv and of looking.csv for a run's D at its end."""
    random = torch.Generator().manual_seed(seed)
    kinds = before_d(learned.pixels[:SHOWN], test.pixels[:SHOWN], generators, random)
    real = images_for(learned.pixels[-SHOWN:])
    fake = scale(sample_new(generators["G at the end"], 2 * SHOWN, "normal", seed=2))
    settled = settled_on_both(network, real, fake[:SHOWN])
    found = measured(settled, untrained(seed), learned, images_for(test.pixels[:SHOWN]), fake)
    return [verdicts(network, settled, kinds), found]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = new_parser("features", __doc__)
    parser.add_argument("--only", type=int, choices=SEEDS, help="this seed")
    parser.add_argument("--list", action="store_true", help="name what is left, and stop")
    parser.add_argument("--jobs", type=int, default=2, help="seeds at the same time")
    parser.add_argument("--threads", type=int, default=1, help="of each seed")
    options = parser.parse_args(arguments)
    for name in ("jobs", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; allowed: 1 or more")
    return options


def main() -> None:
    """Make the rows of the seeds that this machine has not made yet."""
    options = parse()
    require_mnist()
    paths = [RESULTS / f"{name}.csv" for name in FILES]
    tables, here = [read(path) for path in paths], machine(options.threads)
    done = {int(r["seed"]) for r in tables[0] if {key: r[key] for key in here} == here}
    wanted = SEEDS if options.only is None else [options.only]
    left = [seed for seed in wanted if seed not in done]
    print(f"Seeds that are left: {left or 'none'}", flush=True)
    if options.list:
        return
    work = functools.partial(execute, threads=options.threads)
    for seed, made in each_in_a_process(work, left, options.jobs):
        for number, path in enumerate(paths):
            rows = [{key: str(value) for key, value in r.items()} for r in made[number]]
            tables[number] += rows
            write_file(path, to_csv(tables[number]))
        print(f"seed {seed} is done", flush=True)


if __name__ == "__main__":
    main()
