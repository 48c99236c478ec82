"""Checkers of notebook 02, batch normalization."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

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


def check_batch_norm_images(function: Callable[..., Tensor]) -> bool:
    """Check exercise 2.2: batch norm of images in training mode."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        x = torch.empty(3, 2, 4, 2).normal_(generator=random)  # W = C: gamma fits the wrong axis
        x = x * torch.tensor([1.0, 4.0]).reshape(1, 2, 1, 1) + torch.arange(3.0).reshape(3, 1, 1, 1)
        gamma, beta = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
        expected = batch_norm(x, None, None, gamma, beta, training=True)

        def with_axes(*axes: int) -> Tensor:
            mean, var = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
            return (x - mean) / torch.sqrt(var + 1e-5)

        def affine(x_hat: Tensor, shape: tuple[int, ...] = (2, 1, 1)) -> Tensor:
            return gamma.reshape(shape) * x_hat + beta.reshape(shape)

        unbiased = with_axes(0, 2, 3) * math.sqrt(23 / 24)
        mistakes = [
            (with_axes(0, 2, 3), "gamma and beta (section 2) have no effect."),
            (affine(with_axes(0)), "Every pixel has a mean of its own. What shares one?"),
            (affine(with_axes(2, 3)), "Every image has a mean of its own. What shares one?"),
            (affine(with_axes(0, 1, 2, 3)), "Both channels share one mean. What should?"),
            (affine(unbiased), "By what is the sum of squares divided, n or n - 1 (section 3)?"),
            (affine(with_axes(0, 2, 3), (2,)), "gamma and beta lie along W. Where are channels?"),
        ]
        look = "Compare with the four equations of section 2 and the axes of section 4."
        got = require_tensor(function(x.clone(), gamma, beta), x.shape)
        require_equal(got, expected, "for a batch of shape (3, 2, 4, 2)", mistakes, look)
        got = require_tensor(function(x.clone(), gamma, beta, eps=0.5), x.shape)
        expected = batch_norm(x, None, None, gamma, beta, training=True, eps=0.5)
        require_equal(got, expected, "with eps=0.5", (), "Where does eps enter the equation?")

    return judge("2.2", check, function)


def check_running_statistics(function: Callable[..., tuple[Tensor, Tensor]]) -> bool:
    """Check exercise 2.3: running mean and running variance after a batch of images."""

    def check() -> None:
        random = torch.Generator().manual_seed(1)
        x = (2 * torch.empty(2, 3, 2, 2).normal_(generator=random) + 1).requires_grad_()
        mean, var = torch.tensor([1.0, -1.0, 0.0]), torch.tensor([1.0, 2.0, 4.0])
        old = mean.clone(), var.clone()
        share = 0.3  # neither the default nor one half
        expected = mean.clone(), var.clone()
        batch_norm(x, *expected, training=True, momentum=share)
        got = function(x, mean, var, share)
        require_answer(got, (tuple, list), "running mean and running variance")
        if len(got) != 2:
            raise Wrong(f"Expected running mean and running variance, got {len(got)} results.")
        axes = (0, 2, 3)
        batch = x.detach().mean(axes), x.detach().var(axes)
        biased = old[1].lerp(x.detach().var(axes, correction=0), share)
        look = "Section 3 has the update; section 4 the axes."
        for name, mine, theirs, before, new in zip(("mean", "variance"), got, expected, old, batch):
            mistakes = [
                (new.lerp(before, share), "Is momentum the share of the old or of the new?"),
                (new, "That is the batch's own value. What about the running one?"),
                (before, "Nothing has changed: the batch does not enter."),
                (biased, "Which of the two variances of section 3 does PyTorch keep?"),
                (before.lerp(x.detach().std(axes), share), "Is it variance or its root?"),
            ]
            mine = require_tensor(mine, (3,), "One number for each channel.")
            require_equal(mine, theirs, f"(running {name}, momentum 0.3)", mistakes, look)
        if not (torch.equal(mean, old[0]) and torch.equal(var, old[1])):
            raise Wrong("The old running statistics were changed in place. Return new tensors.")
        if any(value.requires_grad for value in got):
            raise Wrong("A gradient can flow from the running statistics into x; none should.")

    return judge("2.3", check, function)


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
