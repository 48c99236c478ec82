"""Checkers of notebook 05, training on MNIST."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..networks import Discriminator, Generator, initialize_weights
from ..sampling import draw_latents
from .common import Wrong, judge, require_answer, require_scalar


def check_discriminator_loss(function: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Check exercise 5.1: Loss_D from the logits of a real and of a fake batch."""

    def check() -> None:
        real, fake = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([-1.0, 0.5])
        got = require_scalar(function(real, fake))
        parts = [-math.log(1 / (1 + math.exp(-x))) for x in real.tolist()]
        others = [-math.log(1 - 1 / (1 + math.exp(-x))) for x in fake.tolist()]
        expected = sum(parts) / 3 + sum(others) / 2
        case = "for logits [2, 0, 1] of real and [-1, 0.5] of fake images"
        hints = {
            -expected: "The sign is lost: D maximizes the value, so its loss is the negative.",
            expected / 2: "Loss_D is the sum of the two terms, not their mean.",
            sum(parts) + sum(others): "Take the mean over each batch, not the sum.",
            (sum(parts) + sum(others)) / 5: "Real and fake each get a mean of their own.",
            sum(math.log1p(math.exp(x)) for x in real.tolist()) / 3
            + sum(math.log1p(math.exp(-x)) for x in fake.tolist()) / 2: (
                "The labels are swapped: real images have label 1."
            ),
        }
        if not math.isclose(got, expected, abs_tol=1e-4):
            near = [hint for value, hint in hints.items() if math.isclose(got, value, abs_tol=1e-4)]
            where = near[0] if near else "Compare with the two terms of Loss_D in section 5."
            raise Wrong(f"Expected {expected:.4f} {case}, got {got:.4f}. {where}")
        extreme = require_scalar(function(torch.tensor([-200.0]), torch.tensor([200.0])))
        if not math.isclose(extreme, 400.0, rel_tol=1e-4):
            raise Wrong(
                f"Expected 400 for logits of -200 (real) and 200 (fake), got {extreme}. Does a "
                f"sigmoid round to exactly 0 or 1 before its logarithm is taken?"
            )

    return judge("5.1", check)


def check_to_gray_levels(function: Callable[[Tensor], Tensor]) -> bool:
    """Check exercise 5.2: images in [-1, 1] back to gray levels 0..255 as uint8."""

    def check() -> None:
        levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
        images = levels.float() / 127.5 - 1
        before = images.clone()
        got = function(images)
        require_answer(got, Tensor, "a tensor")
        if not torch.equal(images, before):
            raise Wrong("Your function changed the images it was given. Work on a new tensor.")
        if got.dtype != torch.uint8:
            raise Wrong(f"Expected dtype torch.uint8, got {got.dtype}.")
        if got.shape != levels.shape:
            raise Wrong(f"Expected shape {tuple(levels.shape)}, got {tuple(got.shape)}.")
        wrong = (got != levels).flatten().nonzero().flatten()
        if len(wrong):
            level = int(wrong[0])
            value, found = images.flatten()[level].item(), got.flatten()[level].item()
            hint = (
                "Conversion to uint8 cuts fractions off instead of rounding."
                if (got.int() - levels.int()).abs().max() == 1
                else "Undo x / 127.5 - 1: the other operation, in the other order."
            )
            raise Wrong(f"Expected {level} for {value:.4f}, got {found}. {hint}")
        outside = function(torch.tensor([-1.02, 1.02])).tolist()
        if outside != [0, 255]:
            raise Wrong(
                f"Expected [0, 255] for [-1.02, 1.02], got {outside}. A value a little outside "
                f"the range must not wrap around."
            )

    return judge("5.2", check)


def check_generator_step(function: Callable[..., Tensor]) -> bool:
    """Check exercise 5.3: the repaired generator step, on two small networks."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        generator, discriminator = Generator(16, 1, 10, 4), Discriminator(16, 1, 4)
        for network in (generator, discriminator):
            initialize_weights(network, random, std=0.1)
        z = draw_latents(8, 10, "normal", random)
        expected_g, expected_loss, expected_gradients = _reference_step(generator, discriminator, z)
        judge_before = [p.detach().clone() for p in discriminator.parameters()]
        for parameter in generator.parameters():
            parameter.grad = torch.ones_like(parameter)  # left over from an earlier step
        optimizer = torch.optim.SGD(generator.parameters(), 0.1)
        before = [p.detach().clone() for p in generator.parameters()]
        got = require_scalar(function(generator, discriminator, optimizer, z))
        if not math.isclose(got, expected_loss, abs_tol=1e-4):
            raise Wrong(
                f"Expected a loss of {expected_loss:.4f} on the checker's batch, got {got:.4f}. "
                f"Which label makes the loss small when the discriminator says “real”?"
            )
        if all(map(torch.equal, before, generator.parameters())):
            raise Wrong(
                "Expected the generator's weights to change, but they did not. Follow the gradient "
                "from the loss back to z: does something cut its way, or is a step missing?"
            )
        if not all(map(torch.equal, judge_before, discriminator.parameters())):
            raise Wrong("Expected the discriminator's weights to stay, but they changed.")
        gradients = [p.grad for p in generator.parameters()]
        if not all(
            got is not None and torch.allclose(got, expected, atol=1e-5)
            for got, expected in zip(gradients, expected_gradients)
        ):
            raise Wrong(
                "Expected the gradients of this batch alone, but they differ. What was in .grad "
                "before the step?"
            )
        if not all(
            torch.allclose(a, b, atol=1e-5) for a, b in zip(generator.parameters(), expected_g)
        ):
            raise Wrong("Expected one optimizer step along the gradient, but the weights differ.")

    return judge("5.3", check)


def _reference_step(
    generator: nn.Module, discriminator: nn.Module, z: Tensor
) -> tuple[list[Tensor], float, list[Tensor]]:
    """Return the weights, the loss and the gradients after one right step, on copies."""
    generator, discriminator = copy.deepcopy(generator), copy.deepcopy(discriminator)
    logits = discriminator(generator(z))
    loss = binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    gradients = torch.autograd.grad(loss, list(generator.parameters()))
    weights = [p.detach() - 0.1 * g for p, g in zip(generator.parameters(), gradients)]
    return weights, loss.item(), list(gradients)
