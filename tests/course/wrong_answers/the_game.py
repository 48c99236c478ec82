"""Plausible wrong answers to the exercises of notebook 00, and what their hint must contain."""

import math

import torch

from dcgan_utils.exercises import check_best_discriminator, check_dirac_step, check_penalty


def best(p, q):
    return torch.where(p + q > 0, p / (p + q), torch.tensor(0.5))


def loss_of(p, q, d):
    return -(torch.special.xlogy(p, d) + torch.special.xlogy(q, 1 - d)).sum()


def with_loss(change):
    """Return the right D with a loss that is changed."""

    def function(p, q):
        d = best(p, q)
        return d, change(p, q, d, loss_of(p, q, d))

    return function


def with_answers(answers):
    """Return wrong answers with their own loss."""
    return lambda p, q: (answers(p, q), loss_of(p, q, answers(p, q)))


def plain_logarithm(p, q, d, loss):
    return -(p * d.log() + q * (1 - d).log()).sum()


def sigmoid(t):
    return 1 / (1 + math.exp(-t))


def dirac(theta, psi, rate, together, up=1, saturating=False, scale=1.0):
    new_psi = psi - up * rate * theta * sigmoid(psi * theta) * scale
    seen = psi if together else new_psi
    pull = seen * sigmoid(seen * theta if saturating else -seen * theta)
    return theta + up * rate * pull, new_psi


def without_chain_rule(theta, psi, rate, together):
    return theta, psi - rate * sigmoid(psi * theta)


def theta_stays(theta, psi, rate, together):
    return theta, dirac(theta, psi, rate, together)[1]


def slopes(discriminator, real, graph=True, reduce=torch.sum):
    real = real.detach().requires_grad_()
    answers = reduce(discriminator(real))
    return torch.autograd.grad(answers, real, create_graph=graph)[0].flatten(1)


def r1(change):
    """Return a penalty computed from the slopes (B, D) and gamma."""
    return lambda discriminator, real, gamma: change(slopes(discriminator, real), gamma)


def by_backward(discriminator, real, gamma):
    real = real.detach().requires_grad_()
    discriminator(real).sum().backward(create_graph=True)
    return gamma / 2 * real.grad.flatten(1).square().sum(1).mean()


def without_graph(discriminator, real, gamma):
    return gamma / 2 * slopes(discriminator, real, graph=False).square().sum(1).mean()


def mean_first(discriminator, real, gamma):
    slope = slopes(discriminator, real, reduce=torch.mean)
    return gamma / 2 * slope.square().sum(1).mean()


def detached(discriminator, real, gamma):
    """Has a gradient, but not the penalty's."""
    slope = slopes(discriminator, real).detach()
    return gamma / 2 * slope.square().sum(1).mean() + 0 * discriminator.weight.sum()


WRONG = [
    (check_best_discriminator, lambda p, q: best(p, q), "two things"),
    (check_best_discriminator, lambda p, q: (best(p, q),), "got 1 things"),
    (check_best_discriminator, with_answers(lambda p, q: p / (p + q)), "0 / 0"),
    (check_best_discriminator, with_answers(lambda p, q: best(q, p)), "call real"),
    (check_best_discriminator, with_answers(lambda p, q: p / (p + q + 1e-9)), "neither"),
    (check_best_discriminator, with_answers(lambda p, q: (p > q).float()), "how sure"),
    (check_best_discriminator, with_answers(lambda p, q: p), "derivative"),
    (check_best_discriminator, with_answers(lambda p, q: best(p, q)[:-1]), "each bin|size"),
    (check_best_discriminator, with_loss(plain_logarithm), "0 times the logarithm"),
    (check_best_discriminator, with_loss(lambda p, q, d, loss: -loss), "climbs"),
    (check_best_discriminator, with_loss(lambda p, q, d, loss: loss / len(p)), "mean needed"),
    (check_best_discriminator, with_loss(lambda p, q, d, loss: loss / 2), "sum of two terms"),
    (check_best_discriminator, with_loss(lambda p, q, d, loss: loss / math.log(2)), "bits"),
    (
        check_best_discriminator,
        with_loss(lambda p, q, d, loss: math.log(2) - loss / 2),
        "Jensen-Shannon divergence",
    ),
    (check_best_discriminator, with_loss(lambda p, q, d, loss: loss + 1), "sum over the bins"),
    (check_dirac_step, lambda *x: dirac(*x)[0], "two numbers"),
    (check_dirac_step, lambda *x: dirac(*x)[::-1], "Theta comes first"),
    (check_dirac_step, lambda t, p, r, together: dirac(t, p, r, True), "Which psi"),
    (check_dirac_step, lambda t, p, r, together: dirac(t, p, r, False), "Which psi"),
    (check_dirac_step, lambda t, p, r, together: dirac(t, p, r, not together), "Which psi"),
    (check_dirac_step, lambda *x: dirac(*x, saturating=True), "saturating"),
    (check_dirac_step, lambda *x: dirac(*x, up=-1), "uphill"),
    (check_dirac_step, lambda *x: dirac(*x, scale=2.0), "Begin with psi"),
    (check_dirac_step, without_chain_rule, "Begin with psi"),
    (check_dirac_step, theta_stays, "theta is not"),
    (check_penalty, r1(lambda s, gamma: gamma * s.square().sum(1).mean()), "the half"),
    (check_penalty, r1(lambda s, gamma: s.square().sum(1).mean() / 2), "is gamma|What is squared"),
    (check_penalty, r1(lambda s, gamma: gamma / 2 * s.square().sum()), "sum over the batch"),
    (check_penalty, r1(lambda s, gamma: gamma / 2 * s.square().mean()), "mean over the inputs"),
    (check_penalty, r1(lambda s, gamma: gamma / 2 * s.norm(dim=1).mean()), "is the length"),
    (
        check_penalty,
        r1(lambda s, gamma: gamma / 2 * (s.norm(dim=1) - 1).square().mean()),
        "toward 1",
    ),
    (check_penalty, r1(lambda s, gamma: gamma / 2 * s.sum(0).square().sum()), "added before"),
    (check_penalty, mean_first, "averaged before"),
    (check_penalty, by_backward, "left in a `.grad`"),
    (check_penalty, without_graph, "no way back"),
    (check_penalty, detached, "as its gradient"),
    (check_penalty, lambda d, real, gamma: gamma / 2 * (d.weight**2).sum(), "What is squared"),
]

# What a hint must not give away.
SECRETS = ["p / (p + q)", "create_graph", "sigmoid(", "2 ln 2"]
