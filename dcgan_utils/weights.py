"""Networks in files, G.pth and D.pth, as other programs read and write them; two come trained."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .config import UserError
from .files import load, save
from .networks import Discriminator, Generator

Network = Generator | Discriminator
STORED = Path(__file__).with_name("stored")  # of a run of `classroom`; see experiments/makers.py


def trained_generator() -> Generator:
    """Return the package's generator, the average that draws samples, in evaluation mode."""
    return load_generator(STORED / "G.pth")


def trained_discriminator() -> Discriminator:
    """Return the discriminator of the same run at its end, in evaluation mode."""
    return load_discriminator(STORED / "D.pth")


def trained_facts() -> dict[str, Any]:
    """Return which run it was: preset, seed, data, machine, and what the judge said of it."""
    return facts_of(STORED / "G.pth")


def save_weights(path: Path, network: nn.Module, facts: Mapping[str, object] | None = None) -> None:
    """Write a network's state dict, with facts (plain values) where other programs skip them."""
    weights: Any = OrderedDict((k, v.cpu().contiguous()) for k, v in network.state_dict().items())
    weights._metadata = OrderedDict({"": {"version": 1, "dcgan": dict(facts or {})}})
    save(path, weights)


def facts_of(weights: Path | Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what a file or a state dict says of its network; nothing if it is not of here."""
    metadata = getattr(weights if isinstance(weights, Mapping) else load(weights), "_metadata", {})
    return dict(metadata.get("", {}).get("dcgan", {}))


def load_generator(path: Path) -> Generator:
    """Return the generator of a G.pth, on the CPU and in evaluation mode, or raise `UserError`."""
    return _load_network(path, Generator)


def load_discriminator(path: Path) -> Discriminator:
    """Return the discriminator of a D.pth; see `load_generator`."""
    return _load_network(path, Discriminator)


def _load_network(path: Path, kind: type) -> Any:
    network = network_from_weights(load(path), f"The weights in {path}")
    if not isinstance(network, kind):
        raise UserError(f"{path} holds no {kind.__name__.lower()}. Choose the other file.")
    return network.eval()


def network_from_weights(weights: Mapping[str, Tensor], these: str = "These weights") -> Network:
    """Build the network that a state dict belongs to, on the CPU and in training mode.

    Those of the common tutorial programs fit, also after `module.` as of `DataParallel`, with a
    slope of 0.2 where no facts name another. Raises `UserError` with the first name that does not.
    """
    named = weights.items() if isinstance(weights, Mapping) else ()
    found = {str(name).removeprefix("module."): value for name, value in named}
    whole = {name: value for name, value in found.items() if _is_whole(value)}
    kernels = [value.shape for value in whole.values() if value.ndim == 4]
    refused = f"{these} are not of a DCGAN of this course (16x16 to 256x256 pixels)"
    if not 3 <= len(kernels) <= 7:
        raise UserError(f"{refused}: expected main.0.weight and so on.")
    size, first, last = 2 ** (len(kernels) + 1), kernels[0], kernels[-1]
    # A transposed convolution's weights are (in, out, 4, 4), a convolution's (out, in, 4, 4).
    is_generator = "main.1.weight" in whole  # that of batch norm, which no D has there
    inputs = first[0] if is_generator else first[1]
    stored: Any = whole["number_of_classes"].tolist() if "number_of_classes" in whole else 0
    classes = int(stored) if stored in range(inputs) else 0
    network: Network
    with torch.device("meta"):  # so that nothing large is made before the shapes are known
        if is_generator:
            network = Generator(size, last[1], inputs - classes, last[0], classes)
        else:
            bias, spectral = "main.0.bias" in whole, any("parametrizations" in n for n in whole)
            leak = facts_of(weights).get("leak", 0.2)
            network = Discriminator(size, inputs - classes, first[0], leak, bias, classes, spectral)
    expected = network.state_dict()
    for name in expected | found:
        has, needs = (tuple(of[name].shape) if name in of else "absent" for of in (whole, expected))
        if name not in whole or has != needs:
            raise UserError(f"{refused}: {name} is {has}, expected {needs}.")
    if not all(value.isfinite().all() for value in whole.values()):
        raise UserError(f"{these} are NaN or infinite, of a run that diverged.")
    network.to_empty(device="cpu").load_state_dict(whole)
    return network


def _is_whole(value: object) -> bool:
    """Tell whether all numbers of a layer are there: a file can name a shape without them."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
        return False
    stored = value.untyped_storage().nbytes() >= value.numel() * value.element_size() > 0
    return stored and (value.is_floating_point() or value.ndim == 0)
