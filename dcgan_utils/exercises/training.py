"""Checkers of notebook 05, training on MNIST."""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dcgan_utils import exercises as ex

from ..config import preset
from ..losses import cross_entropy
from ..networks import Discriminator, Generator, new_networks

SMALL = preset("smoke", width=4, latent_size=10, initial_std=0.1)


@ex.exercise("5.1")
def check_discriminator_loss(function: ex.Function) -> None:
    """Check exercise 5.1: Loss_D from the logits of a real and of a fake batch."""
    real, fake = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([-1.0, 0.5])
    of_real, of_fake = softplus(-real), softplus(fake)  # -log σ(x), and -log(1 - σ(x))
    expected = of_real.mean() + of_fake.mean()
    mistakes = {
        "sign": -expected,
        "halved": expected / 2,
        "summed": of_real.sum() + of_fake.sum(),
        "one_mean": torch.cat([of_real, of_fake]).mean(),
        "exchanged": softplus(real).mean() + softplus(-fake).mean(),
    }
    ex.require_close(function(real, fake), expected, ex.text("case"), mistakes, "two_terms")
    got = function(torch.tensor([-200.0]), torch.tensor([200.0]))
    ex.require_close(got, 400.0, ex.text("extreme"), otherwise="rounds")


@ex.exercise("5.2")
def check_generator_step(function: ex.Function) -> None:
    """Check exercise 5.2: the repaired generator step, on two small networks."""
    random = torch.Generator().manual_seed(0)
    generator, discriminator = new_networks(SMALL, 1, 1, random)
    z = torch.randn(8, 10, generator=random)
    ours, ours_d = copy.deepcopy((generator, discriminator))
    loss = cross_entropy(ours_d(ours(z)), 1.0)
    gradients = torch.autograd.grad(loss, list(ours.parameters()))

    for parameter in generator.parameters():
        parameter.grad = torch.ones_like(parameter)  # left over from an earlier step
    optimizer = torch.optim.SGD(generator.parameters(), 0.1)
    got = function(generator, discriminator, optimizer, z)
    ex.require_close(got, loss.item(), ex.text("case"), otherwise="label")
    if all(map(torch.equal, ours.parameters(), generator.parameters())):
        raise ex.Wrong("no_change")
    if not all(map(torch.equal, ours_d.parameters(), discriminator.parameters())):
        raise ex.Wrong("discriminator_changed")
    for old, parameter, gradient in zip(ours.parameters(), generator.parameters(), gradients):
        if parameter.grad is None or not _agree(parameter.grad, gradient):
            raise ex.Wrong("other_gradients")
        if not _agree(parameter, old - 0.1 * gradient):
            raise ex.Wrong("other_step")


def _agree(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, atol=1e-5)


# The faults that the checker of 5.3 looks for; a message says what to say of each.
FAULTS = ["beta1", "mixed", "labels", "no_zero", "g_first", "d_twice", "new_z", "new_adam", "no_g"]


@ex.exercise("5.3")
def check_training(function: ex.Function) -> None:
    """Check exercise 5.3: the whole loop, on two small networks and four batches."""
    got, weights = _trained(function)
    expected, right = _trained(partial(_train, fault=""))
    pairs = ex.require_parts(got, len(expected), "pairs")
    losses = torch.tensor([ex.require_numbers(pair, 2) for pair in pairs])
    if not all(map(_agree, weights, right)):
        ends = ((fault, _trained(partial(_train, fault=fault))[1]) for fault in FAULTS)
        near = (fault for fault, end in ends if all(map(_agree, weights, end)))
        raise ex.Wrong("other_weights", hint=ex.text(next(near, "line_by_line")))
    ex.require_close(losses, torch.tensor(expected), otherwise="other_losses", tolerance=1e-3)


def _trained(train: ex.Function) -> tuple[Any, list[Tensor]]:
    """Return what a training loop returns, and the weights that it ends with."""
    random = torch.Generator().manual_seed(0)
    networks = new_networks(SMALL, 1, 1, random)
    batches = [2 * torch.rand(8, 1, 16, 16, generator=random) - 1 for _ in range(4)]
    returned = train(*networks, batches, torch.Generator().manual_seed(1))
    return returned, [weight for network in networks for weight in network.parameters()]


def _train(
    generator: Generator,
    discriminator: Discriminator,
    batches: list[Tensor],
    random: torch.Generator,
    fault: str,
) -> list[tuple[float, float]]:
    """Train as section 5 of the notebook does, but for one fault; return the losses."""
    betas = (0.9 if fault == "beta1" else 0.5, 0.999)
    trained_with_g = [generator, discriminator] if fault == "d_twice" else [generator]
    optimizer_g = torch.optim.Adam(nn.ModuleList(trained_with_g).parameters(), 0.0002, betas)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), 0.0002, betas)

    def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
        if fault != "no_zero":
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def draw() -> Tensor:
        return generator(torch.randn(8, generator.latent_size, generator=random))

    losses = []
    for real in batches:
        fake, loss_g = draw(), 0.0
        if fault == "new_adam":
            optimizer_g.state.clear()
            optimizer_d.state.clear()
        if fault == "g_first":
            loss_g = step(optimizer_g, cross_entropy(discriminator(fake), 1.0))
        parts = real, fake.detach()
        if fault == "mixed":
            logits_real, logits_fake = discriminator(torch.cat(parts)).chunk(2)
        else:
            logits_real, logits_fake = map(discriminator, parts)
        loss = cross_entropy(logits_real, 1.0) + cross_entropy(logits_fake, 0.0)
        loss_d = step(optimizer_d, loss)
        if fault == "new_z":
            fake = draw()
        if fault not in ("g_first", "no_g"):
            loss_g = step(optimizer_g, cross_entropy(discriminator(fake), float(fault != "labels")))
        losses.append((loss_d, loss_g))
    return losses


CLAIMS = ("healthy", "D has won from the start", "D wins late", "G minimizes log(1 - D)")
READINGS = {  # what is true of each of the recorded runs; a message says where it can be seen
    "P": "healthy",
    "Q": "D wins late",
    "R": "G minimizes log(1 - D)",
    "S": "D has won from the start",
    "T": "healthy",
}


@ex.exercise("5.4")
def check_readings(function: ex.Function) -> None:
    """Check exercise 5.4: one of `CLAIMS` for each of five anonymous runs."""
    found = ex.require_type(function(), dict, "dictionary")
    for run, right in READINGS.items():
        if run not in found:
            raise ex.Wrong("missing", run=run)
        claim = str(found[run])
        if claim not in CLAIMS:
            raise ex.Wrong("no_claim", got=repr(claim), run=run, claims=", ".join(CLAIMS))
        if claim != right:
            raise ex.Wrong("does_not_fit", got=repr(claim), run=run, place=ex.text(run))
