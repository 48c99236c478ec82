"""Checkers of notebook 04, building the DCGAN."""

from collections.abc import Callable

import torch
from torch import nn

from ..networks import Discriminator, Generator, initialize_weights
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


class _WithSpare(nn.Module):
    """A network that holds a layer which nobody calls."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the first layer makes of x."""
        return self.used(x)


def _stuck_cases() -> list[tuple[str, nn.Module, torch.Tensor, list[str]]]:
    """Return what is wrong, a network, its input, and the names of what does not learn."""
    random = torch.Generator().manual_seed(0)
    x = torch.empty(8, 1, 16, 16).uniform_(-1, 1, generator=random)
    healthy, muted = Discriminator(16, 1, 4), Discriminator(16, 1, 4)
    for network in (healthy, muted):
        initialize_weights(network, random)
    muted(x).sum().backward()  # what an earlier step left behind
    last = muted.main[-1]
    assert isinstance(last, nn.Conv2d)
    last.weight.data.zero_()
    dead = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    half = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    for layer, units in ((dead[0], slice(0, 4)), (half[0], slice(0, 2))):
        assert isinstance(layer, nn.Linear)
        layer.bias.data[units] = -100.0
        layer.bias.data[units.stop :] = 100.0
    rows = torch.empty(8, 3).normal_(generator=random)
    names = [name for name, _ in muted.named_parameters()]
    return [
        ("a healthy discriminator", healthy, x, []),
        ("a network with a layer that is never called", _WithSpare(), rows, ["spare"]),
        ("a network whose ReLUs are all off", dead, rows, ["0.weight", "0.bias", "2.weight"]),
        ("a network half of whose ReLUs are off", half, rows, []),
        ("a discriminator whose last layer is zero, after a step", muted, x, names[:-1]),
    ]


def check_stuck_parameters(function: Callable[[nn.Module, torch.Tensor], list[str]]) -> bool:
    """Check exercise 4.2: the names of the parameters that no gradient reaches."""

    def check() -> None:
        for case, network, x, stuck in _stuck_cases():
            names = [name for name, _ in network.named_parameters()]
            expected = {n for n in names if any(n == s or n.startswith(f"{s}.") for s in stuck)}
            got = function(network, x)
            require_answer(got, (list, tuple, set), "a list of names")
            if unknown := [name for name in got if name not in names]:
                raise Wrong(f"{unknown[0]!r} is no parameter of the network. See check 2.")
            wrongly, missing = set(got) - expected, expected - set(got)
            if expected and set(got) == set(names) - expected:
                raise Wrong(f"For {case}: those are the parameters that do learn.")
            if wrongly:
                raise Wrong(
                    f"For {case}: {sorted(wrongly)[0]} does get a gradient. Some of its numbers "
                    f"may be zero; when is a whole tensor stuck?"
                )
            if missing:
                raise Wrong(
                    f"For {case}: {sorted(missing)[0]} is missing. Was its gradient made by this "
                    f"call, and can it be there and yet move nothing?"
                )

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
