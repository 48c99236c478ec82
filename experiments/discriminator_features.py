"""What D computes on its way to a logit, where it looks, and images to put before it.

Digits are (N, 1, 28, 28) uint8; images are what D of `classroom` sees, (N, 1, 32, 32) in [-1, 1].
"""

import copy
import itertools
import string
from collections.abc import Iterable, Sequence

import matplotlib
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from scipy import stats
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor

from dcgan_utils.data import fit_images, scale
from dcgan_utils.networks import Discriminator, initialize_weights

GRID = 4  # each map is pooled to this many places a side, as in section 5 of the paper
SQUARE, STEP = 8, 4  # pixels: side of a square, and from one square to the next
BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1]) / 16  # a blur of one pixel's deviation


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
    network = copy.deepcopy(network).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over all batches
    with torch.no_grad():
        for batch in batches:
            network(batch)
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


def features(network: Discriminator, digits: Tensor, layers: Sequence[int] = (1, 2, 3)) -> Tensor:
    """Return hidden maps of some layers, max-pooled to 4x4: (N, 512 + 1024 + 2048) of all three.

    D is in evaluation mode. Radford, Metz, Chintala (2015), arXiv:1511.06434, section 5.
    """
    parts = []
    for part in digits.split(500):
        maps = hidden_maps(network, images_for(part))
        pooled = [F.adaptive_max_pool2d(maps[layer - 1], GRID).flatten(1) for layer in layers]
        parts.append(torch.cat(pooled, 1))
    return torch.cat(parts)


@torch.no_grad()
def logits_for(network: nn.Module, images: Tensor) -> Tensor:
    """Return what a network says of images, (N,); in training mode, of each full batch of 32."""
    size = 32 if network.training else 500
    parts = [part for part in images.split(size) if len(part) == size or not network.training]
    return torch.cat([network(part) for part in parts])


def guided(layers: nn.Sequential, images: Tensor) -> Tensor:
    """Return what layers make of images, with a guided way back.

    Through a LeakyReLU a gradient passes only where it and the input are positive. Springenberg et
    al. (2014), arXiv:1412.6806, section 3.4.
    """
    for layer in layers:
        if isinstance(layer, nn.LeakyReLU):
            positive = F.relu(images)
            positive.register_hook(lambda gradient: gradient.clamp(min=0))
            images = positive + (F.leaky_relu(images, layer.negative_slope) - positive).detach()
        else:
            images = layer(images)
    return images


def gradient_maps(network: Discriminator, images: Tensor, is_guided: bool = False) -> Tensor:
    """Return the gradient of each image's logit by its pixels: (N, 1, 32, 32)."""
    images = images.clone().requires_grad_()
    logits = guided(network.main, images) if is_guided else network(images)
    return torch.autograd.grad(logits.sum(), images)[0]


def with_random_top(network: Discriminator, layers: int, images: Tensor) -> Discriminator:
    """Return a copy whose last convolutions, `layers` of them, have random weights.

    Batch norm behind them begins anew; running statistics are those of the images.
    """
    network, random = copy.deepcopy(network), torch.Generator().manual_seed(0)
    for layer in reversed(network.main):
        if isinstance(layer, nn.Conv2d) and layers:
            layer.weight.data.normal_(0, 0.02, generator=random)
            layers -= 1
        elif isinstance(layer, nn.BatchNorm2d) and layers:
            layer.reset_parameters()
    return with_statistics_of(network, images.split(100))


def rank_correlations(some: Tensor, others: Tensor) -> Tensor:
    """Return Spearman's correlation of the absolute values in maps (N, 1, 32, 32) each: (N,)."""
    pairs = zip(some.abs().flatten(1), others.abs().flatten(1))
    return torch.tensor([stats.spearmanr(*pair).statistic for pair in pairs])


def squares() -> Tensor:
    """Return where each square of an image lies, (49, 32, 32) bool, row by row."""
    first, pixels = torch.arange(0, 32 - SQUARE + 1, STEP)[:, None], torch.arange(32)
    covered = (pixels >= first) & (pixels < first + SQUARE)  # (7, 32)
    return (covered[:, None, :, None] & covered[:, None]).flatten(0, 1)


def occlusion_maps(network: nn.Module, images: Tensor) -> Tensor:
    """Return how much each square's blackening raises the logit: (N, 49)."""
    after = [logits_for(network, images.masked_fill(square, -1)) for square in squares()]
    return torch.stack(after, 1) - logits_for(network, images)[:, None]


def control_places(images: Tensor, places: Tensor) -> Tensor:
    """Return for each image a square (N,) with about as much ink as `places` (N,), apart from it.

    Squares are named by their number.
    """
    ink = F.unfold(images, SQUARE, stride=STEP).sum(1)  # (N, 49)
    difference = (ink - ink.gather(1, places[:, None])).abs()
    pixels = squares().flatten(1).float()
    touching = (pixels @ pixels.T > 0)[places]  # (N, 49)
    return difference.masked_fill(touching, torch.inf).argmin(1)


def exchanged(images: Tensor, places: Tensor, others: Tensor) -> Tensor:
    """Return images in which a square each, `places` (N,), is that of another image.

    Of the others, it is the one whose square at the same place is most like it.
    """
    result = images.clone()
    for place, square in enumerate(squares()):
        chosen = places == place
        own, tried = images[chosen][..., square], others[..., square]  # (n, 1, SQUARE * SQUARE)
        nearest = torch.cdist(own.flatten(1), tried.flatten(1)).argmin(1)
        result[chosen] = torch.where(square, others[nearest], images[chosen])
    return result


def most_exciting(maps: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which images excite each unit of maps (N, C, S, S) most, and where: (C, count) each.

    An image counts once, at its largest value; places in a map are counted row by row.
    """
    values, places = maps.flatten(2).max(2)  # (N, C)
    images = values.topk(count, 0).indices  # (count, C)
    return images.T, places.gather(0, images).T


def enlarged(small: Tensor) -> Tensor:
    """Return images (N, 1, 8, 8) from 0 to 1 as digits of 20x20, amid black."""
    large = F.interpolate(small, (20, 20), mode="bicubic").clamp(0, 1)
    return F.pad((255 * large).round().to(torch.uint8), (4, 4, 4, 4))


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
    """Return images that are no digits, or were, by name; made of digits or of nothing.

    The other hands are 43 people's in Turkey, who wrote on a tablet: scikit-learn's 1,797 digits,
    kept at 8x8 (Alpaydin, Kaynak 1998).
    """
    soft = F.conv2d(digits.float(), BINOMIAL.outer(BINOMIAL)[None, None], padding=2)
    inner = digits[..., 4:24, 4:24].float() / 255  # where MNIST's digits lie
    others = digits[torch.randperm(len(digits), generator=random)]
    hands = torch.from_numpy(load_digits().images).float()[:, None] / 16
    return {
        "upside down": digits.flip(2, 3),
        "in a mirror": digits.flip(3),
        "left half of one, right of another": torch.cat([digits[..., :14], others[..., 14:]], 3),
        "blurred": soft.round().to(torch.uint8),
        "coarse, 8×8": enlarged(F.interpolate(inner, (8, 8), mode="area")),
        "other hands, 8×8": enlarged(hands),
        "letters": letters(),
        "noise": torch.randint(256, digits.shape, generator=random).to(torch.uint8),
        "black": torch.zeros_like(digits),
    }
