"""What D computes on its way to a logit, and images to put before it.

Digits are (N, 1, 28, 28) uint8; images are what D of `classroom` sees, (N, 1, 32, 32) in [-1, 1].
"""

import copy
import itertools
import string
from collections.abc import Iterable

import matplotlib
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torchvision.transforms.functional import pil_to_tensor

from dcgan_utils.data import fit_images, scale
from dcgan_utils.networks import Discriminator, initialize_weights

BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1]) / 16  # a blur of one pixel's deviation
GRID = 4  # each map is pooled to this many places a side, as in section 5 of the paper


def images_for(digits: Tensor) -> Tensor:
    """Return digits as images."""
    return scale(fit_images(digits, 32, "pad"))


def untrained(seed: int) -> Discriminator:
    """Return a discriminator with random weights, as a run of `classroom` begins with."""
    network = Discriminator(32, 1, 32, first_bias=True)
    initialize_weights(network, torch.Generator().manual_seed(seed))
    return network


def with_statistics_of(network: Discriminator, batches: Iterable[Tensor]) -> Discriminator:
    """Return a copy in evaluation mode; its running statistics are the means over some batches."""
    network = copy.deepcopy(network)
    update_bn(batches, network)
    return network.eval()


@torch.no_grad()
def hidden_maps(network: Discriminator, images: Tensor) -> list[Tensor]:
    """Return each LeakyReLU's output: (N, 32, 16, 16), (N, 64, 8, 8) and (N, 128, 4, 4)."""
    found = []
    for layer in network.main[:-1]:
        images = torch.cat([layer(part) for part in images.split(500)])  # keeps memory low
        if isinstance(layer, nn.LeakyReLU):
            found.append(images)
    return found


def features(network: Discriminator, digits: Tensor) -> list[Tensor]:
    """Return each layer's maps, max-pooled to 4x4: (N, 512), (N, 1024) and (N, 2048).

    D is in evaluation mode. Radford, Metz, Chintala (2015), arXiv:1511.06434, section 5.
    """
    pooled = [
        [F.adaptive_max_pool2d(maps, GRID).flatten(1) for maps in hidden_maps(network, images)]
        for images in map(images_for, digits.split(500))
    ]
    return [torch.cat(parts) for parts in zip(*pooled)]


@torch.no_grad()
def logits_for(network: nn.Module, images: Tensor) -> Tensor:
    """Return what a network says of images, (N,); in training mode, of each full batch of 32."""
    size = 32 if network.training else 500
    parts = [part for part in images.split(size) if len(part) == size or not network.training]
    return torch.cat([network(part) for part in parts])


def share_above(some: Tensor, others: Tensor) -> float:
    """Return in which share of all pairs one of some has the higher logit, not one of others.

    Equal ones count half: the area under the ROC curve.
    """
    return float(roc_auc_score([1] * len(some) + [0] * len(others), torch.cat([some, others])))


def letters() -> Tensor:
    """Return 468 capital letters in a typeface that ships with Matplotlib, in places and sizes."""
    file = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    drawn = []
    for size, letter, place in itertools.product((18, 22), string.ascii_uppercase, range(9)):
        page, font = Image.new("L", (28, 28)), ImageFont.truetype(file, size)
        at = (13 + place % 3, 13 + place // 3)
        ImageDraw.Draw(page).text(at, letter, 255, font, anchor="mm")
        drawn.append(pil_to_tensor(page))
    return torch.stack(drawn)


def altered(digits: Tensor, random: torch.Generator) -> dict[str, Tensor]:
    """Return images that are no digits, or were, by name; made of digits or of nothing."""
    others = digits[torch.randperm(len(digits), generator=random)]
    soft = F.conv2d(digits.float(), BINOMIAL.outer(BINOMIAL)[None, None], padding=2)
    made = {
        "upside down": digits.flip(2, 3),
        "halves of two digits": torch.cat([digits[..., :14], others[..., 14:]], 3),
        "letters": letters(),
        "blurred": soft.round().to(torch.uint8),
        "noise": torch.randint(256, digits.shape, generator=random).to(torch.uint8),
    }
    images = {name: images_for(pixels) for name, pixels in made.items()}
    return images | {"inverted": -images_for(digits)}  # its frame as well
