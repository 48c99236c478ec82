"""The generator and the discriminator of Radford et al. (2015), for any power-of-two image size.

No pooling and no fully connected layer: every change of size is a strided or a fractional-strided
convolution. Notebook 04 builds both a layer at a time.
"""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .config import UserError


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

    References
    ----------
    Radford, Metz, Chintala (2015), arXiv:1511.06434, section 3 and figure 1.
    """

    def __init__(self, image_size: int, channels: int, latent_size: int, width: int):
        super().__init__()
        self.latent_size = latent_size
        widths = feature_widths(image_size, width)
        layers: list[nn.Module] = []
        for before, after in zip([latent_size, *widths], widths):
            stride, padding = (2, 1) if layers else (1, 0)  # 1x1 to 4x4, then twice the size
            layers += [
                nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Draw one image for each latent vector.

        Parameters
        ----------
        z
            (B, latent_size), or (B, latent_size, 1, 1) as most tutorials shape it.

        Returns
        -------
        Tensor
            (B, channels, image_size, image_size), in [-1, 1].
        """
        return self.main(z.reshape(len(z), self.latent_size, 1, 1))


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
        so D(a x) = D(x) but for batch norm's epsilon. Most programs, and the authors' own, have
        none; notebook 05 shows what follows.

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
    ):
        super().__init__()
        widths = feature_widths(image_size, width)[::-1]
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 4, 2, 1, bias=first_bias),
            nn.LeakyReLU(leak, inplace=True),
        ]
        for before, after in zip(widths, widths[1:]):
            layers += [
                nn.Conv2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(leak, inplace=True),
            ]
        layers.append(nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False))
        self.main = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Judge each image.

        Parameters
        ----------
        images
            (B, channels, image_size, image_size), in [-1, 1].

        Returns
        -------
        Tensor
            (B,) logits; `torch.sigmoid` turns one into the probability D(x) of "real".
        """
        return self.main(images).reshape(-1)


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


def draw_latents(count: int, size: int, kind: str, generator: torch.Generator) -> Tensor:
    """Draw latent vectors.

    Parameters
    ----------
    count, size
        How many vectors, and how many numbers in each.
    kind
        "normal" for N(0, 1), "uniform" for [-1, 1] as in the paper.
    generator
        Where the random numbers come from; its device is the result's.

    Returns
    -------
    Tensor
        (count, size) float32.

    Raises
    ------
    UserError
        If `kind` is neither of the two.
    """
    z = torch.empty(count, size, device=generator.device)
    if kind == "normal":
        return z.normal_(generator=generator)
    if kind == "uniform":
        return z.uniform_(-1.0, 1.0, generator=generator)
    raise UserError(f"latent is {kind!r}; allowed: normal or uniform.")


def network_from_weights(weights: Mapping[str, Tensor]) -> Generator | Discriminator:
    """Build the network that a state dict belongs to, from the shapes in it alone.

    Files from the common tutorial programmes fit as they are, also with the `module.` prefix that
    `DataParallel` leaves. A state dict does not hold LeakyReLU's slope: 0.2 is assumed.

    Parameters
    ----------
    weights
        A state dict with the names `main.0.weight` and so on.

    Returns
    -------
    Generator or Discriminator
        With the weights loaded, on the CPU, in training mode as new modules are.

    Raises
    ------
    UserError
        If the weights are of another architecture.
    """
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    convolutions = [value for value in weights.values() if value.ndim == 4]
    names_fit = all(re.fullmatch(r"main\.\d+\.\w+", name) for name in weights)
    if not names_fit or len(convolutions) < 3:
        raise UserError(
            "These weights are not a DCGAN's: main.0.weight, main.1.weight ... expected."
        )
    image_size = 2 ** (len(convolutions) + 1)
    first, second, last = convolutions[0], convolutions[1], convolutions[-1]
    # A transposed convolution stores (in, out, 4, 4), a convolution (out, in, 4, 4).
    if second.shape[0] == first.shape[1]:
        network = Generator(
            image_size, last.shape[1], latent_size=first.shape[0], width=last.shape[0]
        )
    else:
        network = Discriminator(
            image_size, first.shape[1], width=first.shape[0], first_bias="main.0.bias" in weights
        )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[1:2] or [str(error)]
        raise UserError(
            f"These weights are not of this course's DCGAN ({image_size}x{image_size}): "
            f"{reason[0].strip()}"
        ) from error
    return network
