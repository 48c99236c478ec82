"""Checkers of notebook 03, activations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import initialize_weights
from .common import Wrong, judge, require_answer, require_equal, require_tensor


def _slope(function: Callable[[Tensor], Tensor], place: float) -> float:
    """Return a function's gradient at one place, by autograd, in double precision."""
    x = torch.tensor([place], dtype=torch.double, requires_grad=True)
    return torch.autograd.grad(function(x.clone()).sum(), x)[0].item()  # clone: it may be in place


def check_activation_numbers(function: Callable[[], Sequence[float]]) -> bool:
    """Check exercise 3.1: six values and gradients worked out by hand."""

    def check() -> None:
        got = function()
        require_answer(got, (list, tuple, Tensor), "a list of six numbers")
        if len(got) != 6:
            raise Wrong(f"Expected six numbers, got {len(got)}.")
        label = torch.zeros(1, dtype=torch.double)
        cases: list[tuple[Any, str]] = [
            (F.leaky_relu(torch.tensor(-3.0), 0.2), "A share of the input, sign included."),
            (_slope(lambda x: F.leaky_relu(x, 0.2), -3.0), "How steep is the line left of 0?"),
            (_slope(torch.relu, -3.0), "How steep is the line left of 0?"),
            (_slope(lambda x: torch.tanh(3 * x), 0.0), "The chain rule has two factors here."),
            (
                _slope(torch.sigmoid, 0.0) ** 3 * 2 * 2,
                "Every sigmoid and every weight on the way is a factor; see section 3.",
            ),
            (
                _slope(lambda x: F.binary_cross_entropy_with_logits(x, label), 200.0),
                "The loss must still be able to correct an error; see the figure of section 8.",
            ),
        ]
        for number, (value, (expected, hint)) in enumerate(zip(got, cases), start=1):
            if abs(float(value) - float(expected)) > 1e-4:
                raise Wrong(f"Number {number} is not right, got {float(value):.4g}. {hint}")

    return judge("3.1", check, function)


def check_activation_backward(function: Callable[..., tuple[Tensor, Tensor]]) -> bool:
    """Check exercise 3.2: the gradients through tanh and LeakyReLU, without autograd."""

    def check() -> None:
        leak = 0.3
        x = torch.tensor([-3.0, -0.5, 0.5, 2.0], requires_grad=True)
        upstream = torch.tensor([1.0, -2.0, 3.0, -1.0])
        with torch.no_grad():
            got = function(x.detach().clone(), upstream.clone(), leak)
        require_answer(got, (tuple, list), "two tensors")
        if len(got) != 2:
            raise Wrong(f"Expected two tensors, got {len(got)}.")
        for name, f, value in zip(
            ("tanh", "LeakyReLU"), (torch.tanh, lambda x: F.leaky_relu(x, leak)), got
        ):
            require_tensor(value, (4,), "Each input has one gradient of its own.")
            y = f(x)
            (alone,) = torch.autograd.grad(y.sum(), x)
            steps = (x > 0).float()
            mistakes = [
                (alone, "Where does the upstream gradient come in?"),
                (upstream * y, "That is the value, where its derivative belongs."),
                (upstream * (1 - x**2), "Is it the input or the output that is squared?"),
                (upstream * (1 - y), "It misses a factor: differentiate once more, slowly."),
                (upstream * y * (1 - y), "That is how a sigmoid's derivative is written."),
                (upstream * steps, "What does a negative input pass on?"),
                (upstream * (steps - leak * (1 - steps)), "Which sign has the line's slope?"),
                (upstream * (steps + 0.2 * (1 - steps)), "The slope below 0 is an argument."),
            ]
            case = f"through {name} for x {x.tolist()}, upstream {upstream.tolist()}"
            otherwise = f"Compare with the slopes of {name} in section 2's figure."
            require_equal(value, upstream * alone, case, mistakes, otherwise)

    return judge("3.2", check, function)


def check_dead_share(function: Callable[[Tensor], float]) -> bool:
    """Check exercise 3.3: the share of units that are zero for every input."""

    def check() -> None:
        units = torch.tensor(
            [
                [0.0, 0.0, -0.2, 1.0, 1.0, -1.0, 0.0, 2.0],
                [0.0, 0.0, -0.2, -1.0, 2.0, -2.0, 1.0, 1.0],
                [0.0, 0.0, -0.4, 0.0, 1.0, -1.0, 2.0, 3.0],
                [0.0, 0.5, -0.2, 0.0, 3.0, -3.0, 1.0, 1.0],
            ]
        )
        maps = torch.zeros(2, 3, 2, 2)
        maps[1, 1, 0, 1] = 0.5  # zero but for one place in one image
        maps[:, 2] = 1.0
        zero = units == 0
        hints = {
            zero.float().mean().item(): "That is the share of zeros among all numbers.",
            zero.any(0).float().mean().item(): "A unit that is zero for some inputs is alive.",
            (units <= 0).all(0).float().mean().item(): "A negative output is not zero: it leaks.",
            (units.sum(0) == 0).float().mean().item(): "Positive and negative outputs may cancel.",
            zero.all(1).float().mean().item(): "Which axis holds the units, which the inputs?",
            zero.all(0).sum().item(): "Expected a share, not a count.",
        }
        _require_share(function(units), 1 / 8, "8 units and 4 inputs", hints)
        whole = (maps == 0).all(0)  # each place as a unit of its own
        hints = {
            whole.float().mean().item(): "In feature maps, a unit is a whole channel.",
            (maps == 0).float().mean().item(): "In feature maps, a unit is a whole channel.",
            (maps[0] == 0).all(2).all(1).float().mean().item(): "Did you look at every image?",
        }
        _require_share(function(maps), 1 / 3, "feature maps (2, 3, 2, 2)", hints)

    return judge("3.3", check, function)


def _require_share(got: Any, expected: float, case: str, hints: dict[float, str]) -> None:
    require_answer(got, (int, float, Tensor), "one number")
    if isinstance(got, Tensor) and got.numel() != 1:
        raise Wrong(f"Expected one number, got a tensor of shape {tuple(got.shape)}.")
    got = float(got)
    if abs(got - expected) > 1e-4:
        near = [hint for value, hint in hints.items() if abs(got - value) < 1e-4]
        hint = near[0] if near else "Read the definition of a unit in the task once more."
        raise Wrong(f"Expected {expected:.4f} for {case}, got {got:.4f}. {hint}")


def check_discriminator_activations(function: Callable[[], nn.Sequential]) -> bool:
    """Check exercise 3.4: a discriminator whose activations were repaired."""

    def check() -> None:
        got = function()
        require_answer(got, nn.Sequential, "a torch.nn.Sequential")
        shapes = [tuple(weight.shape) for weight in got.parameters()]
        if shapes != [(8, 1, 4, 4), (16, 8, 4, 4), (16,), (16,), (1, 16, 4, 4)]:
            raise Wrong("The convolutions or the batch norm have changed. They were right.")
        random = torch.Generator().manual_seed(0)
        initialize_weights(got, random, std=0.5)
        images = torch.empty(64, 1, 16, 16).uniform_(-1, 1, generator=random)
        answers = require_tensor(got(images), (64, 1, 1, 1)).detach()
        low, high = answers.min().item(), answers.max().item()
        if low >= 0 or max(-low, high) <= 1 or not isinstance(got[-1], nn.Conv2d):
            raise Wrong(
                f"For 64 images and large weights, the answers lie between {low:.2f} and "
                f"{high:.2f}. What does the loss take, and which module comes last in section 7?"
            )
        before, count = None, 0
        for place, module in enumerate(got):
            if isinstance(module, nn.Conv2d):
                if before is not None and count != 1:
                    raise Wrong(f"Expected one activation before module {place}, got {count}.")
                before, count = place, 0
            elif not isinstance(module, nn.BatchNorm2d):
                count += 1
                _require_leak(module, f"Module {place}, {type(module).__name__},")

    return judge("3.4", check, function)


def _require_leak(module: nn.Module, called: str) -> None:
    """Refuse an activation that is not D's, and name the symptom."""
    values = module(torch.tensor([-1.0, 5.0])).tolist()
    slopes = [_slope(module, place) for place in (-1.0, 5.0)]
    if slopes[1] < 0.5:
        raise Wrong(f"{called} passes back a gradient of only {slopes[1]:.2g} at 5: it saturates.")
    if slopes[0] == 0:
        raise Wrong(f"{called} passes back no gradient where its input is negative.")
    if slopes[0] < 0:
        raise Wrong(
            f"{called} turns -1 into {values[0]:.2g}: as the input falls, the output rises. Two "
            f"different inputs then look the same to the next layer."
        )
    if abs(values[0] + 0.2) > 1e-4 or abs(values[1] - 5) > 1e-4:
        raise Wrong(
            f"{called} has slopes {slopes[0]:.2g} at -1 and {slopes[1]:.2g} at 5. Compare with "
            f"D's rows of the table in section 7."
        )
