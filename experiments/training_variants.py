"""Objectives and steps that differ from the course's, which notebooks 07 and 13 show."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from dcgan_utils.device import autocast
from dcgan_utils.losses import OBJECTIVES, Objective, cross_entropy, non_saturating
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import Training

METRICS = ("loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")  # of each step

OBJECTIVES["least squares"] = lambda config: Objective(  # Mao et al. (2017), arXiv:1611.04076
    discriminator_loss=lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(),
    generator_loss=lambda fake: ((fake - 1) ** 2).mean(),
)
OBJECTIVES["labels swapped"] = lambda config: replace(  # D is told that real is generated
    non_saturating(config),
    discriminator_loss=lambda real, fake: cross_entropy(real, 0.0) + cross_entropy(fake, 1.0),
)
OBJECTIVES["naive logarithm"] = lambda config: replace(  # of the sigmoid, as it is on paper
    non_saturating(config),
    discriminator_loss=lambda real, fake: (
        -(real.sigmoid().log() + (1 - fake.sigmoid()).log()).mean()
    ),
    generator_loss=lambda fake: -fake.sigmoid().log().mean(),
)
OBJECTIVES["hinge"] = lambda config: Objective(  # Lim and Ye (2017), arXiv:1705.02894
    discriminator_loss=lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(),
    generator_loss=lambda fake: -fake.mean(),
)
OBJECTIVES["Wasserstein"] = lambda config: Objective(  # Arjovsky et al. (2017), arXiv:1701.07875
    discriminator_loss=lambda real, fake: fake.mean() - real.mean(),
    generator_loss=lambda fake: -fake.mean(),
)
OBJECTIVES["relativistic"] = lambda config: Objective(  # Jolicoeur-Martineau, arXiv:1807.00734
    discriminator_loss=lambda real, fake: softplus(fake - real).mean(),
    generator_loss=lambda fake, real: softplus(real - fake).mean(),
    relativistic=True,
)


def squared_slopes(discriminate: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return ‖∇D(x)‖² of D's output at each of images (B, C, S, S): (B,), with its graph."""
    images = images.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(discriminate(images).sum(), images, create_graph=True)
    return slopes.square().sum((1, 2, 3))


def zero_centered(gamma: float, real: bool = True, fake: bool = False) -> Callable[..., Any]:
    """Return the penalty γ/2 E‖∇D(x)‖² at real images (R1), at generated ones (R2), or at both.

    Mescheder et al. (2018), arXiv:1801.04406.
    """

    def penalty(discriminate: Any, on_real: Tensor, on_fake: Tensor, random: Any) -> Any:
        places = [on_real] * real + [on_fake] * fake
        return gamma / 2 * sum(squared_slopes(discriminate, images).mean() for images in places)

    return penalty


def one_centered(discriminate: Any, real: Tensor, fake: Tensor, random: Any) -> Tensor:
    """Return 10 E(‖∇D(x)‖ - 1)² between real and generated images, each pair at a random place.

    Gulrajani et al. (2017), arXiv:1704.00028.
    """
    place = torch.rand(len(real), 1, 1, 1, generator=random, device=real.device)
    slopes = squared_slopes(discriminate, place * real + (1 - place) * fake).sqrt()
    return 10 * (slopes - 1).square().mean()


OBJECTIVES["R1"] = lambda config: replace(
    non_saturating(config), penalty=zero_centered(0.1), penalty_every=4
)


class OwnStep(Training):
    """A training whose steps stand here, written out."""

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the step's real and generated images."""
        real, _ = self.batches.batch(self.step)
        z = draw_latents(len(real), self.config.latent_size, self.config.latent, self.random)
        return real, self.generator(z)

    def descend(self, loss: Tensor, name: str) -> None:
        """Step down a loss with the optimizer of one network."""
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()

    def done(self, loss_d: Tensor, loss_g: Tensor, *logits: Tensor) -> dict[str, Tensor]:
        """Count the step; return its five metrics."""
        self.update_average()
        self.step += 1
        means = [output.detach().float().sigmoid().mean() for output in logits]
        return dict(zip(METRICS, (loss_d.detach(), loss_g.detach(), *means)))


class OneBatch(OwnStep):
    """D sees real and generated images in one batch, so that batch norm mixes them."""

    mixes_for_g = True

    def train_step(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Take one step."""
        with autocast(self.device, self.precision):
            real, fake = self.forward()
            logits = self.discriminator(torch.cat([real, fake.detach()])).float()
        d_real, d_fake = logits.chunk(2)
        loss_d = self.objective.discriminator_loss(d_real, d_fake)
        self.descend(loss_d, "discriminator")
        with autocast(self.device, self.precision):
            seen = torch.cat([real, fake]) if self.mixes_for_g else fake
            after = self.discriminator(seen)[-len(fake) :].float()
        loss_g = self.objective.generator_loss(after)
        self.descend(loss_g, "generator")
        return self.done(loss_d, loss_g, d_real, d_fake, after), real, fake


class OneBatchForD(OneBatch):
    """Only D's step mixes the images; G's shows D a batch that is all generated."""

    mixes_for_g = False


class NoDetach(OwnStep):
    """Both gradients are cleared at the start of a step, and D's loss reaches G."""

    def train_step(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Take one step."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        with autocast(self.device, self.precision):
            real, fake = self.forward()
            d_real, d_fake = self.discriminator(real).float(), self.discriminator(fake).float()
        loss_d = self.objective.discriminator_loss(d_real, d_fake)
        loss_d.backward(retain_graph=True)  # without it, PyTorch stops at the next backward
        self.optimizers["discriminator"].step()
        with autocast(self.device, self.precision):
            after = self.discriminator(fake).float()
        loss_g = self.objective.generator_loss(after)
        loss_g.backward(inputs=list(self.generator.parameters()))  # on top of what is there
        self.optimizers["generator"].step()
        return self.done(loss_d, loss_g, d_real, d_fake, after), real, fake


class EvalFrom200(Training):
    """After 200 steps somebody draws samples in evaluation mode, and never goes back."""

    def train_step(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Take one step."""
        if self.step == 200:
            self.generator.eval()
            self.discriminator.eval()
        return super().train_step()
