"""Checkers of notebook 10, the conditional DCGAN."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, one_hot

from dcgan_utils import exercises as ex


@ex.exercise("10.1")
def check_wrong_labels(function: ex.Function) -> None:
    """Check exercise 10.1: labels that are never right, and all others equally often."""
    for classes, count in ((2, 50), (10, 9000)):
        labels, drawn = torch.arange(count) % classes, []
        for _ in range(2):
            answer = function(labels, classes, torch.Generator().manual_seed(0))
            drawn.append(ex.require_tensor(answer, (count,), dtype=torch.int64))
        off = torch.bincount((drawn[0] - labels) % classes, minlength=classes)
        faults = {
            "generator": not torch.equal(*drawn),
            "no_class": not set(drawn[0].tolist()) <= set(range(classes)),
            "right_label": off[0] > 0,
            "not_all": off[1:].min() < 0.8 * count / (classes - 1),
        }
        for fault in (name for name in faults if faults[name]):
            raise ex.Wrong(fault, classes=classes)


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
