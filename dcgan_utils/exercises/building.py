"""Checkers of notebook 04, building the DCGAN."""

from collections.abc import Callable

import torch
from torch import nn

from ..networks import Discriminator, Generator, feature_widths
from .common import Wrong, judge, require_answer


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def check_small_generator(function: Callable[[], tuple[list[tuple], int]]) -> bool:
    """Check exercise 4.1: shapes and parameters of a small generator, worked out by hand."""

    def check() -> None:
        answer = function()
        require_answer(answer, tuple, "a tuple: the list of shapes, and the count")
        if len(answer) != 2:
            raise Wrong(f"Expected two things, shapes and a count, got {len(answer)}.")
        shapes, count = [tuple(shape) for shape in answer[0]], answer[1]
        generator, expected = Generator(16, 3, 20, 8), []
        x = torch.zeros(2, 20, 1, 1)
        for layer in generator.main:
            x = layer(x)
            if isinstance(layer, nn.ConvTranspose2d):
                expected.append(tuple(x.shape[1:]))
        if len(shapes) != len(expected):
            raise Wrong(
                f"Expected one shape for each layer, got {len(shapes)}. How often must the side "
                f"double from 4 to 16, and which layer comes before that? See section 2."
            )
        for number, (got, right) in enumerate(zip(shapes, expected), start=1):
            if got == right:
                continue
            if got == (*right[1:], right[0]):
                raise Wrong(f"Layer {number}: PyTorch's order is channels, height, width.")
            part = "side" if got[1:] != right[1:] else "number of channels"
            raise Wrong(f"Layer {number}: the {part} in {got} is not right. See section 5.")
        norms = sum(_count(m) for m in generator.main if isinstance(m, nn.BatchNorm2d))
        hints = {
            _count(generator) - norms: "Batch norm has parameters, too.",
            _count(generator) + norms: "Count what training changes; running statistics are not.",
            _count(generator) + 6: "The image itself gets no batch norm.",
            _count(generator) + 27: "The convolutions have no bias.",
        }
        if count != _count(generator):
            hint = hints.get(count, "Work out each layer by itself with section 7's two formulas.")
            raise Wrong(f"The shapes are right. The count {count} is not. {hint}")

    return judge("4.1", check, function)


def check_parameter_count(function: Callable[[int, int, int, int], int]) -> bool:
    """Check exercise 4.2: the parameters of a generator by formula."""

    def check() -> None:
        for settings in ((16, 1, 10, 4), (64, 3, 100, 128), (32, 1, 100, 32), (256, 3, 7, 2)):
            got = function(*settings)
            require_answer(got, (int, float), "a whole number")
            with torch.device("meta"):
                expected = _count(Generator(*settings))
            if got == expected:
                continue
            size, channels, latent_size, width = settings
            widths = feature_widths(size, width)
            hints = {
                expected - 2 * sum(widths): "Is something missing that follows each convolution?",
                expected + 2 * sum(widths): "Running statistics are buffers, not parameters.",
                expected + sum(widths) + channels: "The convolutions have no bias.",
                expected + 2 * channels: "Which rule speaks of batch norm at G's output?",
                expected - 16 * width * channels: "Is the layer that makes the image missing?",
                expected - 16 * latent_size * widths[0]: "Is the layer that takes z missing?",
            }
            hint = hints.get(
                got, "Compare with the list of maps and the two formulas of section 7."
            )
            raise Wrong(f"Expected {expected:,} for Generator{settings}, got {got:,}. {hint}")

    return judge("4.2", check, function)


# What the comparison of two layers looks at, and where the notebook speaks of it.
_PROPERTIES = {
    "in_channels": "section 5: how maps and side hang together",
    "out_channels": "section 5: how maps and side hang together",
    "kernel_size": "section 1",
    "stride": "the size formula in section 4",
    "padding": "the size formula in section 4",
    "bias": "why a constant before batch norm is lost: section 2",
    "num_features": "batch norm has as many features as the convolution before it has maps",
    "negative_slope": "rule 4 in section 1",
}


def _settings(layer: nn.Module) -> dict[str, object]:
    """Return those properties that a layer has; of a bias only whether there is one."""
    found = {name: getattr(layer, name) for name in _PROPERTIES if hasattr(layer, name)}
    if "bias" in found:
        found["bias"] = found["bias"] is not None
    return found


def check_build_discriminator(function: Callable[[int, int, int], nn.Sequential]) -> bool:
    """Check exercise 4.3: the discriminator for any size, layer by layer."""

    def check() -> None:
        for size, channels, width in ((64, 3, 4), (16, 1, 8), (32, 1, 4), (128, 3, 2)):
            got = function(size, channels, width)
            require_answer(got, nn.Sequential, "an nn.Sequential")
            right, case = Discriminator(size, channels, width).main, f"At {size}×{size}"
            for number, (mine, theirs) in enumerate(zip(got, right)):
                kind, wanted = type(mine).__name__, type(theirs).__name__
                if kind != wanted:
                    raise Wrong(
                        f"{case}, layer {number}: expected a {wanted}, got a {kind}. "
                        f"Which rule of section 1 speaks of this place?"
                    )
                found = _settings(mine)
                for name, value in _settings(theirs).items():
                    if found[name] != value:
                        raise Wrong(
                            f"{case}, layer {number} ({kind}): expected {name} {value}, got "
                            f"{found[name]}. See {_PROPERTIES[name]}."
                        )
            if len(got) != len(right):
                raise Wrong(
                    f"{case}: expected {len(right)} layers, got {len(got)}; the first "
                    f"{min(len(got), len(right))} are right. D gives one logit for each image."
                )

    return judge("4.3", check, function)


def check_mended_generator(function: Callable[[], nn.Sequential]) -> bool:
    """Check exercise 4.4: a repaired generator, rule by rule."""

    def check() -> None:
        network = function()
        require_answer(network, nn.Sequential, "an nn.Sequential")
        layers = [m for m in network.modules() if not list(m.children())]
        kinds = [type(layer).__name__ for layer in layers]
        if "Linear" in kinds:
            raise Wrong("Rule 2: there is still a Linear layer. Section 3 shows its equal.")
        if any("Upsample" in kind or "Pool" in kind for kind in kinds) or "Conv2d" in kinds:
            raise Wrong("Rule 1: which layer should enlarge? Something else still does. Section 2.")
        images = network(torch.linspace(-2, 2, 800).reshape(8, 100, 1, 1))
        if images.shape != (8, 1, 32, 32):
            raise Wrong(f"Expected images of shape (8, 1, 32, 32), got {tuple(images.shape)}.")
        if kinds[-1] != "Tanh":
            raise Wrong(f"Rule 4: G ends in {kinds[-1]}. Which range do the training images have?")
        places = [i for i, kind in enumerate(kinds) if kind == "ConvTranspose2d"]
        maps = [layers[i].out_channels for i in places]
        if maps != [128, 64, 32, 1]:
            raise Wrong(f"Expected 128, 64, 32 and 1 maps, got {maps}. The sizes were right.")
        for i, place in enumerate(places, start=1):
            after = kinds[place + 1 : places[i] if i < len(places) else None]
            where = f"after layer {i} of {len(places)}"
            last = i == len(places)
            if ("BatchNorm2d" in after) == last:
                raise Wrong(
                    f"Rule 3: batch norm is {'still there' if last else 'missing'} {where}."
                )
            if not last and after[:2] != ["BatchNorm2d", "ReLU"]:
                raise Wrong(
                    f"Rules 3 and 4: what stands {where} is {after}. Compare with section 2."
                )
            settings = (layers[place].kernel_size, layers[place].bias)
            if settings != ((4, 4), None):
                raise Wrong(f"Layer {i} of {len(places)}: expected a 4×4 kernel without bias.")

    return judge("4.4", check, function)
