"""Networks that are given a label in other ways than the package's: the kinds of notebook 10."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from dcgan_utils.config import Config, preset
from dcgan_utils.data import Images
from dcgan_utils.networks import Discriminator, new_networks
from dcgan_utils.training import Training

from .classify_from_samples import CLASSES
from .network_edits import Affine

Networks = tuple[nn.Module, nn.Module]


class Projection(nn.Module):
    """A discriminator that is given the label at its end, by a projection.

    To the usual logit it adds the inner product of its last features, summed over their places,
    with a vector for the class. Miyato, Koyama (2018), arXiv:1802.05637, equation 2.
    """

    def __init__(self, discriminator: Discriminator):
        super().__init__()
        self.features, self.last = discriminator.main[:-1], discriminator.main[-1]
        assert isinstance(self.last, nn.Conv2d)  # 128 feature maps of 4x4 places to one logit
        self.vectors = nn.Embedding(CLASSES, self.last.in_channels)
        nn.init.zeros_(self.vectors.weight)  # at first it does not know what a label means

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Judge images (B, C, S, S), said to show labels (B,); return logits (B,)."""
        features = self.features(images)  # (B, 128, 4, 4)
        agreement = (features.sum((2, 3)) * self.vectors(labels)).sum(1)  # (B,)
        return self.last(features).reshape(-1) + agreement


class ClassNorm(nn.Module):
    """Batch norm with a gamma and beta for each class; de Vries et al. (2017), arXiv:1707.00683."""

    def __init__(self, maps: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(maps, affine=False)
        self.gamma, self.beta = nn.Embedding(CLASSES, maps), nn.Embedding(CLASSES, maps)
        nn.init.ones_(self.gamma.weight)  # at first they are the same for all classes
        nn.init.zeros_(self.beta.weight)

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Normalize feature maps (B, maps, S, S) of images that are to show labels (B,)."""
        gamma, beta = (table(labels)[:, :, None, None] for table in (self.gamma, self.beta))
        return gamma * self.norm(inputs) + beta


class LabelsBeside(nn.Module):
    """Layers with the label beside the input of each linear map, and given to each `ClassNorm`.

    What lies inside another module is given none. `latent_size` is for a generator.
    """

    def __init__(self, *layers: nn.Module, latent_size: int = 0):
        super().__init__()
        self.main, self.latent_size, self.classes = nn.Sequential(*layers), latent_size, CLASSES

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Draw images of the classes that labels (B,) name, or judge images said to show them."""
        for layer in self.main:
            if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                given = one_hot(labels, CLASSES).to(inputs.dtype)  # (B, 10)
                if inputs.ndim == 4:
                    given = given[:, :, None, None].expand(-1, -1, *inputs.shape[2:])
                inputs = torch.cat([inputs, given], dim=1)
            inputs = layer(inputs, labels) if isinstance(layer, ClassNorm) else layer(inputs)
        return inputs


def convolutional(config: Config, random: torch.Generator) -> Networks:
    """Return the package's networks."""
    return new_networks(config, 1, CLASSES, random)


def with_other_d(
    config: Config, random: torch.Generator, change: Callable[[Discriminator], nn.Module]
) -> Networks:
    """Return the package's G, and what a function makes of its D without labels."""
    plain = dataclasses.replace(config, conditional=False)
    discriminator = new_networks(plain, 1, CLASSES, random)[1]
    return convolutional(config, random)[0], change(discriminator)


def normalizing_by_class(config: Config, random: torch.Generator) -> Networks:
    """Return a G that is given the label by class-conditional batch norm, and the package's D."""
    size, plain = config.latent_size, dataclasses.replace(config, conditional=False)
    layers = [
        ClassNorm(layer.num_features) if isinstance(layer, nn.BatchNorm2d) else nn.Sequential(layer)
        for layer in new_networks(plain, 1, CLASSES, random)[0].main
    ]
    generator = LabelsBeside(nn.Unflatten(1, (size, 1, 1)), *layers, latent_size=size)
    return generator, convolutional(config, random)[1]


def of_the_authors(config: Config, random: torch.Generator) -> Networks:
    """Return the networks of the authors' conditional program for MNIST, with its initial weights.

    Radford et al. (2015), github.com/Newmu/dcgan_code, mnist/train_cond_dcgan.py. They differ from
    the paper's rules: a fully connected hidden layer in each, kernels of 5x5, batch norm without γ
    and β, a sigmoid at G's end and gray levels from 0 to 1. Its images are 28x28; the frame of two
    black pixels that makes them 32x32 is neither drawn nor seen.
    """
    generator = LabelsBeside(
        nn.Linear(config.latent_size + CLASSES, 1024, bias=False),
        nn.BatchNorm1d(1024, affine=False),
        nn.ReLU(),
        nn.Linear(1024 + CLASSES, 128 * 7 * 7, bias=False),
        nn.BatchNorm1d(128 * 7 * 7, affine=False),
        nn.ReLU(),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128 + CLASSES, 64, 5, 2, 2, 1, bias=False),  # to 14x14
        nn.BatchNorm2d(64, affine=False),
        nn.ReLU(),
        nn.ConvTranspose2d(64 + CLASSES, 1, 5, 2, 2, 1, bias=False),  # to 28x28
        nn.Sigmoid(),
        Affine(2, -1),
        nn.ConstantPad2d(2, -1.0),  # to 32x32
        latent_size=config.latent_size,
    )
    discriminator = LabelsBeside(
        nn.ZeroPad2d(-2),  # to 28x28
        Affine(0.5, 0.5),
        nn.Conv2d(1 + CLASSES, 64, 5, 2, 2, bias=False),  # to 14x14
        nn.LeakyReLU(0.2),
        nn.Conv2d(64 + CLASSES, 128, 5, 2, 2, bias=False),  # to 7x7
        nn.BatchNorm2d(128, affine=False),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7 + CLASSES, 1024, bias=False),
        nn.BatchNorm1d(1024, affine=False),
        nn.LeakyReLU(0.2),
        nn.Linear(1024 + CLASSES, 1, bias=False),
        nn.Flatten(0),
    )
    for weights in [*generator.parameters(), *discriminator.parameters()]:
        nn.init.normal_(weights, 0.0, config.initial_std, random)
    return generator, discriminator


AUTHORS, SHUFFLED = "the authors' program", "random labels"
THEIRS = {"learning_rate": 0.0002, "batch_size": 128, "latent": "uniform", "average": 0.0}
KINDS: dict[str, tuple[Callable[[Config, torch.Generator], Networks], dict[str, Any]]] = {
    "label maps": (convolutional, {}),
    "wrong pairs": (convolutional, {"wrong_pairs": True}),  # the preset
    "wrong pairs, lazy R1": (convolutional, {"wrong_pairs": True, "objective": "lazy R1"}),
    "projection": (functools.partial(with_other_d, change=Projection), {}),
    "label to G only": (functools.partial(with_other_d, change=LabelsBeside), {}),  # D gets none
    "class-conditional batch norm": (normalizing_by_class, {}),
    "no labels": (convolutional, {"conditional": False}),
    SHUFFLED: (convolutional, {}),  # the labels say nothing of the images
    AUTHORS: (of_the_authors, THEIRS),
}


def config_of(name: str, **changes: object) -> Config:
    """Return a kind's settings: those of the preset without wrong pairs, its own, and changes."""
    return preset("conditional", **{"wrong_pairs": False, **KINDS[name][1], **changes})


def new_training(name: str, config: Config, images: Images) -> Training:
    """Return a kind's training; the settings are those of the kind already."""
    random = torch.Generator().manual_seed(config.seed + 10**6)  # not that of z
    if name == SHUFFLED:
        order = torch.randperm(len(images), generator=random)
        images = dataclasses.replace(images, labels=images.labels[order])
    training = Training(config, images, *KINDS[name][0](config, random))
    for optimizer in training.optimizers.values() if name == AUTHORS else ():
        optimizer.param_groups[0]["weight_decay"] = 2.5e-5  # L2
    return training
