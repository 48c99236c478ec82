"""Checkers of notebook 14, your own images."""

import torch
from torch import Tensor

from dcgan_utils import exercises as ex
from dcgan_utils.data import fit_images


@ex.exercise("14.1")
def check_portrait(function: ex.Function) -> None:
    """Check exercise 14.1: a square window from the upper part of a portrait."""
    random = torch.Generator().manual_seed(0)
    for height, width, size in ((60, 40, 32), (90, 41, 16), (40, 70, 32), (32, 32, 32)):
        image = torch.randint(0, 256, (3, height, width), generator=random).to(torch.uint8)
        case = ex.text("case", height=height, width=width, size=size)
        got = ex.require_tensor(function(image, size), (3, size, size), case, torch.uint8)
        side, spare = min(height, width), max(0, height - width)

        def window(top: int, left: int, image: Tensor = image, to: tuple = (side, size)) -> Tensor:
            part = image[None, :, top : top + to[0], left : left + to[0]]
            return fit_images(part, to[1], "resize")[0]

        left = (width - side) // 2
        mistakes = {
            "middle": window(spare // 2, left),
            "top": window(0, left),
            "bottom": window(spare - spare // 4, left),
            "left": window(spare // 4, 0),
        }
        ex.require_close(got, window(spare // 4, left), case, mistakes)


@ex.exercise("14.2")
def check_duplicates(function: ex.Function) -> None:
    """Check exercise 14.2: all pairs of images that are near one another, mirrored ones, too."""
    random = torch.Generator().manual_seed(0)
    for count in (6, 30):
        pixels = torch.randint(0, 256, (count, 3, 8, 8), generator=random).to(torch.uint8)
        pixels[4], pixels[2] = pixels[1], pixels[0].flip(-1)
        moved = pixels[3].int() + torch.randint(-5, 6, (3, 8, 8), generator=random)
        pixels[5] = moved.clamp(0, 255).to(torch.uint8)  # 3 gray levels away
        pairs = ex.require_type(function(pixels, 4.0), (list, tuple, set), "pairs")
        got = [tuple(ex.require_numbers(pair, 2)) for pair in pairs]
        case = ex.text("case", count=count)
        if any(i == j for i, j in got):
            raise ex.Wrong("itself", case)
        if any(i > j for i, j in got) or len(set(got)) < len(got):
            raise ex.Wrong("twice", case)
        for pair, key in (((1, 4), "copy"), ((3, 5), "near"), ((0, 2), "mirrored")):
            if pair not in got:
                raise ex.Wrong(key, case)
        if len(got) > 3:
            raise ex.Wrong("too_many", case, got=len(got))


@ex.exercise("14.3")
def check_choice(function: ex.Function) -> None:
    """Check exercise 14.3: the rate and the steps with the least mean of three records in a row."""
    random = torch.Generator().manual_seed(0)
    for best in range(3):
        runs = {}
        for place, rate in enumerate((0.0002, 0.001, 0.005)):
            valley = torch.linspace(-1, 2, 20).square() + 0.5 * (place != best)
            runs[rate] = (valley + 0.02 * torch.rand(20, generator=random)).tolist()
        rate = [*runs][best]
        runs[[*runs][best - 1]][14] = -0.4  # one lucky record
        means = torch.tensor(runs[rate]).unfold(0, 3, 1).mean(1)
        steps = 100 * (int(means.argmin()) + 2)
        got = tuple(ex.require_numbers(function(runs), 2))
        records: dict[tuple[float, ...], float] = {
            (r, 100 * k): value for r, v in runs.items() for k, value in enumerate(v, 1)
        }
        mistakes: dict[tuple[float, ...], str] = {
            min(records, key=records.__getitem__): "lucky",
            (rate, steps - 100): "edge",
            (rate, steps + 100): "edge",
            (rate, 2000): "last",
        }
        if got != (rate, steps):
            hint = ex.text(mistakes.get(got, "elsewhere"))
            raise ex.Wrong("choice", got_rate=got[0], got_steps=got[1], hint=hint)
