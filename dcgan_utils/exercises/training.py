"""Checkers of notebook 05, training on MNIST."""

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

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

    return judge("5.1", check, function)


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

    return judge("5.2", check, function)


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

    return judge("5.3", check, function)


FAULTS = {  # of a training loop, each with what to say of it
    "beta1": "Adam's β₁ is 0.5 in the recipe; PyTorch's default is 0.9.",
    "mixed": "Real and generated images belong in batches of their own: D has batch norm.",
    "labels": "Which label makes G's loss small when D says “real”?",
    "no zero_grad": "What was in .grad before the step?",
    "G first": "D's step comes first, then G's, through the D that has just learned.",
    "D twice": "G's step must leave D's weights as they are. What does its optimizer hold?",
    "new z": "G's step uses the images that D's step has used, with other logits.",
    "new Adam": "Adam remembers earlier gradients. Make each optimizer once, before the loop.",
    "no G": "G's weights have not changed, or hardly. Does its step reach them?",
}


def check_training(function: Callable[..., list[tuple[float, float]]]) -> bool:
    """Check exercise 5.4: the whole loop, on two small networks and four batches."""

    def check() -> None:
        expected, networks = _trained_beside(function, None)
        got, theirs = networks
        require_answer(got, list, "a list with the two losses of each step")
        if len(got) != len(expected):
            raise Wrong(f"Expected {len(expected)} pairs of losses, one a batch, got {len(got)}.")
        if all(map(_agree, theirs[0], theirs[1])):
            first = [tuple(map(float, pair)) for pair in got]
            if any(abs(a - b) > 1e-3 for x, y in zip(first, expected) for a, b in zip(x, y)):
                raise Wrong(
                    f"The weights are right, but the first losses are {first[0]}; expected "
                    f"Loss_D {expected[0][0]:.4f} and Loss_G {expected[0][1]:.4f}."
                )
            return
        for fault, hint in FAULTS.items():
            _, (_, pairs) = _trained_beside(function, fault)
            if all(map(_agree, pairs[0], pairs[1])):
                raise Wrong(f"Training runs, but the weights at its end differ. {hint}")
        raise Wrong(
            "Training runs, but the weights at its end differ from those that the steps of section "
            "6 give. Compare line by line, also the order in which z is drawn."
        )

    return judge("5.4", check, function)


def _agree(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, atol=1e-5)


Trained = tuple[list[tuple[float, float]], tuple[Any, tuple[list[Tensor], list[Tensor]]]]


def _trained_beside(function: Callable[..., Any], fault: str | None) -> Trained:
    """Train twice from the same start, by a loop with this fault and by the reader's function.

    Returns our losses; then what the function returned, and both lists of weights.
    """
    random = torch.Generator().manual_seed(0)
    ours = Generator(16, 1, 10, 4), Discriminator(16, 1, 4)
    for network in ours:
        initialize_weights(network, random, std=0.1)
    theirs = copy.deepcopy(ours)
    batches = [2 * torch.rand(8, 1, 16, 16, generator=random) - 1 for _ in range(4)]
    losses = _train(*ours, batches, torch.Generator().manual_seed(1), fault)
    returned = function(*theirs, [b.clone() for b in batches], torch.Generator().manual_seed(1))
    weights = [
        [p.detach() for network in pair for p in network.parameters()] for pair in (ours, theirs)
    ]
    return losses, (returned, (weights[0], weights[1]))


def _train(
    generator: Generator,
    discriminator: Discriminator,
    batches: Iterable[Tensor],
    random: torch.Generator,
    fault: str | None,
) -> list[tuple[float, float]]:
    """Train as section 6 of the notebook does, but for one fault; return the losses."""

    def adam(*networks: nn.Module) -> torch.optim.Adam:
        beta1 = 0.9 if fault == "beta1" else 0.5
        parameters = [p for network in networks for p in network.parameters()]
        return torch.optim.Adam(parameters, 0.0002, (beta1, 0.999))

    def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
        if fault != "no zero_grad":
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def against(real: Tensor, fake: Tensor) -> Tensor:
        if fault == "mixed":
            both = discriminator(torch.cat([real, fake]))
            says_of_real, says_of_fake = both[: len(real)], both[len(real) :]
        else:
            says_of_real, says_of_fake = discriminator(real), discriminator(fake)
        return _bce(says_of_real, 1.0) + _bce(says_of_fake, 0.0)

    def new_optimizers() -> tuple[torch.optim.Adam, torch.optim.Adam]:
        own = (generator, discriminator) if fault == "D twice" else (generator,)
        return adam(*own), adam(discriminator)

    losses, (of_g, of_d) = [], new_optimizers()
    for real in batches:
        if fault == "new Adam":
            of_g, of_d = new_optimizers()
        fake = generator(torch.randn(len(real), generator.latent_size, generator=random))
        loss_g = 0.0
        if fault == "G first":
            loss_g = step(of_g, _bce(discriminator(fake), 1.0))
        loss_d = step(of_d, against(real, fake.detach()))
        if fault == "new z":
            fake = generator(torch.randn(len(real), generator.latent_size, generator=random))
        if fault not in ("G first", "no G"):
            label = 0.0 if fault == "labels" else 1.0
            loss_g = step(of_g, _bce(discriminator(fake), label))
        losses.append((loss_d, loss_g))
    return losses


def _bce(logits: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


CLAIMS = ("healthy", "D has won from the start", "D wins late", "G minimizes log(1 - D)")
READINGS = {  # of the recorded runs: what is true, and where it can be seen
    "P": ("healthy", "the running level of Loss_D in the last third"),
    "Q": ("D wins late", "Loss_D at step 200 and at step 1,400"),
    "R": ("G minimizes log(1 - D)", "Loss_G where D(G(z)) is near 0"),
    "S": ("D has won from the start", "D(x) and D(G(z)) from step 100 on"),
    "T": ("healthy", "whether D(x) and D(G(z)) come back from where they jump to"),
}


def check_readings(read: Callable[[], dict[str, str]]) -> bool:
    """Check exercise 5.5: one of `CLAIMS` for each of five anonymous runs."""

    def check() -> None:
        found = read()
        require_answer(found, dict, "a dictionary with a claim for each run")
        for run, (right, place) in READINGS.items():
            if run not in found:
                raise Wrong(f"Run {run} is missing.")
            if found[run] not in CLAIMS:
                raise Wrong(f"{found[run]!r} for run {run} is not one of: {', '.join(CLAIMS)}.")
            if found[run] != right:
                raise Wrong(f"{found[run]!r} does not fit run {run}. Look at {place}.")

    return judge("5.5", check, read)


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
