"""Checkers of notebook 12, more than one processor."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .common import Wrong, judge, require_answer, require_equal


def check_shares(function: Callable[[int, int], Sequence[int]]) -> bool:
    """Check exercise 12.1: how many images of a batch each process takes."""

    def check() -> None:
        for batch, count in ((8, 2), (33, 2), (100, 8), (5, 5)):
            got = function(batch, count)
            require_answer(got, (list, tuple), "a list of numbers")
            case = f"for a batch of {batch} and {count} processes"
            if len(got) != count:
                raise Wrong(f"Expected {count} shares {case}, got {len(got)}.")
            if not all(isinstance(share, int) for share in got):
                raise Wrong(f"Expected whole numbers {case}, got {list(got)}.")
            if sum(got) != batch:
                raise Wrong(f"Expected shares that add up to {batch} {case}, got {sum(got)}.")
            if max(got) - min(got) > 1:
                raise Wrong(
                    f"Expected no two shares to differ by more than 1 {case}, got {list(got)}. "
                    f"All wait for the process with the largest one."
                )

    return judge("12.1", check, function)


def check_mean_of_shares(function: Callable[[list[Tensor], list[int]], Tensor]) -> bool:
    """Check exercise 12.2: the whole batch's gradient from those of uneven shares."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for sizes in ([4, 4], [1, 3], [2, 5, 3]):
            parts = [torch.randn(size, 3, generator=random) for size in sizes]
            means = [part.mean(0) for part in parts]
            copies = [mean.clone() for mean in means]
            got = function(means, sizes)
            require_answer(got, Tensor, "a tensor")
            if not all(map(torch.equal, means, copies)):
                raise Wrong("Your function changed the gradients it was given.")
            mistakes = [
                (torch.stack(means).mean(0), "All shares count alike here, the small ones too."),
                (torch.stack(means).sum(0), "This is a sum of means. Which mean is wanted?"),
                (
                    (torch.stack(means) * torch.tensor(sizes)[:, None]).sum(0),
                    "Divide by the number of images in all shares.",
                ),
            ]
            case = f"for shares of {sizes} images"
            require_equal(got, torch.cat(parts).mean(0), case, mistakes)

    return judge("12.2", check, function)


def check_statistics(
    function: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
) -> bool:
    """Check exercise 12.3: a whole batch's mean and variance from those of its shares."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for sizes in ([4, 4], [1, 7], [2, 5, 3]):
            parts = [torch.randn(size, generator=random) * 2 + size for size in sizes]
            means = torch.stack([part.mean() for part in parts])
            variances = torch.stack([part.var(correction=0) for part in parts])
            counts = torch.tensor(sizes, dtype=torch.float32)
            got = function(means.clone(), variances.clone(), counts.clone())
            require_answer(got, tuple, "two tensors: the mean and the variance")
            if len(got) != 2:
                raise Wrong(f"Expected two tensors, the mean and the variance, got {len(got)}.")
            whole, weights = torch.cat(parts), counts / counts.sum()
            within, mean = (weights * variances).sum(), (weights * means).sum()
            case = f"for shares of {sizes} images"
            require_answer(got[0], Tensor, "a tensor")
            require_answer(got[1], Tensor, "a tensor")
            alike = [(means.mean(), "Larger shares count more.")]
            require_equal(got[0], whole.mean(), f"as the mean {case}", alike)
            mistakes = [
                (within, "The shares' means differ from one another, and that is variance too."),
                (
                    variances.mean() + (weights * (means - mean) ** 2).sum(),
                    "Larger shares count more, also in the mean of the variances.",
                ),
                (
                    within + ((means - mean) ** 2).mean(),
                    "Larger shares count more, also in how far the means are apart.",
                ),
                (whole.var(), "Batch norm divides by the number of images, not by one less."),
            ]
            expected = whole.var(correction=0)
            require_equal(got[1], expected, f"as the variance {case}", mistakes)

    return judge("12.3", check, function)
