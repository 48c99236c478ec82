"""Plausible wrong answers to the exercises of notebook 02, and what their hint must contain."""

import torch
from torch import nn

from dcgan_utils.exercises import (
    check_batch_norm_images,
    check_batch_norm_predictions,
    check_generator_repair,
    check_running_statistics,
)


def prediction(outputs=(-1, -1, 3, 3), mean=5, var=81, alone=7):
    """Return the right predictions with some replaced."""
    return lambda: (list(outputs), mean, var, alone)


def images(axes=(0, 2, 3), correction=0, shape=(1, -1, 1, 1), root=True, inside=True, use_eps=True):
    """Return batch norm with chosen faults."""

    def function(x, gamma, beta, eps=1e-5):
        eps = eps if use_eps else 1e-5
        var = x.var(axes, correction=correction, keepdim=True)
        scale = torch.sqrt(var + eps) if inside else torch.sqrt(var) + eps
        scale = scale if root else var + eps
        x_hat = (x - x.mean(axes, keepdim=True)) / scale
        return gamma.reshape(shape) * x_hat + beta.reshape(shape)

    return function


def no_affine(x, gamma, beta, eps=1e-5):
    return images()(x, torch.ones_like(gamma), torch.zeros_like(beta), eps)


def running(correction=1, old_share=False, axes=(0, 2, 3), root=False, in_place=False, cut=True):
    """Return the update of the running statistics with chosen faults."""

    def function(x, running_mean, running_var, momentum=0.1):
        x = x.detach() if cut else x
        mean, var = x.mean(axes), x.var(axes, correction=correction)
        var = var.sqrt() if root else var
        share = 1 - momentum if old_share else momentum
        if in_place:
            return running_mean.lerp_(mean, share), running_var.lerp_(var, share)
        return running_mean.lerp(mean, share), running_var.lerp(var, share)

    return function


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
    (check_batch_norm_images, images(axes=(0,)), "Every pixel has a mean"),
    (check_batch_norm_images, images(axes=(2, 3)), "Every image has a mean"),
    (check_batch_norm_images, images(axes=(0, 1, 2, 3)), "Both channels"),
    (check_batch_norm_images, images(correction=1), "n or n - 1"),
    (check_batch_norm_images, images(shape=(-1,)), "along W"),
    (check_batch_norm_images, no_affine, "no effect"),
    (check_batch_norm_images, images(root=False), "four equations"),
    (check_batch_norm_images, images(inside=False), "Where does eps"),
    (check_batch_norm_images, images(use_eps=False), "Where does eps"),
    (check_batch_norm_images, lambda x, g, b, eps=0: x.mean((0, 2, 3)), "shape"),
    (check_running_statistics, running(correction=0), "Which of the two variances"),
    (check_running_statistics, running(old_share=True), "share of the old or of the new"),
    (check_running_statistics, running(axes=(0,)), "stopped.*size of tensor"),
    (check_running_statistics, running(axes=(1, 2, 3)), "stopped.*size of tensor"),
    (check_running_statistics, running(root=True), "variance or its root"),
    (check_running_statistics, running(in_place=True), "changed in place"),
    (check_running_statistics, running(cut=False), "gradient can flow"),
    (check_running_statistics, lambda x, m, v, p: (x.mean((0, 2, 3)), v), "batch's own value"),
    (check_running_statistics, lambda x, m, v, p: (m, v), "does not enter"),
    (check_running_statistics, lambda x, m, v, p: m, "Expected running mean"),
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
SECRETS = ["bias=False", "correction=", "(0, 2, 3)", "detach", "81", "[-1", "keepdim", "1, 0.02"]
