"""The generator and the discriminator of Radford et al. (2015), for any power-of-two image size.

Notebook 04 builds both a layer at a time. With `classes` they are conditional: the label stands
beside z and beside the image. Their outermost layers are those of `layers`, for speed.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

from . import layers as fast
from .config import Config, UserError


def feature_widths(image_size: int, width: int) -> list[int]:
    """Return the number of feature maps at sizes 4, 8, ..., half of `image_size`."""
    doublings = math.log2(image_size) - 3
    if not doublings.is_integer() or doublings < 1:
        raise UserError(f"image_size is {image_size}; allowed: a power of two, 16 or more.")
    return [width * 2**power for power in range(int(doublings), -1, -1)]


class Generator(nn.Module):
    """Latent vectors to images, by fractional-strided convolutions.

    Batch norm and ReLU follow every layer but the last, which ends in Tanh and has `width` feature
    maps before it. Labels, if `classes` is not 0, are given one-hot beside z. Radford, Metz,
    Chintala (2015), arXiv:1511.06434, section 3 and figure 1; labels: Mirza, Osindero (2014),
    arXiv:1411.1784, and the authors' program for MNIST.
    """

    def __init__(
        self, image_size: int, channels: int, latent_size: int, width: int, classes: int = 0
    ):
        super().__init__()
        self.image_size, self.latent_size, self.classes = image_size, latent_size, classes
        if classes:  # in the state dict, as a float: an average of buffers is taken like of weights
            self.register_buffer("number_of_classes", torch.tensor(float(classes)))
        widths = feature_widths(image_size, width)
        layers: list[nn.Module] = []
        for before, after in zip([latent_size + classes, *widths], widths):
            stride, padding = (2, 1) if layers else (1, 0)  # 1x1 to 4x4, then twice the size
            layer = nn.ConvTranspose2d if layers else fast.ConvTranspose2d
            layers += [
                layer(before, after, 4, stride, padding, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        layers += [fast.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw images (B, channels, S, S) in [-1, 1], of the classes that labels (B,) name.

        z is (B, latent_size), or (B, latent_size, 1, 1) as most tutorials shape it.
        """
        z = z.reshape(len(z), self.latent_size)
        _require_labels(self, labels)
        if labels is not None:
            z = torch.cat([z, one_hot(labels, self.classes).to(z.dtype)], dim=1)
        return self.main(z[:, :, None, None])


class Discriminator(nn.Module):
    """Images to one logit each, by strided convolutions: above 0 means "real".

    LeakyReLU, of slope `leak` below zero, follows every layer but the last; batch norm all but the
    first and the last. The paper's final sigmoid is left to the loss, which is then safe from
    overflow. Radford, Metz, Chintala (2015), arXiv:1511.06434, section 3.

    Parameters
    ----------
    first_bias
        Give the first layer a bias, as PyTorch's and the authors' programs do not. Without one D is
        blind to the contrast of a batch: the first batch norm divides by it; see notebook 05.
    classes
        Labels, given as a map of ones for the image's own class and of zeros for the others.
    spectral_norm
        Divide each layer's weights by their largest singular value, and leave out batch norm.
        Miyato et al. (2018), arXiv:1802.05957.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        width: int,
        leak: float = 0.2,
        first_bias: bool = False,
        classes: int = 0,
        spectral_norm: bool = False,
    ):
        super().__init__()
        self.image_size, self.classes = image_size, classes
        if classes:
            self.register_buffer("number_of_classes", torch.tensor(float(classes)))
        normalized = parametrizations.spectral_norm if spectral_norm else lambda layer: layer
        widths = feature_widths(image_size, width)[::-1]
        layers: list[nn.Module] = [
            normalized(fast.Conv2d(channels + classes, width, 4, 2, 1, bias=first_bias)),
            nn.LeakyReLU(leak, inplace=True),
        ]
        for before, after in zip(widths, widths[1:]):
            layers += [
                normalized(nn.Conv2d(before, after, 4, 2, 1, bias=spectral_norm)),
                *([] if spectral_norm else [nn.BatchNorm2d(after)]),
                nn.LeakyReLU(leak, inplace=True),
            ]
        layers.append(normalized(fast.Conv2d(widths[-1], 1, 4, 1, 0, bias=False)))
        self.main = nn.Sequential(*layers)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (B,), whose `torch.sigmoid` is the probability D(x) of "real".

        Images are (B, channels, S, S) in [-1, 1]; labels (B,) say what each is to show.
        """
        _require_labels(self, labels)
        if labels is not None:
            maps = one_hot(labels, self.classes).to(images.dtype)[:, :, None, None]
            images = torch.cat([images, maps.expand(-1, -1, *images.shape[2:])], dim=1)
        return self.main(images).reshape(-1)


def _require_labels(network: Generator | Discriminator, labels: Tensor | None) -> None:
    if (labels is None) != (network.classes == 0):
        needs = f"one label, 0 to {network.classes - 1}," if network.classes else "no labels"
        raise UserError(f"This {type(network).__name__} takes {needs} for each image.")


def new_networks(
    config: Config,
    channels: int,
    classes: int,
    random: torch.Generator,
    layout: torch.memory_format = torch.contiguous_format,
) -> tuple[Generator, Discriminator]:
    """Return G and D as the settings describe them, on the device of `random`, which draws them."""
    size, labels = config.image_size, classes if config.conditional else 0
    generator = Generator(size, channels, config.latent_size, config.width, labels)
    discriminator = Discriminator(
        size, channels, config.width, config.leak, config.first_bias, labels, config.spectral_norm
    )
    for network in (generator, discriminator):
        network.to(random.device).to(memory_format=layout)
        initialize_weights(network, random, config.initial_std)
    return generator, discriminator


def initialize_weights(network: nn.Module, generator: torch.Generator, std: float = 0.02) -> None:
    """Draw a network's weights as the paper says (section 4), from a generator on its device.

    Convolutions from N(0, std^2), batch norm's gamma from N(1, std^2), every bias 0. That gamma is
    centered on 1 comes from the authors' code: the paper gives 0.02 for "all weights".
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                if is_parametrized(module, "weight"):  # by spectral norm, from another tensor
                    spectral = cast(Any, module.parametrizations).weight
                    for drawn in (spectral.original, *spectral.buffers()):  # weights, its vectors
                        drawn.normal_(0.0, std, generator=generator)
                    mode = spectral.training
                    spectral.train()  # in which each reading is a step of the power iteration
                    for _ in range(15):  # as many as PyTorch begins with
                        _ = module.weight
                    spectral.train(mode)
                else:
                    module.weight.normal_(0.0, std, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1.0, std, generator=generator)
                module.bias.zero_()
