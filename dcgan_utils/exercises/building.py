"""Checkers of notebook 04, building the DCGAN."""

from typing import Any

import torch
from torch import Tensor, nn

from dcgan_utils import exercises as ex

from ..networks import Discriminator, initialize_weights


@ex.exercise("4.1")
def check_small_generator(function: ex.Function) -> None:
    """Check exercise 4.1: shapes and parameters of a small generator, worked out by hand."""
    shapes, count = ex.require_parts(function(), 2)
    expected = [[16, 4, 4], [8, 8, 8], [3, 16, 16]]
    shapes = ex.require_parts(shapes, len(expected), "one_for_each_layer")
    for number, (shape, right) in enumerate(zip(shapes, expected), start=1):
        got = ex.require_numbers(shape, 3)
        if got != right:
            part = "side" if got[1:] != right[1:] else "channels"
            turned = got == [*right[1:], right[0]]
            raise ex.Wrong("order" if turned else part, number=number, got=tuple(map(round, got)))
    usual = {"no_norms": 7552, "statistics_too": 7648, "norm_of_image": 7606, "biases_too": 7627}
    ex.require_predictions([count], [(7600, "by_itself", usual)], tolerance=1e-6)


def _with_units_off(count: int) -> nn.Sequential:
    """Return a network, `count` of whose four ReLUs are off whatever the input."""
    layer = nn.Linear(3, 4)
    layer.bias.data = torch.where(torch.arange(4) < count, -100.0, 100.0)
    return nn.Sequential(layer, nn.ReLU(), nn.Linear(4, 1))


def _stuck_cases() -> list[tuple[str, nn.Module, Tensor, list[str]]]:
    """Return what is wrong, a network, its input, and the names of what does not learn."""
    random = torch.Generator().manual_seed(0)
    x = torch.empty(8, 1, 16, 16).uniform_(-1, 1, generator=random)
    healthy, muted = Discriminator(16, 1, 4), Discriminator(16, 1, 4)
    for network in (healthy, muted):
        initialize_weights(network, random)
    muted(x).sum().backward()  # what an earlier step left behind
    *names, last = [name for name, _ in muted.named_parameters()]
    muted.get_parameter(last).data.zero_()
    rows = torch.empty(8, 3).normal_(generator=random)
    with_spare = nn.Linear(3, 2)
    with_spare.spare = nn.Linear(3, 2)  # which nobody calls
    return [
        ("healthy", healthy, x, []),
        ("spare_layer", with_spare, rows, ["spare.weight", "spare.bias"]),
        ("all_off", _with_units_off(4), rows, ["0.weight", "0.bias", "2.weight"]),
        ("half_off", _with_units_off(2), rows, []),
        ("muted", muted, x, names),
    ]


@ex.exercise("4.2")
def check_stuck_parameters(function: ex.Function) -> None:
    """Check exercise 4.2: the names of the parameters that no gradient reaches."""
    for key, network, x, stuck in _stuck_cases():
        case, names = ex.text(key), [name for name, _ in network.named_parameters()]
        answer = ex.require_type(function(network, x), (list, tuple, set), "list_of_names")
        got = set(map(str, answer))
        if unknown := sorted(got - set(names)):
            raise ex.Wrong("unknown", name=repr(unknown[0]))
        if wrongly := sorted(got - set(stuck)):
            raise ex.Wrong("not_stuck", case, name=wrongly[0])
        if missing := sorted(set(stuck) - got):
            raise ex.Wrong("missing", case, name=missing[0])


def _settings(layer: Any) -> dict[str, object]:
    """Return what a layer was made with; of a bias only whether there is one."""
    names = [name for name in layer.__constants__ if name != "inplace"]
    bias = getattr(layer, "bias", None) is not None
    return {name: getattr(layer, name) for name in names} | {"bias": bias}


@ex.exercise("4.3")
def check_build_discriminator(function: ex.Function) -> None:
    """Check exercise 4.3: the discriminator for any size, layer by layer."""
    for size, channels, width in ((64, 3, 4), (16, 1, 8), (32, 1, 4), (128, 3, 2)):
        got = ex.require_type(function(size, channels, width), nn.Sequential, "sequential")
        right = Discriminator(size, channels, width).main
        for number, (mine, theirs) in enumerate(zip(got, right)):
            case = ex.text("case", size=size, number=number)
            kind, wanted = type(mine).__name__, type(theirs).__name__
            if kind != wanted:
                raise ex.Wrong("kind", case, expected=wanted, got=kind)
            found = _settings(mine)
            for name, value in _settings(theirs).items():
                if found[name] != value:
                    raise ex.Wrong("setting", case, expected=f"{name} {value}", got=found[name])
        if len(got) != len(right):
            first = min(len(got), len(right))
            raise ex.Wrong("length", size=size, expected=len(right), got=len(got), first=first)


@ex.exercise("4.4")
def check_mended_generator(function: ex.Function) -> None:
    """Check exercise 4.4: a repaired generator, rule by rule."""
    network = ex.require_type(function(), nn.Sequential, "sequential")
    layers: list[Any] = [m for m in network.modules() if not list(m.children())]
    kinds = [type(layer).__name__ for layer in layers]
    if "Linear" in kinds:
        raise ex.Wrong("rule_2")
    if any("Upsample" in kind or "Pool" in kind or kind == "Conv2d" for kind in kinds):
        raise ex.Wrong("rule_1")
    z = torch.linspace(-2, 2, 800).reshape(8, 100, 1, 1)
    ex.require_output(network, z, (8, 3, 64, 64))
    if kinds[-1] != "Tanh":
        raise ex.Wrong("rule_4", got=kinds[-1])
    places = [i for i, kind in enumerate(kinds) if kind == "ConvTranspose2d"]
    maps = [layers[i].out_channels for i in places]
    if maps != [256, 128, 64, 32, 3]:
        raise ex.Wrong("maps", got=maps)
    for number, (place, following) in enumerate(zip(places, [*places[1:], None]), start=1):
        after = kinds[place + 1 : following]
        if after != (["BatchNorm2d", "ReLU"] if following else ["Tanh"]):
            raise ex.Wrong("rules_3_and_4", number=number, got=after)
        if (layers[place].kernel_size, layers[place].bias) != ((4, 4), None):
            raise ex.Wrong("kernel_or_bias", number=number)
