"""Checkers of notebook 09, latent space."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dcgan_utils import exercises as ex


@ex.exercise("9.1")
def check_norms(function: ex.Function) -> None:
    """Check exercise 9.1: where sums and averages of latent vectors lie, worked out by hand."""
    rows = [
        (2, "of_a_mean", {"lengths_add_up": 0.4}),
        (math.sqrt(300), "of_a_sum", {"cancels": 10, "directions_agree": 30}),
        (3, "over_n", {"that_is_b": 1, "no_root": 9}),
        (math.sqrt(75), "triangle", {"right_angle": math.sqrt(50), "great_circle": 10}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("9.2")
def check_mix(function: ex.Function) -> None:
    """Check exercise 9.2: sums of latent vectors with a variance of one."""
    random = torch.Generator().manual_seed(0)
    for weights in (torch.tensor([0.5, 3.0, 1.0]), torch.tensor([1.0, 1.0])):
        z = torch.randn(len(weights), 4, 100, generator=random)
        total = torch.tensordot(weights, z, 1)  # (4, 100)
        mistakes = {
            "plain_mean": total / weights.sum(),
            "no_scale": total,
            "fixed_norm": 10 * total / total.norm(dim=1, keepdim=True),
        }
        ex.require_close(function(z, weights), total / weights.norm(), "", mistakes, "normal")


@ex.exercise("9.3")
def check_direction(function: ex.Function) -> None:
    """Check exercise 9.3: the direction of a least-squares fit with a constant."""
    random = torch.Generator().manual_seed(0)
    for count, size in ((60, 4), (400, 30)):
        latents = torch.randn(count, size, generator=random) + 0.5
        latents[:, 1] += latents[:, 0]  # not independent, so that a covariance is not a slope
        values = 3 + latents @ torch.randn(size, generator=random)
        centered, rest = latents - latents.mean(0), values - values.mean()
        fit = torch.linalg.lstsq(centered, rest[:, None]).solution[:, 0]
        mistakes = {
            "length": fit,
            "backwards": -normalize(fit, dim=0),
            "no_constant": normalize(torch.linalg.pinv(latents) @ values, dim=0),
            "covariance": normalize(rest @ centered, dim=0),
        }
        got, right = function(latents, values), normalize(fit, dim=0)
        ex.require_close(got, right, "", mistakes, "least_squares", tolerance=1e-3)


@ex.exercise("9.4")
def check_completion(function: ex.Function) -> None:
    """Check exercise 9.4 with a linear generator, whose best z is that of ridge regression."""
    random = torch.Generator().manual_seed(0)
    for count, size, side in ((3, 4, 6), (2, 7, 4)):
        linear = nn.Linear(size, side**2, bias=False)
        weight = linear.weight.data.normal_(0, 1 / side, generator=random).clone()  # (pixels, size)
        images = torch.randn(count, 1, side, side, generator=random)
        visible = torch.arange(side)[:, None].expand(side, side) <= side // 2
        start = torch.randn(count, size, generator=random)
        generator = nn.Sequential(linear, nn.Unflatten(1, (1, side, side)))
        got = function(generator, images, visible, start)
        if not torch.equal(linear.weight, weight):
            raise ex.Wrong("weights_changed")

        def best(images: Tensor, counts: Tensor, prior: float = 0.02) -> Tensor:
            weighted = weight.T * counts.flatten()  # (size, pixels)  # noqa: B023
            square = weighted @ weight + prior * torch.eye(len(weighted))  # noqa: B023
            return torch.linalg.solve(square, weighted @ images.flatten(1).T).T

        seen, every = visible.float(), torch.ones(side, side)
        mistakes = {
            "all_pixels": best(images, every),
            "zeros_asked": best(images * seen, every),
            "no_prior": best(images, seen, 0.0),
            "mean": best(images, seen, 0.02 * count * int(visible.sum())),
        }
        ex.require_close(got, best(images, seen), "", mistakes, "cost_or_steps", tolerance=0.02)
