"""The recipe with one thing changed: each rule of the paper broken, each number replaced.

A change is a setting, an objective, or an edit of the two networks. The study `rules` trains them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from dcgan_utils.config import Config, preset
from dcgan_utils.data import Images
from dcgan_utils.networks import new_networks
from dcgan_utils.training import Training

from . import network_edits as edits
from .network_edits import Edit, edited, exchanged
from .training_variants import EvalFrom200, NoDetach, OneBatch, OneBatchForD

# Half of the classroom preset, and the paper's numbers at its size. Both have an average, which
# changes nothing in the training itself: G and its average are judged both.
FAST = preset("classroom", data="mnist", steps=2100, frames=2, checkpoint_every=10**6)
PUBLISHED = replace(FAST, learning_rate=0.0002, batch_size=128, latent="uniform", first_bias=False)
EPOCH = round(60_000 / 128)  # steps of the published recipe in one epoch of MNIST
BASES = {
    "fast": FAST,
    "ladder": PUBLISHED,
    "to its end": replace(PUBLISHED, steps=30 * EPOCH),  # at most: see `no_longer_falls`
    "published": replace(PUBLISHED, steps=4 * EPOCH),
}


@dataclass(frozen=True)
class Variant:
    """The recipe with one thing changed."""

    name: str
    rule: str  # what it asks about
    settings: Mapping[str, Any] = field(default_factory=dict)
    edit: Edit = lambda g, d, random: None  # in place
    training: type[Training] = Training


POOLING, CONNECTED = "1. no pooling", "2. no fully connected layers"
NORM, ACTIVATIONS = "3. batch norm", "4. activations"
LOSS, WEIGHTS, NUMBERS, BUGS = "the loss", "initial weights", "numbers", "usual bugs"


def hidden(network: str, units: int, norm: bool, he: bool = False) -> Variant:
    """Return rule 2 broken once more: by other units, batch norm after them or not, He weights."""
    name = f"{units:,} units in {network}, {'norm' if norm else 'no norm'}{', He' * he}"
    change = edits.hidden_in_g if network == "G" else edits.hidden_in_d
    return Variant(name, CONNECTED, edit=edited(network, change, units, norm, he))


UNITS = [
    *(hidden("D", *how) for how in ((128, True), (400, True), (1024, False), (1024, True))),
    *(hidden("G", *how) for how in ((100, False), (400, True), (1024, False), (1024, True))),
    *(hidden("G", units, norm=True, he=True) for units in (100, 1024)),
]
VARIANTS = [
    Variant("as it is", "the recipe"),
    Variant("max pooling in D", POOLING, edit=edits.pooled_by(nn.MaxPool2d)),
    Variant("average pooling in D", POOLING, edit=edits.pooled_by(nn.AvgPool2d)),
    Variant(
        "repeated pixels in G", POOLING, edit=exchanged("G", nn.ConvTranspose2d, edits.enlarged)
    ),
    Variant("hidden layer in D", CONNECTED, edit=edited("D", edits.hidden_in_d, 128, False)),
    Variant("hidden layer in G", CONNECTED, edit=edited("G", edits.hidden_in_g, 100, True)),
    *UNITS,
    Variant("no batch norm in G", NORM, edit=edited("G", edits.without_norm)),
    Variant("no batch norm in D", NORM, edit=edited("D", edits.without_norm)),
    Variant("no batch norm", NORM, edit=edited("GD", edits.without_norm)),
    Variant("no batch norm in G, He", NORM, edit=edited("G", edits.without_norm, True)),
    Variant("no batch norm in D, He", NORM, edit=edited("D", edits.without_norm, True)),
    Variant("no batch norm, He", NORM, edit=edited("GD", edits.without_norm, True)),
    Variant("layer norm in both", NORM, edit=exchanged("GD", nn.BatchNorm2d, edits.layer_norm)),
    Variant("batch norm at G's output", NORM, edit=edited("G", edits.norm_at_end)),
    Variant("batch norm at D's input", NORM, edit=edited("D", edits.norm_at_start)),
    Variant("real and fake in one batch", NORM, training=OneBatch),
    Variant("ReLU in D", ACTIVATIONS, edit=exchanged("D", nn.LeakyReLU, lambda _: nn.ReLU())),
    Variant(
        "LeakyReLU in G", ACTIVATIONS, edit=exchanged("G", nn.ReLU, lambda _: nn.LeakyReLU(0.2))
    ),
    Variant("sigmoid inside G", ACTIVATIONS, edit=exchanged("G", nn.ReLU, lambda _: nn.Sigmoid())),
    Variant("Tanh, data in [0, 1]", ACTIVATIONS, edit=edits.in_range(0.0, 1.0)),
    Variant("sigmoid, data in [0, 1]", ACTIVATIONS, edit=edits.in_range(0.0, 1.0, nn.Sigmoid)),
    Variant("saturating loss", LOSS, {"objective": "saturating"}),
    Variant("least squares", LOSS, {"objective": "least squares"}),
    Variant("PyTorch's initial weights", WEIGHTS, edit=edited("GD", edits.pytorch_weights)),
    Variant("variance 0.02", WEIGHTS, {"initial_std": 0.02**0.5}),
    Variant("γ around 0", WEIGHTS, edit=edited("GD", edits.gamma_around_zero)),
    Variant("β₁ 0.9", NUMBERS, {"beta1": 0.9}),
    Variant("rate × 4", NUMBERS, {"learning_rate": 4.0}),  # a factor: see `config_of`
    Variant("rate ÷ 4", NUMBERS, {"learning_rate": 0.25}),
    Variant("batch 16", NUMBERS, {"batch_size": 16}),
    Variant("batch 512", NUMBERS, {"batch_size": 512}),
    Variant("the other z", NUMBERS, {"latent": None}),
    Variant("detach missing", BUGS, training=NoDetach),
    Variant("labels swapped", BUGS, {"objective": "labels swapped"}),
    Variant("mean 0.1307, std 0.3081", BUGS, edit=edits.in_range(0.1307, 0.3081)),
    Variant("eval() from step 200", BUGS, training=EvalFrom200),
]

FURTHER = [  # what other notebooks ask, trained as the others are
    Variant("global average pooling in D", CONNECTED, edit=edited("D", edits.averaged_maps)),
    Variant(
        "batch norm over halves", NORM, edit=exchanged("GD", nn.BatchNorm2d, edits.over_halves)
    ),
    Variant("one batch, D's step only", NORM, training=OneBatchForD),
]

# From the published recipe to the fast one, a change at a time, in two orders that meet at the
# end. A batch of 32 takes about a third of the time of one of 128, and gets three times the steps.
RATE, Z, BIAS = {"learning_rate": 25.0}, {"latent": None}, {"first_bias": True}
BATCH = {"batch_size": 32, "steps": 6300}
LADDER = [
    Variant("published", "both orders"),
    Variant("rate", "rate first", RATE),
    Variant("rate, batch", "rate first", RATE | BATCH),
    Variant("rate, batch, z", "rate first", RATE | BATCH | Z),
    Variant("z", "rate last", Z),
    Variant("z, bias", "rate last", Z | BIAS),
    Variant("z, bias, batch", "rate last", Z | BIAS | BATCH),
    Variant("rate, batch, z, bias", "both orders", RATE | BATCH | Z | BIAS),
]
BY_NAME = {variant.name: variant for variant in [*VARIANTS, *FURTHER, *LADDER]}
FROM_PUBLISHED = (  # the four rules, the loss and numbers, at the paper's own rate
    *("as it is", "max pooling in D", "repeated pixels in G", "hidden layer in D"),
    *("hidden layer in G", "no batch norm in G", "no batch norm in D", "no batch norm"),
    *("ReLU in D", "LeakyReLU in G", "saturating loss", "least squares"),
    *("PyTorch's initial weights", "β₁ 0.9", "mean 0.1307, std 0.3081"),
)
PARTS = {  # of the plan of the study `rules`: what each base is changed by
    "fast": [*VARIANTS, *FURTHER],
    "ladder": LADDER,
    "to its end": [BY_NAME["published"]],
    "published": [BY_NAME[name] for name in FROM_PUBLISHED],
}


def config_of(variant: Variant, base: Config, seed: int) -> Config:
    """Return a variant's settings: the base's, with the rate multiplied and z exchanged."""
    changes = dict(variant.settings)
    if "learning_rate" in changes:
        changes["learning_rate"] *= base.learning_rate
    if "latent" in changes:
        changes["latent"] = "uniform" if base.latent == "normal" else "normal"
    return replace(base, seed=seed, **changes)


def new_training(variant: Variant, config: Config, images: Images) -> Training:
    """Return a variant's training: networks made, initialized, then edited."""
    random = torch.Generator().manual_seed(config.seed + 10**6)  # not that of the latent vectors
    generator, discriminator = new_networks(config, 1, 10, random)
    variant.edit(generator, discriminator, random)
    return variant.training(config, images, generator, discriminator)
