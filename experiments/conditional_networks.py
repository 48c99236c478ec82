"""Networks that are given a label in other ways than the package's: the kinds of notebook 10."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from dcgan_utils.config import Config
from dcgan_utils.data import Images
from dcgan_utils.device import autocast
from dcgan_utils.losses import cross_entropy
from dcgan_utils.networks import Discriminator, Generator, initialize_weights, new_networks
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import Training, set_learning_rate

from .network_edits import Affine
from .training_variants import OwnStep

CLASSES = 10
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


class LabelsBeside(nn.Module):
    """Layers with the label beside the input of each that has weights, batch norm apart.

    What lies inside an `nn.Sequential` is given none. `latent_size` is for a generator.
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
            inputs = layer(inputs)
        return inputs


def convolutional(config: Config, random: torch.Generator) -> Networks:
    """Return the package's networks."""
    return new_networks(config, 1, CLASSES, random)


def projecting(config: Config, random: torch.Generator) -> Networks:
    """Return the package's G, and a D that is given the label at its end."""
    plain = dataclasses.replace(config, conditional=False)
    discriminator = new_networks(plain, 1, CLASSES, random)[1]
    generator = Generator(config.image_size, 1, config.latent_size, config.width, CLASSES)
    initialize_weights(generator, random, config.initial_std)
    return generator, Projection(discriminator)


def at_every_layer(config: Config, random: torch.Generator) -> Networks:
    """Return the package's networks, given the label before each layer."""
    size = config.latent_size
    networks = new_networks(config, 1, CLASSES, torch.Generator())
    for network in networks:
        for place, layer in enumerate(network.main):
            if place and isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):  # the first has room
                kind: Any = type(layer)
                channels = layer.in_channels + CLASSES, layer.out_channels
                network.main[place] = kind(*channels, 4, layer.stride, layer.padding, bias=False)
        initialize_weights(network, random, config.initial_std)
    of_g, of_d = (network.main for network in networks)
    generator = LabelsBeside(nn.Unflatten(1, (size, 1, 1)), *of_g, latent_size=size)
    return generator, LabelsBeside(*of_d, nn.Flatten(0))


def fully_connected(config: Config, random: torch.Generator, norm: bool = False) -> Networks:
    """Return a plain GAN's networks, with initial weights by He et al. (2015)."""
    size, latent_size = config.image_size, config.latent_size

    def layers(norm: bool, *widths: int) -> tuple[nn.Module, nn.Module, nn.Module]:
        made: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            linear = nn.Linear(before, after)
            nn.init.kaiming_normal_(linear.weight, 0.2, generator=random)
            nn.init.zeros_(linear.bias)
            made += [linear, *([nn.BatchNorm1d(after)] if norm else []), nn.LeakyReLU(0.2)]
        further = made[1 : -2 if norm else -1]  # nothing follows the last one
        return nn.Flatten(), made[0], nn.Sequential(*further)

    of_g = layers(norm, latent_size + CLASSES, 256, 512, 1024, size**2)
    of_d = layers(False, size**2 + CLASSES, 1024, 512, 256, 1)
    shape = nn.Tanh(), nn.Unflatten(1, (1, size, size))
    return LabelsBeside(*of_g, *shape, latent_size=latent_size), LabelsBeside(*of_d, nn.Flatten(0))


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


class WrongPairs(OwnStep):
    """D also sees the real images with wrong labels, and is to call these pairs fake, too.

    Reed et al. (2016), arXiv:1605.05396, algorithm 1: half of the weight of what is fake is theirs.
    """

    def train_step(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Take one step of both networks."""
        for optimizer in self.optimizers.values():
            set_learning_rate(optimizer, self.config, self.step / self.total)
        real, labels = self.batches.batch(self.step)
        z = draw_latents(len(real), self.config.latent_size, self.config.latent, self.random)
        off = torch.randint(1, CLASSES, labels.shape, generator=self.random, device=self.device)
        with autocast(self.device, self.precision):
            fake = self.generator(z, labels)
            pairs = (real, labels), (fake.detach(), labels), (real, (labels + off) % CLASSES)
            d_real, d_fake, d_wrong = (self.discriminator(*pair).float() for pair in pairs)
        of_fakes = (cross_entropy(d_fake, 0.0) + cross_entropy(d_wrong, 0.0)) / 2
        loss_d = cross_entropy(d_real, 1.0) + of_fakes
        self.descend(loss_d, "discriminator")
        with autocast(self.device, self.precision):
            after = self.discriminator(fake, labels).float()
        loss_g = self.objective.generator_loss(after)
        self.descend(loss_g, "generator")
        return self.done(loss_d, loss_g, d_real, d_fake, after), real, fake


@dataclass(frozen=True)
class Kind:
    """One way to tell the networks what an image shows, or not to."""

    settings: dict[str, object]
    networks: Callable[[Config, torch.Generator], Networks] = convolutional
    shuffled: bool = False  # the labels, so that they say nothing of the images
    l2: float = 0.0  # times each weight, added to its gradient
    steps: type[Training] = Training  # how they are taken


with_norm = functools.partial(fully_connected, norm=True)
AUTHORS = "the authors' program"
KINDS = {
    "label maps": Kind({}),
    "projection": Kind({}, projecting),
    "at every layer": Kind({}, at_every_layer),
    "wrong pairs": Kind({}, steps=WrongPairs),
    "no labels": Kind({"conditional": False}),
    "random labels": Kind({}, shuffled=True),
    "fully connected": Kind({"learning_rate": 0.0002}, fully_connected),
    "fully connected, 0.001": Kind({"learning_rate": 0.001}, fully_connected),
    "fully connected, batch norm": Kind({"learning_rate": 0.001}, with_norm),
    AUTHORS: Kind(
        {"learning_rate": 0.0002, "batch_size": 128, "latent": "uniform", "average": 0.0},
        of_the_authors,
        l2=2.5e-5,
    ),
}


def new_training(kind: Kind, config: Config, images: Images) -> Training:
    """Return a kind's training; the settings are those of the kind already."""
    random = torch.Generator().manual_seed(config.seed + 10**6)  # not that of the latent vectors
    if kind.shuffled:
        order = torch.randperm(len(images), generator=random)
        images = dataclasses.replace(images, labels=images.labels[order])
    training = kind.steps(config, images, *kind.networks(config, random))
    for optimizer in training.optimizers.values():
        for group in optimizer.param_groups:
            group["weight_decay"] = kind.l2
    return training
