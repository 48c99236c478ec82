"""The generator and the discriminator of Radford et al. (2015), for any power-of-two image size.

No pooling and no fully connected layer: every change of size is a strided or a fractional-strided
convolution. Notebook 04 builds both a layer at a time. With `classes` they are conditional: the
label stands beside z and beside the image. Their outermost layers are those of `products`, which
compute the same faster.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from . import products
from .config import Config, UserError


def feature_widths(image_size: int, width: int) -> list[int]:
    """Return the number of feature maps at each size, from 4x4 up to half the image.

    Parameters
    ----------
    image_size
        Side of the image in pixels, a power of two, 16 or more.
    width
        Feature maps in the layer beside the image.

    Returns
    -------
    list of int
        The widths at sizes 4, 8, ..., `image_size` / 2.

    Examples
    --------
    The paper's network (Radford et al. 2015, figure 1):

    >>> feature_widths(64, 128)
    [1024, 512, 256, 128]
    """
    doublings = math.log2(image_size) - 3
    if not doublings.is_integer() or doublings < 1:
        raise UserError(f"image_size is {image_size}; allowed: a power of two, 16 or more.")
    return [width * 2**power for power in range(int(doublings), -1, -1)]


class Generator(nn.Module):
    """Latent vectors to images, by fractional-strided convolutions.

    Batch norm and ReLU follow every layer but the last, which ends in Tanh.

    Parameters
    ----------
    image_size
        Side of the image in pixels, a power of two, 16 or more.
    channels
        Channels of the image: 1 for gray, 3 for color.
    latent_size
        Numbers in one latent vector.
    width
        Feature maps in the layer beside the image.
    classes
        Labels that the generator is told, one-hot, beside z; 0 for a generator without labels.

    References
    ----------
    Radford, Metz, Chintala (2015), arXiv:1511.06434, section 3 and figure 1. The label beside z:
    Mirza, Osindero (2014), arXiv:1411.1784, and the authors' program for MNIST.
    """

    def __init__(
        self, image_size: int, channels: int, latent_size: int, width: int, classes: int = 0
    ):
        super().__init__()
        self.image_size, self.latent_size, self.classes = image_size, latent_size, classes
        _store_classes(self, classes)
        widths = feature_widths(image_size, width)
        layers: list[nn.Module] = []
        for before, after in zip([latent_size + classes, *widths], widths):
            stride, padding = (2, 1) if layers else (1, 0)  # 1x1 to 4x4, then twice the size
            layer = nn.ConvTranspose2d if layers else products.ConvTranspose2d
            layers += [
                layer(before, after, 4, stride, padding, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        layers += [products.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw one image for each latent vector.

        Parameters
        ----------
        z
            (B, latent_size), or (B, latent_size, 1, 1) as most tutorials shape it.
        labels
            (B,) int64, which class to draw; only for a conditional generator.

        Returns
        -------
        Tensor
            (B, channels, image_size, image_size), in [-1, 1].

        Raises
        ------
        UserError
            If labels are missing, or given to a generator that takes none.
        """
        z = z.reshape(len(z), self.latent_size)
        _require_labels(self, labels)
        if labels is not None:
            z = torch.cat([z, one_hot(labels, self.classes).to(z.dtype)], dim=1)
        return self.main(z[:, :, None, None])


class Discriminator(nn.Module):
    """Images to one logit each, by strided convolutions: above 0 means "real".

    LeakyReLU follows every layer but the last; batch norm all but the first and the last. The
    paper's final sigmoid is left to the loss, which is then safe from overflow.

    Parameters
    ----------
    image_size, channels, width
        As for `Generator`.
    leak
        Slope of LeakyReLU below zero.
    first_bias
        Give the first layer a bias. Without one D is blind to the contrast of a batch: a
        convolution and LeakyReLU pass a factor a > 0 on, and the first batch norm divides by it,
        so D(a x) = D(x) but for batch norm's epsilon. PyTorch's and the authors' own programs have
        none, TensorFlow's has; notebook 05 shows what follows.
    classes
        Labels that D is told, as a map of ones for the image's own class and maps of zeros for the
        others, beside the image; 0 for none.

    References
    ----------
    Radford, Metz, Chintala (2015), arXiv:1511.06434, section 3.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        width: int,
        leak: float = 0.2,
        first_bias: bool = False,
        classes: int = 0,
    ):
        super().__init__()
        self.image_size, self.classes = image_size, classes
        _store_classes(self, classes)
        widths = feature_widths(image_size, width)[::-1]
        layers: list[nn.Module] = [
            products.Conv2d(channels + classes, width, 4, 2, 1, bias=first_bias),
            nn.LeakyReLU(leak, inplace=True),
        ]
        for before, after in zip(widths, widths[1:]):
            layers += [
                nn.Conv2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(leak, inplace=True),
            ]
        layers.append(products.Conv2d(widths[-1], 1, 4, 1, 0, bias=False))
        self.main = nn.Sequential(*layers)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Judge each image.

        Parameters
        ----------
        images
            (B, channels, image_size, image_size), in [-1, 1].
        labels
            (B,) int64, what each image is said to show; only for a conditional discriminator.

        Returns
        -------
        Tensor
            (B,) logits; `torch.sigmoid` turns one into the probability D(x) of "real".

        Raises
        ------
        UserError
            If labels are missing, or given to a discriminator that takes none.
        """
        _require_labels(self, labels)
        if labels is not None:
            told = one_hot(labels, self.classes).to(images.dtype)[:, :, None, None]
            images = torch.cat([images, told.expand(-1, -1, *images.shape[2:])], dim=1)
        return self.main(images).reshape(-1)


def _store_classes(network: nn.Module, classes: int) -> None:
    """Write the number of classes into a conditional network's state dict; others hold no trace.

    As a float, since an average of its buffers is taken like that of the weights.
    """
    if classes:
        network.register_buffer("number_of_classes", torch.tensor(float(classes)))


def _require_labels(network: Generator | Discriminator, labels: Tensor | None) -> None:
    if (labels is None) != (network.classes == 0):
        kind = type(network).__name__
        raise UserError(
            f"This {kind} is conditional: give it one label (0 to {network.classes - 1}) an image."
            if network.classes
            else f"This {kind} takes no labels. Make it with classes=10 for ten classes."
        )


def new_networks(
    config: Config,
    channels: int,
    classes: int,
    random: torch.Generator,
    layout: torch.memory_format = torch.contiguous_format,
) -> tuple[Generator, Discriminator]:
    """Return G and D as the settings describe them, with their initial weights.

    Parameters
    ----------
    config
        The settings.
    channels
        Channels of an image.
    classes
        Classes of the data; used only if `config.conditional`.
    random
        Where the weights come from; on its device the networks are made.
    layout
        How weights lie in memory; random numbers are handed out in that order.
    """
    size, told = config.image_size, classes if config.conditional else 0
    generator = Generator(size, channels, config.latent_size, config.width, told)
    discriminator = Discriminator(
        size, channels, config.width, config.leak, config.first_bias, told
    )
    for network in (generator, discriminator):
        network.to(random.device).to(memory_format=layout)
        initialize_weights(network, random, config.initial_std)
    return generator, discriminator


def initialize_weights(network: nn.Module, generator: torch.Generator, std: float = 0.02) -> None:
    """Draw the weights as the paper says, in place.

    Convolutions from N(0, std^2), batch norm's gamma from N(1, std^2), every bias 0. The paper
    gives 0.02, the standard deviation, for "all weights"; that gamma is centered on 1 comes from
    its authors' code.

    Parameters
    ----------
    network
        A generator or discriminator.
    generator
        Where the random numbers come from; on the device of the network.
    std
        Standard deviation of the weights.

    References
    ----------
    Radford, Metz, Chintala (2015), arXiv:1511.06434, section 4.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.weight.normal_(0.0, std, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1.0, std, generator=generator)
                module.bias.zero_()
