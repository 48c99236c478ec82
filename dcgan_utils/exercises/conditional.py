"""Checkers of notebook 10, the conditional DCGAN."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from .common import Wrong, judge, require_answer, require_equal, require_scalar, require_tensor


def check_label_maps(function: Callable[[Tensor, int, int], Tensor]) -> bool:
    """Check exercise 10.1: the maps that tell D a label, for several sizes and counts."""

    def check() -> None:
        for given, classes, size in (([7, 0, 3], 10, 4), ([1], 2, 8), ([4, 4, 2, 0], 5, 3)):
            labels = torch.tensor(given)
            shape = (len(labels), classes, size, size)
            got = require_tensor(
                function(labels, classes, size),
                shape,
                "One map for each class, not for each label.",
            )
            if got.dtype != torch.float32:
                raise Wrong(
                    f"Expected float32, got {got.dtype}. The maps stand beside an image, whose "
                    f"values are float32; one_hot returns whole numbers."
                )
            expected = torch.zeros(shape)
            for image, label in enumerate(given):
                expected[image, label] = 1
            value = (labels / 1.0)[:, None, None, None].expand(shape)
            require_equal(
                got,
                expected,
                f"for labels {given} of {classes} classes",
                [
                    (1 - expected, "Zeros and ones are exchanged."),
                    (value, "The label's number says nothing: a 9 is not more than a 3."),
                    (2 * expected - 1, "The other classes' maps are 0, not -1."),
                ],
                "Which map of which image is full of ones?",
            )

    return judge("10.1", check, function)


def check_class_bias(function: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Check exercise 10.2 against PyTorch's convolution of label maps."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for width, classes, given in ((3, 10, [7, 0]), (5, 4, [3, 3, 1]), (2, 2, [0])):
            weight = torch.randn(width, 1 + classes, 4, 4, generator=random)
            labels = torch.tensor(given)
            maps = torch.zeros(len(given), 1 + classes, 8, 8)
            for image, label in enumerate(given):
                maps[image, 1 + label] = 1
            everywhere = conv2d(maps, weight, stride=2, padding=1)  # (B, width, 4, 4)
            sums = weight.sum((2, 3))  # (width, 1 + classes)
            wrong_map = sums[:, :-1].T[labels]
            got = require_tensor(
                function(weight, labels),
                (len(given), width),
                "A row for each label, a column for each of the layer's output maps.",
            )
            require_equal(
                got,
                everywhere[:, :, 1, 1],
                f"for {width} output maps, {classes} classes and labels {given}",
                [
                    (wrong_map, "The first channel is the image's own: the maps come after it."),
                    (everywhere[:, :, 0, 0], "That is a corner, where padding takes a part away."),
                    (everywhere.mean((2, 3)), "That is a mean over all places, the border too."),
                    (
                        weight.mean((2, 3))[:, 1:].T[labels],
                        "A convolution adds up. That is a mean.",
                    ),
                    (
                        sums[:, 1:].sum(1).expand(len(given), width),
                        "All ten maps are never full of ones at once.",
                    ),
                    (sums.sum(1).expand(len(given), width), "Which of the channels are all zeros?"),
                ],
                "Which kernels see a map that is not zero, and what do they make of ones?",
            )

    return judge("10.2", check, function)


def check_best_told(function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> bool:
    """Check exercise 10.3: the best D for pairs, and for images alone."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        confused = torch.tensor([[0.5, 0.0], [0.0, 0.5]]), torch.tensor([[0.1, 0.4], [0.4, 0.1]])
        drawn = [torch.rand(4, 3, generator=random) for _ in range(2)]
        for p, q in (confused, tuple(table / table.sum() for table in drawn)):
            got = function(p, q)
            require_answer(got, (tuple, list), "two tensors")
            if len(got) != 2:
                raise Wrong(f"Expected two tensors, got {len(got)}.")
            pairs = require_tensor(got[0], p.shape, "The first is for each pair, (X, Y).")
            images = require_tensor(got[1], p.shape[:1], "The second is for each image, (X,).")
            told = p / (p + q)
            given_image = (p / p.sum(1, keepdim=True)) / (
                p / p.sum(1, keepdim=True) + q / q.sum(1, keepdim=True)
            )
            require_equal(
                pairs,
                told,
                "for pairs",
                [
                    (1 - told, "That is the share of generated pairs."),
                    (p / q, "That compares p with q. Which share of all such pairs is real?"),
                    (given_image, "That divides by the image's own probability first. Why?"),
                ],
                "Notebook 05: the share of real ones among all that look like this.",
            )
            by_image = p.sum(1) / (p.sum(1) + q.sum(1))
            require_equal(
                images,
                by_image,
                "for images alone",
                [
                    (told.mean(1), "That is a mean of answers. How often does each image occur?"),
                    (told.sum(1), "Shares do not add up. How often does each image occur?"),
                    (1 - by_image, "That is the share of generated images."),
                ],
                "How often does an image occur, whatever its label?",
            )

    return judge("10.3", check, function)


def check_nearest_error(function: Callable[[Tensor, Tensor, Tensor, Tensor], float]) -> bool:
    """Check exercise 10.4 against distances taken one by one."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for count, others, size in ((40, 60, 5), (30, 10, 2)):
            images, known = (torch.rand(n, size, generator=random) for n in (count, others))
            truth, labels = (torch.randint(3, (n,), generator=random) for n in (count, others))
            given = [images.clone(), truth.clone(), known.clone(), labels.clone()]
            got = function(*given)
            if isinstance(got, Tensor):
                got = require_scalar(got)
            require_answer(got, (float, int), "a number")
            distances = (images[:, None] - known).square().sum(2)  # (N, M)
            shares = {
                name: (labels[place] != truth).double().mean()
                for name, place in (
                    ("right", distances.argmin(1)),
                    ("far", distances.argmax(1)),
                    ("product", (images @ known.T).argmax(1)),
                    ("ones", (images[:, None] - known).abs().sum(2).argmin(1)),
                )
            }
            hints = {
                "far": "Is that the farthest known image?",
                "product": "A large product is no short distance: bright images win.",
                "ones": "That adds up absolute differences, which is not the Euclidean distance.",
            }
            mistakes = [(shares[name], hint) for name, hint in hints.items()]
            mistakes.append((1 - shares["right"], "That is the share that is right."))
            require_equal(
                torch.tensor(got),
                shares["right"],
                f"for {count} images and {others} known ones",
                mistakes,
                "Whose label does each of the images get, and which of those are wrong?",
            )
            if not all(map(torch.equal, given, (images, truth, known, labels))):
                raise Wrong("Your function changed what it was given.")

    return judge("10.4", check, function)
