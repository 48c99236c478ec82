"""Checkers of notebook 02, batch normalization."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, group_norm

from dcgan_utils import exercises as ex


@ex.exercise("2.1")
def check_batch_norm_predictions(function: ex.Function) -> None:
    """Check exercise 2.1: outputs and running statistics of one step, worked out by hand."""
    outputs, *statistics = ex.require_parts(function(), 4)
    rows = [(value, "outputs") for value in (-1, -1, 3, 3)]
    rows += [(5, "running_mean"), (81, "running_variance"), (7, "in_evaluation")]
    ex.require_predictions([*ex.require_numbers(outputs, 4), *statistics], rows)


@ex.exercise("2.2")
def check_group_norm(function: ex.Function) -> None:
    """Check exercise 2.2: group norm, with layer and instance norm as its two ends."""
    random = torch.Generator().manual_seed(0)
    x = torch.empty(3, 4, 2, 4).normal_(generator=random)  # W = C: gamma fits the wrong axis
    x = x * torch.tensor([1.0, 4, 2, 3]).reshape(4, 1, 1) + torch.arange(4.0).reshape(4, 1, 1)
    gamma, beta = torch.tensor([2.0, -1.0, 0.5, 3.0]), torch.tensor([0.5, 3.0, 0.0, -2.0])

    def affine(x_hat: Tensor, shape: tuple[int, ...] = (4, 1, 1)) -> Tensor:
        return gamma.reshape(shape) * x_hat + beta.reshape(shape)

    for groups in (2, 1, 4):
        plain = group_norm(x, groups)
        values = x.numel() // (3 * groups)  # in each group of an image
        mistakes = {
            "no_affine": plain,
            "batch_norm": affine(batch_norm(x, None, None, training=True)),
            "one_group": affine(group_norm(x, 1)),
            "all_groups": affine(group_norm(x, 4)),
            "unbiased": affine(plain * math.sqrt((values - 1) / values)),
            "along_width": affine(plain, (4,)),
        }
        got, case = function(x, groups, gamma, beta), ex.text("case", groups=groups)
        ex.require_close(got, affine(plain), case, mistakes, "see_picture")
    got = function(x, 2, gamma, beta, eps=0.5)
    ex.require_close(got, affine(group_norm(x, 2, eps=0.5)), ex.text("with_eps"), otherwise="eps")


@ex.exercise("2.3")
def check_backward(function: ex.Function) -> None:
    """Check exercise 2.3: batch norm's gradients for images, against autograd's."""
    random, axes = torch.Generator().manual_seed(1), (0, 2, 3)
    x, grad_y = torch.empty(2, 3, 2, 4, 3).normal_(generator=random).double()  # (3, 2, 4, 3)
    x = x * torch.tensor([1.0, 4.0]).reshape(2, 1, 1) + torch.arange(3.0).reshape(3, 1, 1, 1)
    gamma = torch.tensor([2.0, -1.5]).double()
    g = grad_y * gamma.reshape(2, 1, 1)
    for eps in (1e-5, 0.5):
        leaves = [t.clone().requires_grad_() for t in (x, gamma, torch.zeros(2).double())]
        leaf_x, leaf_gamma, leaf_beta = leaves
        y = batch_norm(leaf_x, None, None, leaf_gamma, leaf_beta, training=True, eps=eps)
        expected = torch.autograd.grad(y, leaves, grad_y)
        parts = ex.require_parts(function(grad_y, x, gamma, eps), 3)
        sigma = torch.sqrt(x.var(axes, correction=0, keepdim=True) + eps)
        x_hat = (x - x.mean(axes, keepdim=True)) / sigma
        shift, along = g.mean(axes, keepdim=True), (g * x_hat).mean(axes, keepdim=True)
        mistakes = {
            "x": {
                "constants": g / sigma,
                "no_gamma": expected[0] / gamma.reshape(2, 1, 1),
                "no_shift": (g - x_hat * along) / sigma,
                "no_stretch": (g - shift) / sigma,
                "not_divided": g - shift - x_hat * along,
                "batch_alone": (g - g.mean(0) - x_hat * (g * x_hat).mean(0)) / sigma,
            },
            "gamma": {"a_mean": (grad_y * x_hat).mean(axes), "raw_x": (grad_y * x).sum(axes)},
            "beta": {"a_mean": grad_y.mean(axes)},
        }
        for mine, right, name in zip(parts, expected, mistakes):
            case = ex.text("case", name=name, eps=eps)
            ex.require_close(mine, right, case, mistakes[name], "term_by_term")


@ex.exercise("2.4")
def check_generator_repair(function: ex.Function) -> None:
    """Check exercise 2.4: the repaired generator, by looking at its layers and by running it."""
    random = torch.Generator()
    network = ex.require_type(function(random.manual_seed(0)), nn.Sequential, "sequential")
    block = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    names = [type(layer).__name__ for layer in network]
    if names[-2:] == ["BatchNorm2d", "Tanh"]:
        raise ex.Wrong("norm_before_tanh")
    if names != [*block, *block, "ConvTranspose2d", "Tanh"]:
        raise ex.Wrong("layers", got=", ".join(names))
    for before, layer in pairwise(network):
        if isinstance(layer, nn.BatchNorm2d):
            if before.bias is not None:
                raise ex.Wrong("bias")
            if layer.eps > 1e-3:
                raise ex.Wrong("large_eps", got=layer.eps)
            if not layer.affine or layer.bias.any():
                raise ex.Wrong("parameters")
    for layer in network:
        if isinstance(layer, (nn.BatchNorm2d, nn.ConvTranspose2d)):
            is_norm = isinstance(layer, nn.BatchNorm2d)
            center, least, most = (1, 0.0, 0.06) if is_norm else (0, 0.015, 0.025)
            mean, std = layer.weight.mean().item(), layer.weight.std().item()
            if not (abs(mean - center) <= 0.05 and least <= std <= most):
                raise ex.Wrong("gamma" if is_norm else "weights", mean=mean, std=std)
    again = function(random.manual_seed(0))
    if not all(map(torch.equal, network.parameters(), again.parameters())):
        raise ex.Wrong("not_from_random")
    ex.require_output(network, torch.randn(3, 10, 1, 1, generator=random), (3, 1, 16, 16))
