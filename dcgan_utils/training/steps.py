"""The two steps of which all training consists: D's and G's.

Notebook 05, section 6, takes them by hand, line by line.
"""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.optim import Optimizer

from ..config import Config
from ..losses import Objective, non_saturating
from .hardware import autocast

NON_SATURATING = non_saturating(Config())


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    fake: Tensor,
    labels: Tensor | None = None,
    objective: Objective = NON_SATURATING,
    precision: str = "float32",
) -> tuple[Tensor, Tensor, Tensor]:
    """Make the discriminator better at telling real images from fake ones, once.

    Real and fake are separate batches, so that batch norm never mixes their statistics.

    Parameters
    ----------
    discriminator, optimizer
        The network, and the optimizer of its parameters; both are changed.
    real, fake
        (B, C, S, S), in [-1, 1]. No gradient reaches whatever made `fake`.
    labels
        (B,) int64, of real and of fake images, for a conditional discriminator.
    objective
        What D minimizes.
    precision
        "float32", or "bf16" to compute the convolutions in it.

    Returns
    -------
    loss_d, d_real, d_fake
        Scalars, still on the device: the loss, and what D says of real images and of generated
        ones before the step; with the usual objective the means of D(x) and of D(G(z)).

    References
    ----------
    Goodfellow et al. (2014), algorithm 1.
    """
    given = () if labels is None else (labels,)
    with autocast(real.device, precision):
        says_of_real = discriminator(real, *given)
        says_of_fake = discriminator(fake.detach(), *given)
    loss = objective.discriminator_loss(says_of_real.float(), says_of_fake.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    objective.constrain(discriminator)
    return loss.detach(), mean_score(objective, says_of_real), mean_score(objective, says_of_fake)


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    fake: Tensor,
    labels: Tensor | None = None,
    objective: Objective = NON_SATURATING,
    precision: str = "float32",
) -> tuple[Tensor, Tensor]:
    """Make the generator better at what the discriminator takes for real, once.

    Parameters
    ----------
    generator, optimizer
        The network that made `fake`, and the optimizer of its parameters; both are changed.
    discriminator
        Judges `fake`; its parameters are not changed, nor are their gradients computed.
    fake
        (B, C, S, S), in [-1, 1], with the graph that leads back to the generator.
    labels
        (B,) int64, what `fake` was to show, for a conditional discriminator.
    objective
        What G minimizes.
    precision
        "float32", or "bf16" to compute the convolutions in it.

    Returns
    -------
    loss_g, d_fake
        Scalars, still on the device: the loss, and what D says of the generated images after its
        own step.

    References
    ----------
    Goodfellow et al. (2014), algorithm 1.
    """
    given = () if labels is None else (labels,)
    with autocast(fake.device, precision), frozen(discriminator):
        says_of_fake = discriminator(fake, *given)
    loss = objective.generator_loss(says_of_fake.float())
    optimizer.zero_grad()
    loss.backward(inputs=list(generator.parameters()))
    optimizer.step()
    return loss.detach(), mean_score(objective, says_of_fake)


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let a network's parameters count as constants in what is computed here.

    Without it, a compiled network would compute their gradients together with those of its input.
    """
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def set_learning_rate(optimizer: Optimizer, config: Config, done: float) -> None:
    """Lower the rate along a line in the last part of a run, which `decay` names; else leave it.

    Parameters
    ----------
    optimizer
        Whose rate is set.
    config
        The settings: `learning_rate` and `decay`.
    done
        Which share of the run's steps is done, from 0 to 1.

    References
    ----------
    Radford et al. (2015): their program for MNIST does so in the second half of its 200 epochs.
    """
    if config.decay:
        left = max(0.0, 1 - done) / config.decay
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, left)


def mean_score(objective: Objective, outputs: Tensor) -> Tensor:
    """Return the mean of what D says of images, from its outputs (B,), without a graph."""
    return objective.score(outputs.detach().float()).mean()
