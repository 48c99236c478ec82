"""Checkers of notebook 03, activations."""

import torch
import torch.nn.functional as F
from torch import nn

from dcgan_utils import exercises as ex

from ..networks import initialize_weights


def _slope(function: ex.Function, place: float) -> float:
    """Return a function's gradient at one place, by autograd, in double precision."""
    x = torch.tensor([place], dtype=torch.double, requires_grad=True)
    y = function(x.clone()).sum()  # clone: it may be in place
    return torch.autograd.grad(y, x)[0].item() if y.requires_grad else 0.0


@ex.exercise("3.1")
def check_activation_numbers(function: ex.Function) -> None:
    """Check exercise 3.1: six values and gradients worked out by hand."""
    rows = [
        (-0.6, "value"),
        (0.2, "steepness"),
        (0, "steepness"),
        (3, "chain_rule"),
        (0.25**3 * 2 * 2, "factors"),
        (0.5 + 0.25, "reach"),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("3.2")
def check_activation_backward(function: ex.Function) -> None:
    """Check exercise 3.2: the gradients through tanh and LeakyReLU, without autograd."""
    leak = 0.3
    x = torch.tensor([-3.0, -0.5, 0.5, 2.0], requires_grad=True)
    upstream = torch.tensor([1.0, -2.0, 3.0, -1.0])
    with torch.no_grad():
        got = function(x.detach().clone(), upstream, leak)
    activations = {"tanh": torch.tanh, "LeakyReLU": lambda x: F.leaky_relu(x, leak)}
    for (name, activation), value in zip(activations.items(), ex.require_parts(got, 2)):
        y, steps = activation(x), (x > 0).float()
        (alone,) = torch.autograd.grad(y.sum(), x)
        mistakes = {
            "no_upstream": alone,
            "value": upstream * y,
            "input_squared": upstream * (1 - x**2),
            "no_leak": upstream * steps,
            "sign": upstream * (steps - leak * (1 - steps)),
            "fixed_leak": upstream * (steps + 0.2 * (1 - steps)),
        }
        case = ex.text("case", name=name, x=x.tolist(), upstream=upstream.tolist())
        ex.require_close(value, upstream * alone, case, mistakes, "slopes")


@ex.exercise("3.3")
def check_dead_share(function: ex.Function) -> None:
    """Check exercise 3.3: the share of units that are zero for every input."""
    units = torch.tensor(
        [
            [0.0, 0.0, -0.2, 1.0, 1.0, -1.0, 0.0, 2.0],
            [0.0, 0.0, -0.2, -1.0, 2.0, -2.0, 1.0, 1.0],
            [0.0, 0.0, -0.4, 0.0, 1.0, -1.0, 2.0, 3.0],
            [0.0, 0.5, -0.2, 0.0, 3.0, -3.0, 1.0, 1.0],
        ]
    )
    zero = (units == 0).float()
    mistakes = {
        "share_of_zeros": zero.mean(),
        "some_inputs": zero.amax(0).mean(),
        "leaks": (units <= 0).all(0).float().mean(),
        "axis": zero.amin(1).mean(),
        "number_of_units": zero.amin(0).sum(),
    }
    ex.require_close(function(units), 1 / 8, ex.text("units"), mistakes, "definition")
    maps = torch.zeros(2, 3, 2, 2)
    maps[1, 1, 0, 1] = 0.5  # zero but for one place in one image
    maps[:, 2] = 1.0
    zero = (maps == 0).float()
    mistakes = {"whole_channel": zero.amin(0).mean()}  # each place as a unit of its own
    ex.require_close(function(maps), 1 / 3, ex.text("maps"), mistakes, "definition")


@ex.exercise("3.4")
def check_discriminator_activations(function: ex.Function) -> None:
    """Check exercise 3.4: a discriminator whose activations were repaired."""
    network = ex.require_type(function(), nn.Sequential, "sequential")
    shapes = [tuple(weight.shape) for weight in network.parameters()]
    if shapes != [(8, 1, 4, 4), (16, 8, 4, 4), (16,), (16,), (1, 16, 4, 4)]:
        raise ex.Wrong("layers")
    random = torch.Generator().manual_seed(0)
    initialize_weights(network, random, std=0.5)
    images = torch.empty(64, 1, 16, 16).uniform_(-1, 1, generator=random)
    answers = ex.require_output(network, images, (64, 1, 1, 1))
    low, high = answers.min().item(), answers.max().item()
    if low >= 0 or max(-low, high) <= 1 or not isinstance(network[-1], nn.Conv2d):
        raise ex.Wrong("last_module", low=low, high=high)
    before, count = None, 0
    for place, module in enumerate(network):
        if isinstance(module, nn.Conv2d):
            if before is not None and count != 1:
                raise ex.Wrong("one_activation", place=place, got=count)
            before, count = place, 0
        elif not isinstance(module, nn.BatchNorm2d):
            count += 1
            _require_leak(module, ex.text("module", place=place, kind=type(module).__name__))


def _require_leak(module: nn.Module, name: str) -> None:
    """Refuse an activation that is not D's, and name the symptom."""
    low, high = ex.require_output(module, torch.tensor([-1.0, 5.0]), (2,)).tolist()
    left, right = (_slope(module, place) for place in (-1.0, 5.0))
    if right < 0.5:
        raise ex.Wrong("saturates", name=name, slope=right)
    if left == 0:
        raise ex.Wrong("no_gradient", name=name)
    if left < 0:
        raise ex.Wrong("rises", name=name, value=low)
    if abs(low + 0.2) > 1e-4 or abs(high - 5) > 1e-4:
        raise ex.Wrong("other_slopes", name=name, left=left, right=right)
