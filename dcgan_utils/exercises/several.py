"""Checkers of notebook 12, more than one processor."""

import torch

from dcgan_utils import exercises as ex


@ex.exercise("12.1")
def check_shares(function: ex.Function) -> None:
    """Check exercise 12.1: how many images of a batch each process takes."""
    for batch, count in ((8, 2), (33, 2), (100, 8), (5, 5)):
        got = ex.require_numbers(function(batch, count), count)
        case = ex.text("case", batch=batch, count=count)
        if any(share % 1 for share in got):
            raise ex.Wrong("not_whole", case, got=got)
        if sum(got) != batch:
            raise ex.Wrong("wrong_total", case, got=got)
        if max(got) - min(got) > 1:
            raise ex.Wrong("uneven", case, got=got)


@ex.exercise("12.2")
def check_mean_of_shares(function: ex.Function) -> None:
    """Check exercise 12.2: the whole batch's gradient from those of uneven shares."""
    random = torch.Generator().manual_seed(0)
    for sizes in ([4, 4], [1, 3], [2, 5, 3]):
        parts = [torch.randn(size, 3, generator=random) for size in sizes]
        means = [part.mean(0) for part in parts]
        got, stacked = function(means, sizes), torch.stack(means)
        mistakes = {
            "unweighted": stacked.mean(0),
            "sum_of_means": stacked.sum(0),
            "not_divided": torch.cat(parts).sum(0),
        }
        ex.require_close(got, torch.cat(parts).mean(0), ex.text("shares", sizes=sizes), mistakes)


@ex.exercise("12.3")
def check_statistics(function: ex.Function) -> None:
    """Check exercise 12.3: a whole batch's mean and variance from those of its shares."""
    random = torch.Generator().manual_seed(0)
    for sizes in ([4, 4], [1, 7], [2, 5, 3]):
        parts = [torch.randn(size, generator=random) * 2 + size for size in sizes]
        means = torch.stack([part.mean() for part in parts])
        variances = torch.stack([part.var(correction=0) for part in parts])
        counts = torch.tensor(sizes, dtype=torch.float32)
        got_mean, got_variance = ex.require_parts(function(means, variances, counts), 2)
        whole, weights = torch.cat(parts), counts / counts.sum()
        case = ex.text("as_mean", sizes=sizes)
        ex.require_close(got_mean, whole.mean(), case, {"unweighted": means.mean()})
        within, apart = (weights * variances).sum(), (means - whole.mean()) ** 2
        mistakes = {
            "within_only": within,
            "unweighted": variances.mean() + (weights * apart).sum(),
            "unbiased": whole.var(),
        }
        case = ex.text("as_variance", sizes=sizes)
        ex.require_close(got_variance, whole.var(correction=0), case, mistakes)
