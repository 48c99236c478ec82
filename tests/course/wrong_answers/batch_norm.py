"""Plausible wrong answers to the exercises of notebook 02, and what their hint must contain."""

import torch
from torch import nn

from dcgan_utils.exercises import (
    check_backward,
    check_batch_norm_predictions,
    check_generator_repair,
    check_group_norm,
)


def prediction(outputs=(-1, -1, 3, 3), mean=5, var=81, alone=7):
    """Return the right predictions with some replaced."""
    return lambda: (list(outputs), mean, var, alone)


def grouped(correction=0, shape=(1, -1, 1, 1), inside=True, use_eps=True, always=None):
    """Return group norm with chosen faults."""

    def function(x, groups, gamma, beta, eps=1e-5):
        eps = eps if use_eps else 1e-5
        parts = x.reshape(len(x), always or groups, -1)
        var = parts.var(2, correction=correction, keepdim=True)
        scale = torch.sqrt(var + eps) if inside else torch.sqrt(var) + eps
        x_hat = ((parts - parts.mean(2, keepdim=True)) / scale).reshape(x.shape)
        return gamma.reshape(shape) * x_hat + beta.reshape(shape)

    return function


def by_turns(x, groups, gamma, beta, eps=1e-5):
    """Return group norm whose groups take every other channel."""
    order = torch.arange(x.shape[1]).reshape(-1, groups).T.flatten()
    x_hat = torch.nn.functional.group_norm(x[:, order], groups, eps=eps)[:, order.argsort()]
    return gamma.reshape(-1, 1, 1) * x_hat + beta.reshape(-1, 1, 1)


def as_batch_norm(x, groups, gamma, beta, eps=1e-5):
    return nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def no_affine(x, groups, gamma, beta, eps=1e-5):
    return grouped()(x, groups, torch.ones_like(gamma), torch.zeros_like(beta), eps)


def backward(axes=(0, 2, 3), mean=1, along=1, use_gamma=True, divide=True, eps=None, add=torch.sum):
    """Return the backward pass with chosen faults."""

    def function(grad_y, x, gamma, given_eps=1e-5):
        var, own = x.var((0, 2, 3), correction=0, keepdim=True), x.mean((0, 2, 3), keepdim=True)
        sigma = torch.sqrt(var + (given_eps if eps is None else eps))
        x_hat = (x - own) / sigma
        g = grad_y * gamma.reshape(-1, 1, 1) if use_gamma else grad_y
        grad_x = g - mean * g.mean(axes, keepdim=True)
        grad_x = grad_x - along * x_hat * (g * x_hat).mean(axes, keepdim=True)
        grad_x = grad_x / sigma if divide else grad_x
        return grad_x, add(grad_y * x_hat, (0, 2, 3)), add(grad_y, (0, 2, 3))

    return function


def with_raw_x(grad_y, x, gamma, eps=1e-5):
    return backward()(grad_y, x, gamma, eps)[0], (grad_y * x).sum((0, 2, 3)), grad_y.sum((0, 2, 3))


def exchanged(grad_y, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = backward()(grad_y, x, gamma, eps)
    return grad_x, grad_beta, grad_gamma


def generator(bias=False, eps=1e-5, last=False, gamma=1.0, std=0.02, relu=True, seeded=True):
    """Return a builder of the generator with chosen faults left in, or new ones."""

    def function(random):
        norm, act = nn.BatchNorm2d, nn.ReLU if relu else nn.Identity
        network = nn.Sequential(
            nn.ConvTranspose2d(10, 16, 4, 1, 0, bias=bias),
            norm(16, eps),
            act(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=bias),
            norm(8, eps),
            act(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False),
            *([norm(1)] if last else []),
            nn.Tanh(),
        )
        with torch.no_grad():
            for layer in network:
                if isinstance(layer, nn.ConvTranspose2d):
                    layer.weight.normal_(0, std, generator=random if seeded else None)
                elif isinstance(layer, nn.BatchNorm2d) and gamma is not None:
                    layer.weight.normal_(gamma, 0.02, generator=random)
        return network

    return function


WRONG = [
    (check_batch_norm_predictions, prediction(outputs=(-1, -1, 1, 1)), "outputs.*gamma"),
    (check_batch_norm_predictions, prediction(mean=7), "running mean.*old value"),
    (check_batch_norm_predictions, prediction(var=78), "running variance.*which variance"),
    (check_batch_norm_predictions, prediction(var=59), "running variance.*share"),
    (check_batch_norm_predictions, prediction(alone=9), "evaluation mode use"),
    (check_batch_norm_predictions, prediction(alone=3), "gamma and beta do"),
    (check_batch_norm_predictions, lambda: [-1, -1, 3, 3], "list of four outputs"),
    (check_batch_norm_predictions, lambda: ([-1, -1, 3, 3], 5, 81), "four results"),
    (check_group_norm, grouped(always=1), "All channels of an image"),
    (check_group_norm, grouped(always=4), "Every channel has a mean"),
    (check_group_norm, as_batch_norm, "That is batch norm"),
    (check_group_norm, by_turns, "share by turns"),
    (check_group_norm, grouped(correction=1), "n or n - 1"),
    (check_group_norm, grouped(shape=(-1,)), "along W"),
    (check_group_norm, no_affine, "no effect"),
    (check_group_norm, grouped(inside=False), "Where does eps"),
    (check_group_norm, grouped(use_eps=False), "Where does eps"),
    (check_group_norm, lambda x, n, g, b, eps=0: x.mean((0, 2, 3)), "shape"),
    (check_backward, backward(mean=0, along=0), "count as constants"),
    (check_backward, backward(use_gamma=False), "What stands between"),
    (check_backward, backward(mean=0), "missing: shifts"),
    (check_backward, backward(along=0), "missing: stretches"),
    (check_backward, backward(divide=False), "By what is a gradient divided"),
    (check_backward, backward(axes=(0,)), "over the batch alone"),
    (check_backward, backward(axes=(2, 3)), "over one image"),
    (check_backward, backward(eps=1e-5), "in the gradient for x .eps=0.5"),
    (check_backward, backward(add=torch.mean), "for gamma.*Is a mean what adds up"),
    (check_backward, with_raw_x, "What is gamma multiplied with"),
    (check_backward, exchanged, "That is the gradient for beta"),
    (check_backward, lambda *given: backward()(*given)[0], "three gradients"),
    (check_backward, lambda *given: backward()(*given)[:2], "Expected three gradients"),
    (check_generator_repair, generator(bias=True), "takes it away again"),
    (check_generator_repair, generator(eps=0.8), "adds 0.8"),
    (check_generator_repair, generator(last=True), "before the Tanh"),
    (check_generator_repair, generator(gamma=0.0), "A gamma has mean"),
    (check_generator_repair, generator(std=0.02**0.5), "A convolution's weights"),
    (check_generator_repair, generator(relu=False), "Keep the layers"),
    (check_generator_repair, generator(seeded=False), "same seed"),
    (check_generator_repair, lambda random: "network", "nn.Sequential"),
]

# What a hint must not give away.
SECRETS = ["bias=False", "correction=", "(0, 2, 3)", " 81", "[-1", "keepdim", "1, 0.02", ".sum("]
