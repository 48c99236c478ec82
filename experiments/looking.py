"""Where a discriminator looks: gradients, guided or plain, occlusion, and patches put in its way.

Used by notebook 11, sections 3 to 5, and by `experiments.features`, which measures three runs.
"""

import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.data import Images, unscale
from dcgan_utils.networks import Discriminator

from .inside import answers, hidden_maps, images_for, resettled

WINDOW, STEP = 8, 4  # pixels: side of an occluded square, and from one square to the next


class Guided(torch.autograd.Function):
    """LeakyReLU whose way back lets a gradient pass where it and the input are positive only."""

    @staticmethod
    def forward(ctx, values: Tensor, leak: float) -> Tensor:  # type: ignore[no-untyped-def]
        """Compute LeakyReLU as it is."""
        ctx.save_for_backward(values)
        return F.leaky_relu(values, leak)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        """Pass on what is positive, where the input was."""
        (values,) = ctx.saved_tensors
        return gradient.clamp(min=0) * (values > 0), None


def run_through(layers: nn.Sequential, images: Tensor, guided: bool) -> Tensor:
    """Return what layers make of images; `guided` changes only the way back through LeakyReLU."""
    for layer in layers:
        if isinstance(layer, nn.LeakyReLU):
            leak = layer.negative_slope
            images = Guided.apply(images, leak) if guided else F.leaky_relu(images, leak)
        else:
            images = layer(images)
    return images


def gradient_maps(network: Discriminator, images: Tensor, guided: bool = False) -> Tensor:
    """Return the gradient of each image's logit by its pixels, plain or guided: (N, 1, 32, 32).

    References
    ----------
    Springenberg et al. (2014), arXiv:1412.6806, section 3.4: guided backpropagation.
    """
    images = images.clone().requires_grad_()
    (found,) = torch.autograd.grad(run_through(network.main, images, guided).sum(), images)
    return found


def with_random_top(network: Discriminator, layers: int, settle: Tensor, seed: int) -> nn.Module:
    """Return a copy whose last convolutions, `layers` of them, have random weights.

    Batch norm behind them begins anew, and its statistics are settled on images.
    """
    network, left = copy.deepcopy(network), layers
    random = torch.Generator().manual_seed(seed)
    for layer in reversed(network.main):
        if isinstance(layer, nn.Conv2d) and left:
            layer.weight.data.normal_(0, 0.02, generator=random)
            left -= 1
        elif isinstance(layer, nn.BatchNorm2d) and left:
            layer.reset_parameters()
    return resettled(network, settle.split(100))


def rank_correlations(some: Tensor, others: Tensor) -> np.ndarray:
    """Return Spearman's correlation of the pixels' sizes, (N,) for maps (N, 1, S, S) each."""
    from scipy import stats

    pairs = zip(some.abs().flatten(1).numpy(), others.abs().flatten(1).numpy())
    return np.array([stats.spearmanr(a, b).statistic for a, b in pairs])


def windows(side: int) -> list[tuple[int, int]]:
    """Return the upper left corners of all squares, row by row."""
    places = range(0, side - WINDOW + 1, STEP)
    return [(top, left) for top in places for left in places]


def occlusion_maps(network: nn.Module, images: Tensor) -> Tensor:
    """Return how much each square's blackening raises the logit: (N, squares)."""
    before, raised = answers(network, images), []
    for top, left in windows(images.shape[-1]):
        covered = images.clone()
        covered[..., top : top + WINDOW, left : left + WINDOW] = -1
        raised.append(answers(network, covered) - before)
    return torch.stack(raised, 1)


def squares_of(images: Tensor) -> Tensor:
    """Return all squares of images (N, 1, S, S): (N, squares, WINDOW * WINDOW)."""
    return F.unfold(images, WINDOW, stride=STEP).transpose(1, 2)


def control_places(images: Tensor, places: Tensor) -> Tensor:
    """Return for each image another square, (N,), that has about as much ink and does not touch it.

    Parameters
    ----------
    images
        (N, 1, S, S), in [-1, 1].
    places
        (N,), the square that was chosen, by its number.
    """
    ink = squares_of(images).sum(2)  # (N, squares)
    corners = torch.tensor(windows(images.shape[-1]))
    apart = (corners[places][:, None] - corners).abs().amax(2) >= WINDOW  # (N, squares)
    away = (ink - ink.gather(1, places[:, None])).abs()
    return away.masked_fill(~apart, torch.inf).argmin(1)


def exchanged(images: Tensor, places: Tensor, others: Tensor) -> Tensor:
    """Return images in which one square each is that of another set which is most like it.

    Parameters
    ----------
    images
        (N, 1, S, S).
    places
        (N,), which square of each.
    others
        (M, 1, S, S), whose squares at the same place are tried.
    """
    result, corners = images.clone(), windows(images.shape[-1])
    for place in places.unique().tolist():
        top, left = corners[place]
        part = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
        chosen = (places == place).nonzero()[:, 0]
        own, tried = images[chosen][part].flatten(1), others[part].flatten(1)
        nearest = torch.cdist(own, tried).argmin(1)
        changed = result[chosen]
        changed[part] = others[nearest][part]
        result[chosen] = changed
    return result


def receptive_fields(layers: nn.Sequential) -> list[tuple[int, int, int]]:
    """Return what one number of each convolution's output sees of the image, layer by layer.

    Returns
    -------
    list of tuples
        Side of the square in pixels; pixels from one output to the next; where the first square
        begins, which is below 0 if padding lies in it.
    """
    side, step, start, found = 1, 1, 0, []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            start -= int(padding) * step
            side += (kernel - 1) * step
            step *= stride
            found.append((side, step, start))
    return found


def most_exciting(maps: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which images excite each unit most, each once, and where.

    Parameters
    ----------
    maps
        (N, C, S, S), what a layer makes of N images.
    count
        Images for each unit.

    Returns
    -------
    images, places
        (C, count) int64 each: the image's number, and the place in its map, row by row.
    """
    values, places = maps.flatten(2).max(2)  # (N, C)
    images = values.topk(count, 0).indices  # (count, C)
    return images.T, places.gather(0, images).T


def most_of_one_class(images: Tensor, labels: Tensor) -> Tensor:
    """Return the share of the most frequent label (C,) among images (C, count)."""
    return torch.stack([labels[row].bincount().max() / len(row) for row in images])


def measured(
    settled: nn.Module, untrained: Discriminator, learned: Images, real: Tensor, fake: Tensor
) -> list[dict[str, Any]]:
    """Return the rows of looking.csv for one run.

    Parameters
    ----------
    settled
        The trained D, with statistics of real and of generated images.
    untrained
        A D with random weights.
    learned
        Digits with labels.
    real, fake
        (N, 1, 32, 32), held-out digits and samples.
    """
    assert isinstance(settled, Discriminator)
    images = images_for(learned.pixels[:10_000])
    rows = sanity_rows(settled, images, real[:100])
    groups = {"G": fake[:500], "held-out": real[:500]}
    rows += exchange_rows(settled, groups, images[: len(fake) - 500], fake[500:])
    labels = learned.labels[:5000]
    for name, network in (("D", settled), ("untrained D", resettled(untrained, [images[:2000]]))):
        assert isinstance(network, Discriminator)
        parts = [hidden_maps(network, part) for part in images[:5000].split(500)]
        for layer, maps in enumerate(zip(*parts), 1):
            shares = most_of_one_class(most_exciting(torch.cat(maps), 50)[0], labels)
            rows.append(cells("most of one class", f"{name}, layer {layer}", shares))
    sure = judging.classify(judging.to_judged_size(unscale(fake), "pad")).probabilities.max(1)
    from scipy import stats

    agree = stats.spearmanr(answers(settled, fake).numpy(), sure).statistic
    rows.append(cells("rank correlation", "logit, top probability", torch.tensor([agree])))
    return rows


def cells(measure: str, at: str, values: Tensor) -> dict[str, str]:
    """Return a row: mean and standard error of some values (N,)."""
    error = values.std(correction=0) / len(values) ** 0.5
    return {"measure": measure, "at": at, "mean": f"{values.mean():.4f}", "error": f"{error:.4f}"}


def sanity_rows(settled: Discriminator, settle: Tensor, images: Tensor) -> list[dict[str, str]]:
    """Return how like the maps of D are to those of a D whose last convolutions are random."""
    rows = []
    for layers in (1, 2, 3, 4):
        other = with_random_top(settled, layers, settle[:2000], seed=0)
        assert isinstance(other, Discriminator)
        for name, guided in (("plain", False), ("guided", True)):
            maps = [gradient_maps(network, images, guided) for network in (settled, other)]
            alike = torch.from_numpy(rank_correlations(*maps))
            rows.append(cells("maps alike", f"{name}, {layers} random", alike))
    return rows


def exchange_rows(
    settled: nn.Module, groups: dict[str, Tensor], real: Tensor, fake: Tensor
) -> list[dict[str, str]]:
    """Return what it does to the logit to exchange a square, where occlusion points and elsewhere.

    "raises" is the square whose blackening raises the logit most, "lowers" the one where it lowers
    it most; each with its control, another square of as much ink.
    """
    rows = []
    for name, images in groups.items():
        before, maps = answers(settled, images), occlusion_maps(settled, images)
        for place, places in (("raises", maps.argmax(1)), ("lowers", maps.argmin(1))):
            spots = {place: places, f"{place}, control": control_places(images, places)}
            for spot, chosen in spots.items():
                for kind, others in (("real", real), ("generated", fake)):
                    after = answers(settled, exchanged(images, chosen, others))
                    rows.append(cells("exchange", f"{name}, {spot}, {kind}", after - before))
    return rows
