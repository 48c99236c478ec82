"""Networks in files of their own, G.pth and D.pth, and their exchange with other programs."""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .config import UserError
from .files import load, save
from .networks import Discriminator, Generator

Kind = TypeVar("Kind", Generator, Discriminator)

FACTS = "dcgan"  # under this name, where PyTorch keeps the version of a state dict


def save_weights(path: Path, network: nn.Module, facts: Mapping[str, object] | None = None) -> None:
    """Write a network's state dict, as the common tutorial programs do (G.pth, D.pth).

    Parameters
    ----------
    path
        The file.
    network
        Whose weights to write.
    facts
        What the shapes do not say, such as the distribution of z: plain values. They stand in the
        state dict's own metadata, which programs that know nothing of them pass over.
    """
    weights = OrderedDict(
        (name, value.cpu().contiguous()) for name, value in network.state_dict().items()
    )
    metadata = OrderedDict({"": {"version": 1, FACTS: dict(facts or {})}})
    weights._metadata = metadata  # type: ignore[attr-defined]  # where PyTorch keeps it
    save(path, weights)


def facts_of(path: Path) -> dict[str, Any]:
    """Return what a file of weights says of its network; nothing if it is another program's."""
    return _facts(load(path))


def _facts(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    metadata = getattr(weights, "_metadata", None)
    own = metadata.get("", {}) if isinstance(metadata, Mapping) else {}
    facts = own.get(FACTS, {}) if isinstance(own, Mapping) else {}
    return dict(facts) if isinstance(facts, Mapping) else {}


def load_generator(path: Path) -> Generator:
    """Build the generator that a file of weights belongs to.

    Parameters
    ----------
    path
        A G.pth of this course or of a common tutorial program.

    Returns
    -------
    Generator
        On the CPU, in evaluation mode.

    Raises
    ------
    UserError
        If the file can't be read safely or holds something else.
    """
    return _load_network(path, Generator)


def load_discriminator(path: Path) -> Discriminator:
    """Build the discriminator that a file of weights belongs to; see `load_generator`."""
    return _load_network(path, Discriminator)


def _load_network(path: Path, kind: type[Kind]) -> Kind:
    weights = load(path)
    if not isinstance(weights, Mapping) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise UserError(f"{path} is not a state dict. Choose a G.pth or D.pth.")
    try:
        network = network_from_weights(weights)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(network, kind):
        found, wanted = type(network).__name__.lower(), kind.__name__.lower()
        raise UserError(f"{path} holds a {found}, not a {wanted}. Choose the other file.")
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise UserError(
            f"{path} holds NaN or infinite weights: its run had diverged, and it draws nothing. "
            f"Choose another file."
        )
    return network.eval()


def network_from_weights(weights: Mapping[str, Tensor]) -> Generator | Discriminator:
    """Build the network that a state dict belongs to, from the shapes in it alone.

    Files from the common tutorial programs fit as they are, also with the `module.` prefix that
    `DataParallel` leaves. A state dict does not hold LeakyReLU's slope: 0.2 is assumed.

    Parameters
    ----------
    weights
        A state dict with the names `main.0.weight` and so on.

    Returns
    -------
    Generator or Discriminator
        With the weights loaded, on the CPU, in training mode as new modules are.

    Raises
    ------
    UserError
        If the weights are of another architecture.
    """
    leak = _facts(weights).get("leak")
    leak = leak if isinstance(leak, (int, float)) else 0.2
    weights = {str(name).removeprefix("module."): value for name, value in weights.items()}
    convolutions = [value for value in weights.values() if value.ndim == 4]
    names = set(weights) - {"number_of_classes"}  # which only conditional networks have
    names_fit = all(re.fullmatch(r"main\.\d+\.\w+", name) for name in names)
    if not names_fit or not 3 <= len(convolutions) <= 7:  # images of 16 to 256 pixels
        raise UserError(
            "These weights are not a DCGAN's: main.0.weight, main.1.weight ... expected."
        )
    for name, value in weights.items():
        stored = value.untyped_storage().nbytes() >= value.numel() * value.element_size() > 0
        if not stored or not (value.is_floating_point() or name.endswith("num_batches_tracked")):
            raise UserError(f"{name} in these weights does not hold the numbers of a layer.")
    image_size = 2 ** (len(convolutions) + 1)
    first, second, last = convolutions[0], convolutions[1], convolutions[-1]
    classes = int(weights["number_of_classes"]) if "number_of_classes" in weights else 0
    make: Callable[[], Generator | Discriminator]
    # A transposed convolution stores (in, out, 4, 4), a convolution (out, in, 4, 4).
    if second.shape[0] == first.shape[1]:
        latent_size, width, channels = first.shape[0] - classes, last.shape[0], last.shape[1]
        make = partial(Generator, image_size, channels, latent_size, width, classes)
    else:
        channels, width, bias = first.shape[1] - classes, first.shape[0], "main.0.bias" in weights
        make = partial(Discriminator, image_size, channels, width, leak, bias, classes)
    try:
        with torch.device("meta"):  # so that nothing large is made before the shapes are known
            expected = {name: value.shape for name, value in make().state_dict().items()}
    except (RuntimeError, OverflowError) as error:
        raise UserError(f"These weights belong to no network that can be made: {error}") from error
    found = {name: value.shape for name, value in weights.items()}
    odd = [name for name in expected | found if expected.get(name) != found.get(name)]
    if odd:
        shapes = (tuple(shapes.get(odd[0], ())) or "nothing" for shapes in (found, expected))
        raise UserError(
            "These weights are not of this course's DCGAN ({0}x{0}): {1} is {2}, not {3}.".format(
                image_size, odd[0], *shapes
            )
        )
    network = make()
    network.load_state_dict(weights)
    return network
