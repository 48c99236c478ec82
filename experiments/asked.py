"""Networks that are told a label in other ways than the package's: the kinds of notebook 10."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dcgan_utils.config import Config
from dcgan_utils.data import Images
from dcgan_utils.device import autocast
from dcgan_utils.losses import cross_entropy
from dcgan_utils.networks import Discriminator, Generator, initialize_weights, new_networks
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import Training, generator_step, set_learning_rate

from .authors import CLASSES, AuthorsDiscriminator, AuthorsGenerator, beside
from .own_steps import METRICS, OwnStep

Networks = tuple[nn.Module, nn.Module]


class Projection(nn.Module):
    """A discriminator that is told the label at its end, by a projection.

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


class ThroughoutGenerator(Generator):
    """The package's G, told the label before each of its layers, as in the authors' program."""

    def __init__(self, config: Config):
        super().__init__(config.image_size, 1, config.latent_size, config.width, CLASSES)
        make_room(self.main)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw one image (B, 1, S, S) for each latent vector (B, L) and label (B,)."""
        assert labels is not None
        return told_throughout(self.main, z[:, :, None, None], labels)


class ThroughoutDiscriminator(Discriminator):
    """The package's D, told the label before each of its layers, as in the authors' program."""

    def __init__(self, config: Config):
        super().__init__(
            config.image_size, 1, config.width, config.leak, config.first_bias, CLASSES
        )
        make_room(self.main)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Judge images (B, 1, S, S), said to show labels (B,); return logits (B,)."""
        assert labels is not None
        return told_throughout(self.main, images, labels).reshape(-1)


def make_room(layers: nn.Sequential) -> None:
    """Give each convolution but the first, which has them, `CLASSES` more input channels."""
    for place, layer in list(enumerate(layers))[1:]:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layers[place] = type(layer)(
                layer.in_channels + CLASSES,
                layer.out_channels,
                layer.kernel_size[0],
                layer.stride[0],
                int(layer.padding[0]),
                bias=layer.bias is not None,
            )


def told_throughout(layers: nn.Sequential, maps: Tensor, labels: Tensor) -> Tensor:
    """Return what layers make of maps (B, C, S, S), label maps beside each convolution's input."""
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            maps = beside(maps, labels)
        maps = layer(maps)
    return maps


class ConnectedGenerator(nn.Module):
    """z and a label to an image, by fully connected layers only."""

    def __init__(self, image_size: int, latent_size: int, norm: bool = False):
        super().__init__()
        self.image_size, self.latent_size, self.classes = image_size, latent_size, CLASSES
        widths = [latent_size + CLASSES, 256, 512, 1024]
        self.main = nn.Sequential(
            *connected(widths, norm), nn.Linear(widths[-1], image_size**2), nn.Tanh()
        )

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Draw one image (B, 1, S, S) for each latent vector (B, L) and label (B,)."""
        return self.main(beside(z, labels)).reshape(-1, 1, self.image_size, self.image_size)


class ConnectedDiscriminator(nn.Module):
    """An image and a label to a logit, by fully connected layers only."""

    def __init__(self, image_size: int):
        super().__init__()
        widths = [image_size**2 + CLASSES, 1024, 512, 256]
        self.main = nn.Sequential(*connected(widths), nn.Linear(widths[-1], 1))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Judge images (B, 1, S, S), said to show labels (B,); return logits (B,)."""
        return self.main(beside(images.flatten(1), labels)).reshape(-1)


def connected(widths: list[int], norm: bool = False) -> list[nn.Module]:
    """Return fully connected layers of these widths, each with a leaky ReLU and perhaps a norm."""
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        norms = [nn.BatchNorm1d(after)] if norm else []
        layers += [nn.Linear(before, after), *norms, nn.LeakyReLU(0.2)]
    return layers


def convolutional(config: Config, random: torch.Generator) -> Networks:
    """Return the package's networks."""
    return new_networks(config, 1, CLASSES, random)


def projecting(config: Config, random: torch.Generator) -> Networks:
    """Return the package's G, and a D that is told the label at its end."""
    plain = dataclasses.replace(config, conditional=False)
    discriminator = new_networks(plain, 1, CLASSES, random)[1]
    generator = Generator(config.image_size, 1, config.latent_size, config.width, CLASSES)
    initialize_weights(generator, random, config.initial_std)
    return generator, Projection(discriminator)


def throughout(config: Config, random: torch.Generator) -> Networks:
    """Return the package's networks, told the label before each layer."""
    networks = ThroughoutGenerator(config), ThroughoutDiscriminator(config)
    for network in networks:
        initialize_weights(network, random, config.initial_std)
    return networks


def fully_connected(config: Config, random: torch.Generator, norm: bool = False) -> Networks:
    """Return a plain GAN's networks, with initial weights by He et al. (2015)."""
    networks = (
        ConnectedGenerator(config.image_size, config.latent_size, norm=norm),
        ConnectedDiscriminator(config.image_size),
    )
    for module in [module for network in networks for module in network.modules()]:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, 0.2, generator=random)
            nn.init.zeros_(module.bias)
    return networks


def of_the_authors(config: Config, random: torch.Generator) -> Networks:
    """Return the networks of the authors' program, with its initial weights."""
    networks = AuthorsGenerator(config.latent_size), AuthorsDiscriminator()
    for network in networks:
        for weights in network.parameters():
            nn.init.normal_(weights, 0.0, config.initial_std, random)
    return networks


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
        off = torch.randint(1, CLASSES, labels.shape, generator=self.random)
        with autocast(self.device, self.precision):
            fake = self.generator(z, labels)
            logits = [
                self.discriminator(images, told).float()
                for images, told in (
                    (real, labels),
                    (fake.detach(), labels),
                    (real, (labels + off) % CLASSES),
                )
            ]
        losses = [cross_entropy(said, truth) for said, truth in zip(logits, (1.0, 0.0, 0.0))]
        loss_d = losses[0] + (losses[1] + losses[2]) / 2
        self.descend(loss_d, "discriminator")
        of_g = generator_step(
            self.generator,
            self.discriminator,
            self.optimizers["generator"],
            fake,
            labels,
            self.objective,
            self.precision,
        )
        self.update_average()
        self.step += 1
        d_real, d_fake = (said.detach().sigmoid().mean() for said in logits[:2])
        of_d = {"loss_d": loss_d.detach(), "d_real": d_real, "d_fake_before": d_fake}
        return {name: (of_d | of_g)[name] for name in METRICS}, real, fake


def as_they_are(images: Images, random: torch.Generator) -> Images:
    """Return the data."""
    return images


def at_random(images: Images, random: torch.Generator) -> Images:
    """Return the data with labels that say nothing of the images: the same ones, shuffled."""
    order = torch.randperm(len(images), generator=random)
    return dataclasses.replace(images, labels=images.labels[order])


@dataclass(frozen=True)
class Kind:
    """One way to tell the networks what an image shows, or not to."""

    settings: dict[str, object]
    networks: Callable[[Config, torch.Generator], Networks] = convolutional
    labels: Callable[[Images, torch.Generator], Images] = as_they_are
    l2: float = 0.0  # times each weight, added to its gradient
    steps: type[Training] = Training  # how they are taken


AUTHORS = "the authors' program"
KINDS = {
    "label maps": Kind({}),
    "projection": Kind({}, projecting),
    "at every layer": Kind({}, throughout),
    "wrong pairs": Kind({}, steps=WrongPairs),
    "no labels": Kind({"conditional": False}),
    "random labels": Kind({}, labels=at_random),
    "fully connected": Kind({"learning_rate": 0.0002}, fully_connected),
    "fully connected, 0.001": Kind({"learning_rate": 0.001}, fully_connected),
    "fully connected, batch norm": Kind(
        {"learning_rate": 0.001}, functools.partial(fully_connected, norm=True)
    ),
    AUTHORS: Kind(
        {"learning_rate": 0.0002, "batch_size": 128, "latent": "uniform", "average": 0.0},
        of_the_authors,
        l2=2.5e-5,
    ),
}


def new_training(kind: Kind, config: Config, images: Images) -> Training:
    """Return a kind's training."""
    random = torch.Generator().manual_seed(config.seed + 10**6)  # not that of the latent vectors
    training = kind.steps(config, kind.labels(images, random), *kind.networks(config, random))
    for optimizer in training.optimizers.values():
        for group in optimizer.param_groups:
            group["weight_decay"] = kind.l2
    return training
