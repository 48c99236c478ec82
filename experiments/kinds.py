"""Images to put before a discriminator, to learn what it judges: notebook 11, section 6.

Pixels are (N, 1, 28, 28) uint8 unless a function says otherwise.
"""

import functools
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_utils.data import scale
from dcgan_utils.sampling import sample_new

from .inside import answers, answers_in_batches, images_for, resettled

BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1]) / 16  # a blur of one pixel's deviation


def blurred(pixels: Tensor) -> Tensor:
    """Return digits whose edges are one pixel softer."""
    soft = F.conv2d(pixels.float(), BINOMIAL.view(1, 1, 1, 5), padding=(0, 2))
    soft = F.conv2d(soft, BINOMIAL.view(1, 1, 5, 1), padding=(2, 0))
    return soft.round().to(torch.uint8)


def enlarged(small: Tensor) -> Tensor:
    """Return images (N, 1, 8, 8) from 0 to 1 at 20x20, amid black: (N, 1, 28, 28) uint8."""
    large = F.interpolate(small, (20, 20), mode="bicubic").clamp(0, 1)
    return F.pad((255 * large).round().to(torch.uint8), (4, 4, 4, 4))


def coarse(pixels: Tensor) -> Tensor:
    """Return digits with no more detail than the 8x8 digits of `other_hands` have."""
    inner = pixels[..., 4:24, 4:24].float() / 255  # where MNIST's digits lie
    return enlarged(F.interpolate(inner, (8, 8), mode="area"))


@functools.cache
def other_hands() -> Tensor:
    """Return 1,797 digits of other writers than MNIST's: those that ship with scikit-learn.

    43 people wrote them on a tablet in Turkey; they are kept at 8x8 (Alpaydin, Kaynak 1998).
    """
    from sklearn.datasets import load_digits

    small = torch.from_numpy(load_digits().images).float()[:, None] / 16
    return enlarged(small)


@functools.cache
def letters() -> Tensor:
    """Return 468 capital letters in a typeface that ships with Matplotlib, in places and sizes."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    file = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    drawn = []
    for size in (18, 22):
        font = ImageFont.truetype(file, size)
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            for place in range(9):
                page = Image.new("L", (28, 28))
                at = (13 + place % 3, 13 + place // 3)
                ImageDraw.Draw(page).text(at, letter, 255, font, anchor="mm")
                drawn.append(torch.frombuffer(bytearray(page.tobytes()), dtype=torch.uint8))
    return torch.stack(drawn).reshape(-1, 1, 28, 28)


def altered(digits: Tensor, random: torch.Generator) -> dict[str, Tensor]:
    """Return images that are no digits, or were, by name; made of digits or of nothing."""
    others = digits[torch.randperm(len(digits), generator=random)]
    half = torch.cat([digits[..., :14], others[..., 14:]], 3)
    return {
        "upside down": digits.flip(2, 3),
        "in a mirror": digits.flip(3),
        "left half of one, right of another": half,
        "blurred": blurred(digits),
        "coarse, 8×8": coarse(digits),
        "other hands, 8×8": other_hands(),
        "letters": letters(),
        "noise": torch.randint(256, digits.shape, generator=random).to(torch.uint8),
        "black": torch.zeros_like(digits),
    }


def before_d(
    learned: Tensor, held_out: Tensor, generators: Mapping[str, nn.Module], random: torch.Generator
) -> dict[str, Tensor]:
    """Return images (N, 1, 32, 32) in [-1, 1] of all kinds, by name.

    Parameters
    ----------
    learned, held_out
        Digits that D was trained on, and as many others.
    generators
        Whose samples to add, by the name that they get.
    random
        Where noise and partners come from.
    """
    kinds = {"held-out digits": images_for(held_out), "training digits": images_for(learned)}
    kinds |= {
        name: scale(sample_new(generator, len(held_out), "normal", seed=1))
        for name, generator in generators.items()
    }
    kinds |= {name: images_for(p) for name, p in altered(held_out, random).items()}
    return kinds | {"black and white swapped": -kinds["held-out digits"]}  # its frame as well


def settled_on_both(discriminator: nn.Module, real: Tensor, fake: Tensor) -> nn.Module:
    """Return D with statistics that are those of half real, half generated images (N, 1, 32, 32).

    Batches of 50 are all real or all generated, in turn, as in training.
    """
    return resettled(
        discriminator, [part for pair in zip(real.split(50), fake.split(50)) for part in pair]
    )


def verdicts(
    discriminator: nn.Module, settled: nn.Module, kinds: Mapping[str, Tensor]
) -> list[dict[str, Any]]:
    """Return what D says of each kind, in three modes.

    "As stored" is evaluation mode with the statistics that training left; "settled" is the same
    with those of `settled`; "in batches" takes the statistics of batches of one kind, as training
    does. `above` is how often an image of the kind gets a higher logit than a held-out digit.
    """
    from sklearn.metrics import roc_auc_score

    modes = {
        "as stored": lambda images: answers(discriminator.eval(), images),
        "settled": lambda images: answers(settled, images),
        "in batches": lambda images: answers_in_batches(discriminator, images),
    }
    rows = []
    for mode, ask in modes.items():
        usual = ask(kinds["held-out digits"])
        for kind, images in kinds.items():
            said = ask(images)
            truth = [0] * len(usual) + [1] * len(said)
            above = roc_auc_score(truth, torch.cat([usual, said]).numpy())
            cells = {"mean": f"{said.mean():.3f}", "deviation": f"{said.std():.3f}"}
            rows.append({"mode": mode, "kind": kind} | cells | {"above": f"{above:.3f}"})
    return rows
