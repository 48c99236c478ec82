"""Checkers of notebook 10, the conditional DCGAN."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, one_hot

from dcgan_utils import exercises as ex


@ex.exercise("10.1")
def check_label_maps(function: ex.Function) -> None:
    """Check exercise 10.1: the maps that tell D a label, for several sizes and counts."""
    for given, classes, size in (([7, 0, 3], 10, 4), ([1], 2, 8), ([4, 4, 2, 0], 5, 3)):
        labels, shape = torch.tensor(given), (len(given), classes, size, size)
        got = ex.require_tensor(function(labels, classes, size), shape, dtype=torch.float32)
        expected = one_hot(labels, classes)[:, :, None, None].float().expand(shape)
        mistakes = {"number_as_value": labels[:, None, None, None].float().expand(shape)}
        case = ex.text("labels", labels=given, classes=classes)
        ex.require_close(got, expected, case, mistakes, "which_map")


@ex.exercise("10.2")
def check_class_bias(function: ex.Function) -> None:
    """Check exercise 10.2 against PyTorch's convolution of label maps."""
    random = torch.Generator().manual_seed(0)
    for width, classes, given in ((3, 10, [7, 0]), (5, 4, [3, 3, 1]), (2, 2, [0])):
        weight = torch.randn(width, 1 + classes, 4, 4, generator=random)
        labels = torch.tensor(given)
        maps = one_hot(1 + labels, 1 + classes).float()  # the image's own channel stays 0
        maps = maps[:, :, None, None].expand(-1, -1, 8, 8)
        everywhere = conv2d(maps, weight, stride=2, padding=1)  # (B, width, 4, 4)
        mistakes = {
            "image_channel": weight.sum((2, 3))[:, :-1].T[labels],
            "corner": everywhere[:, :, 0, 0],
            "mean": weight.mean((2, 3))[:, 1:].T[labels],
        }
        got, case = function(weight, labels), ex.text("layer", width=width, labels=given)
        ex.require_close(got, everywhere[:, :, 1, 1], case, mistakes, "which_kernels")


@ex.exercise("10.3")
def check_best_told(function: ex.Function) -> None:
    """Check exercise 10.3: the best D for pairs, and for images alone."""
    random = torch.Generator().manual_seed(0)
    confused = torch.tensor([[0.5, 0.0], [0.0, 0.5]]), torch.tensor([[0.1, 0.4], [0.4, 0.1]])
    drawn = [torch.rand(4, 3, generator=random) for _ in range(2)]
    for p, q in (confused, [table / table.sum() for table in drawn]):
        pairs, images = ex.require_parts(function(p, q), 2)
        told = p / (p + q)
        mistakes = {"generated": 1 - told, "ratio": p / q}
        ex.require_close(pairs, told, ex.text("for_pairs"), mistakes, "share_of_real")
        by_image = p.sum(1) / (p.sum(1) + q.sum(1))
        mistakes = {"generated": 1 - by_image, "mean_of_answers": told.mean(1)}
        ex.require_close(images, by_image, ex.text("for_images"), mistakes, "whatever_label")


@ex.exercise("10.4")
def check_nearest_error(function: ex.Function) -> None:
    """Check exercise 10.4 against distances taken one by one."""
    random = torch.Generator().manual_seed(0)
    for count, others, size in ((40, 60, 5), (30, 10, 2)):
        images, known = (torch.rand(n, size, generator=random) for n in (count, others))
        truth, labels = (torch.randint(3, (n,), generator=random) for n in (count, others))
        apart = images[:, None] - known  # (N, M, size)

        def error(distances: Tensor) -> Tensor:
            return (labels[distances.argmin(1)] != truth).double().mean()  # noqa: B023

        right = error(apart.square().sum(2))
        mistakes = {
            "product": error(-images @ known.T),
            "absolute": error(apart.abs().sum(2)),
            "share_right": 1 - right,
        }
        got = function(images, truth, known, labels)
        ex.require_close(got, right, "", mistakes, "whose_label")
