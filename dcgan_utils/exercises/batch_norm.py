"""Checkers of notebook 02, batch normalization."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, group_norm

from .common import Wrong, judge, require_answer, require_equal, require_tensor


def check_batch_norm_predictions(function: Callable[[], tuple]) -> bool:
    """Check exercise 2.1: outputs and running statistics of one step, worked out by hand."""

    def check() -> None:
        got = function()
        require_answer(got, (tuple, list), "four results: a list of four numbers, then three more")
        if len(got) != 4:
            raise Wrong(f"Expected four results, got {len(got)}. The stub names them in order.")
        outputs, *numbers = ([float(v) for v in _as_list(part)] for part in got)
        right, *running = _one_step_of_pytorch()
        hints = {
            "outputs": "Section 2: normalize with the batch's own mean and variance, divided by n; "
            "then multiply by gamma and add beta.",
            "running mean": "Section 3: how much of the new batch's mean enters, and how much of "
            "the old value stays?",
            "running variance": "Section 3: which variance of the batch does PyTorch keep, and "
            "what share of it enters?",
            "output in evaluation": "Section 3: which mean and variance does evaluation mode use, "
            "and what do gamma and beta do after that?",
        }
        if len(outputs) != 4:
            raise Wrong("Expected a list of four outputs as the first result.")
        for (name, hint), mine, theirs in zip(
            hints.items(), (outputs, *numbers), (right, *running)
        ):
            if len(mine) != len(theirs) or not _close(mine, theirs):
                raise Wrong(f"For the {name} you expect {_words(mine)}; PyTorch differs. {hint}")

    return judge("2.1", check, function)


def _as_list(part: object) -> list:
    values = part.tolist() if isinstance(part, Tensor) else part
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _close(mine: list[float], theirs: list[float]) -> bool:
    return all(math.isclose(a, b, abs_tol=0.01) for a, b in zip(mine, theirs))


def _words(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _one_step_of_pytorch() -> tuple[list[float], ...]:
    """Return what PyTorch gives for exercise 2.1, each result as a list."""
    layer = nn.BatchNorm1d(1, momentum=0.25)
    mean, var = torch.tensor([4.0]), torch.tensor([92.0])
    layer.running_mean, layer.running_var = mean, var  # which the layer then moves in place
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.fill_(1.0)
        outputs = layer(torch.tensor([[2.0], [2], [14], [14]])).flatten().tolist()
        alone = layer.eval()(torch.tensor([[32.0]])).flatten().tolist()
    return outputs, mean.tolist(), var.tolist(), alone


def check_group_norm(function: Callable[..., Tensor]) -> bool:
    """Check exercise 2.2: group norm, with layer and instance norm as its two ends."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        x = torch.empty(3, 4, 2, 4).normal_(generator=random)  # W = C: gamma fits the wrong axis
        x = x * torch.tensor([1.0, 4, 2, 3]).reshape(4, 1, 1) + torch.arange(4.0).reshape(4, 1, 1)
        gamma, beta = torch.tensor([2.0, -1.0, 0.5, 3.0]), torch.tensor([0.5, 3.0, 0.0, -2.0])

        def affine(x_hat: Tensor, shape: tuple[int, ...] = (4, 1, 1)) -> Tensor:
            return gamma.reshape(shape) * x_hat.reshape(x.shape) + beta.reshape(shape)

        def every_other(parts: Tensor) -> Tensor:  # channels 0 and 2, 1 and 3
            return group_norm(parts[:, [0, 2, 1, 3]], 2)[:, [0, 2, 1, 3]]

        for groups in (2, 1, 4):
            got = require_tensor(function(x.clone(), groups, gamma, beta), x.shape)
            plain = group_norm(x, groups)
            values = x.numel() // (3 * groups)
            unbiased = plain * math.sqrt((values - 1) / values)
            mistakes = [
                (plain, "gamma and beta (section 2) have no effect."),
                (affine(batch_norm(x, None, None, training=True)), "That is batch norm."),
                (affine(group_norm(x, 1)), "All channels of an image share one mean."),
                (affine(group_norm(x, 4)), "Every channel has a mean of its own."),
                (affine(every_other(x)), "Which channels are neighbors? Yours share by turns."),
                (affine(unbiased), "By what is the sum of squares divided, n or n - 1?"),
                (affine(plain, (4,)), "gamma and beta lie along W. Where are channels?"),
            ]
            case = f"for x of shape (3, 4, 2, 4), groups={groups}"
            look = "Compare with the picture of section 4: what shares one mean?"
            require_equal(got, affine(plain), case, mistakes, look)
        got = function(x.clone(), 2, gamma, beta, eps=0.5)
        expected = affine(group_norm(x, 2, eps=0.5))
        require_equal(got, expected, "with eps=0.5", (), "Where does eps enter the equation?")

    return judge("2.2", check, function)


def check_backward(function: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> bool:
    """Check exercise 2.3: batch norm's gradients for images, against autograd's."""

    def check() -> None:
        random = torch.Generator().manual_seed(1)
        x, grad_y = torch.empty(2, 3, 2, 4, 3).normal_(generator=random).double()  # (3, 2, 4, 3)
        x = x * torch.tensor([1.0, 4.0]).reshape(2, 1, 1) + torch.arange(3.0).reshape(3, 1, 1, 1)
        gamma = torch.tensor([2.0, -1.5]).double()
        for eps in (1e-5, 0.5):
            leaves = [t.clone().requires_grad_() for t in (x, gamma, torch.zeros(2).double())]
            leaf_x, leaf_gamma, leaf_beta = leaves
            y = batch_norm(leaf_x, None, None, leaf_gamma, leaf_beta, training=True, eps=eps)
            expected = torch.autograd.grad(y, leaves, grad_y)
            got = function(grad_y.clone(), x.clone(), gamma.clone(), eps)
            require_answer(got, (tuple, list), "three gradients")
            if len(got) != 3:
                raise Wrong(f"Expected three gradients, for x, gamma and beta; got {len(got)}.")
            names = ("x", "gamma", "beta")
            for name, mine, theirs, mistakes in zip(
                names, got, expected, _wrong_gradients(x, grad_y, gamma, eps)
            ):
                mine = require_tensor(mine, theirs.shape, f"That is the gradient for {name}.")
                case = f"in the gradient for {name} (eps={eps:g})"
                require_equal(mine, theirs, case, mistakes, "Go through section 5 term by term.")

    return judge("2.3", check, function)


def _wrong_gradients(
    x: Tensor, grad_y: Tensor, gamma: Tensor, eps: float
) -> tuple[list[tuple[Tensor, str]], ...]:
    """Return what usual mistakes give for the gradients of x, gamma and beta, with hints."""
    axes = (0, 2, 3)
    sigma = torch.sqrt(x.var(axes, correction=0, keepdim=True) + eps)
    x_hat = (x - x.mean(axes, keepdim=True)) / sigma

    def back(g: Tensor, axes: tuple[int, ...] = axes, mean: float = 1, along: float = 1) -> Tensor:
        removed = mean * g.mean(axes, keepdim=True)
        return g - removed - along * x_hat * (g * x_hat).mean(axes, keepdim=True)

    g = grad_y * gamma.reshape(2, 1, 1)
    for_x = [
        (g / sigma, "The statistics count as constants there. What else does each value move?"),
        (back(grad_y) / sigma, "What stands between the gradient at the output and that at x_hat?"),
        (back(g, mean=0) / sigma, "One of the two terms of section 5 is missing: shifts."),
        (back(g, along=0) / sigma, "One of the two terms of section 5 is missing: stretches."),
        (back(g), "By what is a gradient divided on its way back?"),
        (back(g, (0,)) / sigma, "Your means go over the batch alone. What else shares a mean?"),
        (back(g, (2, 3)) / sigma, "Your means go over one image. What else shares a mean?"),
    ]
    for_gamma = [
        ((grad_y * x_hat).mean(axes), "Gamma is used in many places. Is a mean what adds up?"),
        ((grad_y * x).sum(axes), "What is gamma multiplied with in the fourth equation?"),
        (grad_y.sum(axes), "That is the gradient for beta."),
    ]
    for_beta = [
        (grad_y.mean(axes), "Beta is used in many places. Is a mean what adds up?"),
        ((grad_y * x_hat).sum(axes), "That is the gradient for gamma."),
    ]
    return for_x, for_gamma, for_beta


def check_generator_repair(function: Callable[[torch.Generator], nn.Sequential]) -> bool:
    """Check exercise 2.4: the repaired generator, by looking at its layers and by running it."""

    def check() -> None:
        network = function(torch.Generator().manual_seed(0))
        require_answer(network, nn.Sequential, "an nn.Sequential")
        layers = list(network)
        _require_layers(layers)
        for before, norm in zip(layers, layers[1:]):
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            if before.bias is not None:
                raise Wrong(
                    "A convolution adds a number to each channel, and the next layer takes it "
                    "away again. See section 4."
                )
            if norm.eps > 1e-3:
                raise Wrong(
                    f"A batch norm adds {norm.eps:g} to each variance. Was that meant? Section 3 "
                    f"has this trap."
                )
        _require_drawn(layers, torch.Generator().manual_seed(0))
        again = function(torch.Generator().manual_seed(0))
        pairs = zip(network.parameters(), again.parameters())
        if not all(torch.equal(a, b) for a, b in pairs):
            raise Wrong("The same seed gave two different networks. Use `random` for all weights.")
        images = network(torch.zeros(3, 10, 1, 1).normal_(generator=torch.Generator()))
        require_tensor(images, (3, 1, 16, 16), "A batch of 3 latent vectors was given.")

    return judge("2.4", check, function)


def _require_layers(layers: list[nn.Module]) -> None:
    """Refuse a generator whose layers are not those of a DCGAN, in the right order."""
    block = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    names = [type(layer).__name__ for layer in layers]
    if names[-2:] == ["BatchNorm2d", "Tanh"]:
        raise Wrong(
            "Every batch of images would have the same mean and spread before the Tanh. Which "
            "layer does that? See section 8."
        )
    if names != [*block, *block, "ConvTranspose2d", "Tanh"]:
        raise Wrong(f"The layers are {', '.join(names)}. Keep the layers that are not at fault.")


def _require_drawn(layers: list[nn.Module], random: torch.Generator) -> None:
    """Refuse weights that are not those of the recipe."""
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            mean, std = layer.weight.mean().item(), layer.weight.std().item()
            if abs(mean - 1) > 0.05 or std > 0.06:
                raise Wrong(
                    f"A gamma has mean {mean:.2f} and standard deviation {std:.2f}. Where should "
                    f"it start, and what happens to the signal otherwise? See section 9."
                )
            if layer.bias.abs().max() > 0:
                raise Wrong("Expected every beta to start at 0.")
        elif isinstance(layer, nn.ConvTranspose2d):
            mean, std = layer.weight.mean().item(), layer.weight.std().item()
            if abs(mean) > 0.01 or not 0.015 < std < 0.025:
                raise Wrong(
                    f"A convolution's weights have mean {mean:.2f} and standard deviation "
                    f"{std:.3f}. The paper draws them from N(0, 0.02)."
                )
