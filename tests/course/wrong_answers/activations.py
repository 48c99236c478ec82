"""Plausible wrong answers to the exercises of notebook 03, and what their hint must contain."""

import torch
import torch.nn.functional as F
from torch import nn

from dcgan_utils.exercises import (
    check_activation_backward,
    check_activation_numbers,
    check_dead_share,
    check_discriminator_activations,
)

RIGHT = [-0.6, 0.2, 0.0, 3.0, 0.0625, 1.0]


def numbers(place, value):
    """Return the right six numbers with one of them changed."""
    return lambda: [value if index == place else right for index, right in enumerate(RIGHT)]


def tanh_back(x, upstream):
    return upstream * (1 - torch.tanh(x) ** 2)


def leaky_back(x, upstream, leak):
    return upstream * torch.where(x > 0, 1.0, leak)


def with_tanh(function):
    """Return an answer to 3.2 that is right but for tanh."""
    return lambda x, u, a: (function(x, u), leaky_back(x, u, a))


def with_leaky(function):
    """Return an answer to 3.2 that is right but for LeakyReLU."""
    return lambda x, u, a: (tanh_back(x, u), function(x, u, a))


def by_autograd(x, upstream, leak):
    x.requires_grad_()
    torch.tanh(x).backward(upstream)
    return x.grad, leaky_back(x, upstream, leak)


def discriminator(first=None, second=None, last=None, width=16, drop_first=False):
    """Return a function that builds D with chosen faults."""

    def function():
        modules = [
            nn.Conv2d(1, 8, 4, 2, 1, bias=False),
            *([] if drop_first else [first or nn.LeakyReLU(0.2)]),
            nn.Conv2d(8, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            second or nn.LeakyReLU(0.2),
            nn.Conv2d(width, 1, 4, 1, 0, bias=False),
        ]
        return nn.Sequential(*modules, *([last] if last else []))

    return function


WRONG = [
    (check_activation_numbers, numbers(0, 0.6), "Number 1.*sign"),
    (check_activation_numbers, numbers(1, -0.2), "Number 2.*steep"),
    (check_activation_numbers, numbers(2, 1.0), "Number 3.*steep"),
    (check_activation_numbers, numbers(3, 1.0), "Number 4.*chain rule"),
    (check_activation_numbers, numbers(4, 0.25**3), "Number 5.*weight"),
    (check_activation_numbers, numbers(5, 0.0), "Number 6.*section 8"),
    (check_activation_numbers, lambda: RIGHT[:5], "six numbers, got 5"),
    (check_activation_numbers, lambda: 0.2, "list of six"),
    (check_activation_backward, with_tanh(lambda x, u: 1 - torch.tanh(x) ** 2), "upstream"),
    (check_activation_backward, with_tanh(lambda x, u: u * (1 - x**2)), "squared"),
    (check_activation_backward, with_tanh(lambda x, u: u * torch.tanh(x)), "value"),
    (check_activation_backward, with_tanh(lambda x, u: u * (1 - torch.tanh(x))), "factor"),
    (
        check_activation_backward,
        with_tanh(lambda x, u: u * torch.tanh(x) * (1 - torch.tanh(x))),
        "sigmoid",
    ),
    (check_activation_backward, with_tanh(lambda x, u: u), "section 2"),
    (check_activation_backward, with_leaky(lambda x, u, a: u * (x > 0)), "negative input"),
    (
        check_activation_backward,
        with_leaky(lambda x, u, a: u * torch.where(x > 0, 1.0, -a)),
        "sign",
    ),
    (check_activation_backward, with_leaky(lambda x, u, a: leaky_back(x, u, 0.2)), "argument"),
    (check_activation_backward, with_leaky(lambda x, u, a: u * F.leaky_relu(x, a)), "value"),
    (check_activation_backward, with_leaky(lambda x, u, a: leaky_back(x, u, a).sum()), "shape"),
    (check_activation_backward, tanh_back, "TypeError"),
    (check_activation_backward, lambda x, u, a: tanh_back(x, u), "two tensors"),
    (check_activation_backward, by_autograd, "RuntimeError"),
    (check_dead_share, lambda a: (a == 0).float().mean().item(), "share of zeros"),
    (check_dead_share, lambda a: (a <= 0).all(0).float().mean(), "leaks"),
    (check_dead_share, lambda a: (a.sum(0) == 0).float().mean(), "cancel"),
    (check_dead_share, lambda a: (a == 0).any(0).float().mean(), "some inputs"),
    (check_dead_share, lambda a: (a == 0).all(1).float().mean(), "axis"),
    (check_dead_share, lambda a: (a == 0).all(0).sum(), "count"),
    (check_dead_share, lambda a: (a == 0).all(0).float().mean(), "whole channel"),
    (check_dead_share, lambda a: (a == 0).all(0), "shape"),
    (check_dead_share, lambda a: float(a.shape[1]), "definition"),
    (
        check_dead_share,
        lambda a: (a if a.ndim == 2 else a[:1].sum((2, 3))).eq(0).all(0).float().mean(),
        "every image",
    ),
    (check_discriminator_activations, discriminator(first=nn.ReLU()), "no gradient"),
    (check_discriminator_activations, discriminator(second=nn.LeakyReLU(-0.2)), "rises"),
    (check_discriminator_activations, discriminator(last=nn.Sigmoid()), "What does the loss take"),
    (check_discriminator_activations, discriminator(last=nn.Tanh()), "What does the loss take"),
    (
        check_discriminator_activations,
        discriminator(last=nn.LeakyReLU(0.2)),
        "What does the loss take",
    ),
    (check_discriminator_activations, discriminator(second=nn.Tanh()), "saturates"),
    (check_discriminator_activations, discriminator(first=nn.LeakyReLU(0.5)), "section 7"),
    (check_discriminator_activations, discriminator(first=nn.LeakyReLU()), "section 7"),
    (check_discriminator_activations, discriminator(drop_first=True), "one activation"),
    (check_discriminator_activations, discriminator(width=8), "convolutions"),
    (check_discriminator_activations, nn.ReLU, "Sequential"),
]

# What a hint must not give away.
SECRETS = ["0.0625", "tanh(x) ** 2", "flatten", "transpose", "LeakyReLU(0.2)", "nn.LeakyReLU"]
