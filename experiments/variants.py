"""The recipe with one thing changed: each rule of the paper broken, each number replaced.

Every change is a setting, an objective, or a surgery of a few lines on the two networks; notebook
07 shows the same lines. `experiments.rules` trains and judges them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from dcgan_utils.config import Config, preset
from dcgan_utils.data import Images
from dcgan_utils.networks import new_networks
from dcgan_utils.training import Training

from .own_steps import EvalFrom200, NoDetach, OneBatch
from .surgery import (
    activation,
    both,
    enlarged,
    gamma_around_zero,
    hidden_in_d,
    hidden_in_g,
    in_range,
    layer_norm,
    layers_of,
    norm_at_end,
    norm_at_start,
    pooled,
    pytorch_weights,
    sigmoid_end,
    without_norm,
)

# Half of the classroom preset, and the paper's numbers at its size. Both have an average, which
# changes nothing in the training itself: G and its average are judged both.
FAST = preset("classroom", data="mnist", steps=2100, frames=2, checkpoint_every=10**6)
PUBLISHED = replace(FAST, learning_rate=0.0002, batch_size=128, latent="uniform", first_bias=False)
EPOCH = round(60_000 / 128)  # steps of the published recipe in one epoch of MNIST
BASES = {
    "fast": FAST,
    "ladder": PUBLISHED,
    "to its end": replace(PUBLISHED, steps=30 * EPOCH),  # at most: see `rules`
    "published": replace(PUBLISHED, steps=4 * EPOCH),
}


@dataclass(frozen=True)
class Variant:
    """The recipe with one thing changed."""

    name: str
    rule: str  # what it asks about
    settings: Mapping[str, Any] = field(default_factory=dict)
    surgery: Callable[[Any, Any, torch.Generator], object] = lambda g, d, random: None  # in place
    training: type[Training] = Training


POOLING, CONNECTED = "1. no pooling", "2. no fully connected layers"
NORM, ACTIVATIONS = "3. batch norm", "4. activations"
LOSS, WEIGHTS, NUMBERS, BUGS = "the loss", "initial weights", "numbers", "usual bugs"

VARIANTS = [
    Variant("as it is", "the recipe"),
    Variant("max pooling in D", POOLING, surgery=layers_of("D", pooled, nn.MaxPool2d)),
    Variant("average pooling in D", POOLING, surgery=layers_of("D", pooled, nn.AvgPool2d)),
    Variant("repeated pixels in G", POOLING, surgery=layers_of("G", enlarged)),
    Variant("hidden layer in D", CONNECTED, surgery=layers_of("D", hidden_in_d)),
    Variant("hidden layer in G", CONNECTED, surgery=layers_of("G", hidden_in_g)),
    Variant("no batch norm in G", NORM, surgery=layers_of("G", without_norm)),
    Variant("no batch norm in D", NORM, surgery=layers_of("D", without_norm)),
    Variant("no batch norm", NORM, surgery=layers_of("GD", without_norm)),
    Variant("layer norm in both", NORM, surgery=layers_of("GD", layer_norm)),
    Variant("batch norm at G's output", NORM, surgery=layers_of("G", norm_at_end)),
    Variant("batch norm at D's input", NORM, surgery=layers_of("D", norm_at_start)),
    Variant("real and fake in one batch", NORM, training=OneBatch),
    Variant("ReLU in D", ACTIVATIONS, surgery=activation("D", nn.LeakyReLU, nn.ReLU)),
    Variant(
        "LeakyReLU in G",
        ACTIVATIONS,
        surgery=activation("G", nn.ReLU, lambda: nn.LeakyReLU(0.2)),
    ),
    Variant("sigmoid inside G", ACTIVATIONS, surgery=activation("G", nn.ReLU, nn.Sigmoid)),
    Variant(
        "Tanh, data in [0, 1]", ACTIVATIONS, surgery=lambda g, d, random: in_range(g, d, 0.0, 1.0)
    ),
    Variant("sigmoid, data in [0, 1]", ACTIVATIONS, surgery=sigmoid_end),
    Variant("saturating loss", LOSS, {"objective": "saturating"}),
    Variant("least squares", LOSS, {"objective": "least squares"}),
    Variant("PyTorch's initial weights", WEIGHTS, surgery=both(pytorch_weights)),
    Variant("variance 0.02", WEIGHTS, {"initial_std": 0.02**0.5}),
    Variant("γ around 0", WEIGHTS, surgery=both(gamma_around_zero)),
    Variant("β₁ 0.9", NUMBERS, {"beta1": 0.9}),
    Variant("rate × 4", NUMBERS, {"learning_rate": 4.0}),  # a factor: see `config_of`
    Variant("rate ÷ 4", NUMBERS, {"learning_rate": 0.25}),
    Variant("batch 16", NUMBERS, {"batch_size": 16}),
    Variant("batch 512", NUMBERS, {"batch_size": 512}),
    Variant("the other z", NUMBERS, {"latent": None}),
    Variant("detach missing", BUGS, training=NoDetach),
    Variant("labels swapped", BUGS, {"objective": "labels swapped"}),
    Variant(
        "mean 0.1307, std 0.3081", BUGS, surgery=lambda g, d, random: in_range(g, d, 0.1307, 0.3081)
    ),
    Variant("eval() from step 200", BUGS, training=EvalFrom200),
]

# From the published recipe to the fast one, a change at a time, in two orders that meet at the
# end. A batch of 32 takes about a third of the time of one of 128, and gets three times the steps.
SHORTER = {"batch_size": 32, "steps": 6300}
LADDER = [
    Variant("published", "both orders"),
    Variant("rate", "rate first", {"learning_rate": 25.0}),
    Variant("rate, batch", "rate first", {"learning_rate": 25.0} | SHORTER),
    Variant("rate, batch, z", "rate first", {"learning_rate": 25.0, "latent": None} | SHORTER),
    Variant("z", "rate last", {"latent": None}),
    Variant("z, bias", "rate last", {"latent": None, "first_bias": True}),
    Variant("z, bias, batch", "rate last", {"latent": None, "first_bias": True} | SHORTER),
    Variant(
        "rate, batch, z, bias",
        "both orders",
        {"learning_rate": 25.0, "latent": None, "first_bias": True} | SHORTER,
    ),
]
BY_NAME = {variant.name: variant for variant in [*VARIANTS, *LADDER]}
FROM_PUBLISHED = [  # the four rules, the loss and β₁, at the paper's own rate
    "as it is",
    "max pooling in D",
    "repeated pixels in G",
    "hidden layer in D",
    "hidden layer in G",
    "no batch norm in G",
    "no batch norm in D",
    "no batch norm",
    "ReLU in D",
    "LeakyReLU in G",
    "saturating loss",
    "least squares",
    "β₁ 0.9",
]
PARTS = {  # of the plan of `experiments.rules`: what each base is changed by
    "fast": VARIANTS,
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
    """Return a variant's training: networks made, initialized, then operated on."""
    random = torch.Generator().manual_seed(config.seed + 10**6)  # not that of the latent vectors
    generator, discriminator = new_networks(config, 1, 10, random)
    variant.surgery(generator, discriminator, random)
    return variant.training(config, images, generator, discriminator)
