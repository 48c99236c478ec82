"""Write the trained generators as a script that the page "The generator" loads: weights.js."""

import base64
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from dcgan_utils.networks import Generator
from dcgan_utils.sampling import draw_latents
from dcgan_utils.weights import load_generator, trained_generator

DIRECTIONS = 6  # as many as notebook 09 has sliders
CONDITIONAL = Path(__file__).with_name("conditional.pth")  # of a run of the preset `conditional`


def folded(network: Generator) -> tuple[list[int], Tensor]:
    """Return the widths, and in one row the weights (in, 4, 4, out) and bias of each layer.

    In evaluation mode a batch norm multiplies and adds a number of its own for each feature map, so
    the convolution before it can do both.
    """
    widths, parts = [network.latent_size + network.classes], []
    layers = list(network.main)
    for layer, norm in zip(layers, layers[1:]):
        if isinstance(layer, nn.ConvTranspose2d):
            factor, bias = torch.ones(layer.out_channels), torch.zeros(layer.out_channels)
            if isinstance(norm, nn.BatchNorm2d):
                factor = norm.weight / (norm.running_var + norm.eps).sqrt()
                bias = norm.bias - norm.running_mean * factor
            widths.append(layer.out_channels)
            parts += [(layer.weight.permute(0, 2, 3, 1) * factor).flatten(), bias]
    return widths, torch.cat(parts)


def described(network: Generator) -> dict[str, object]:
    """Return a network as network.js takes it."""
    widths, weights = folded(network)
    half = weights.half().numpy().astype("<f2").tobytes()
    return {"widths": widths, "base64": base64.b64encode(half).decode()}


def strongest(network: Generator, count: int = 50) -> Tensor:
    """Return the directions (DIRECTIONS, 100) of z that change the image most; see notebook 09."""
    step = 0.01 * torch.eye(network.latent_size)
    total = torch.zeros(network.latent_size, network.latent_size)
    for z in draw_latents(count, network.latent_size, "normal", torch.Generator().manual_seed(15)):
        change = (network(z + step) - network(z - step)).flatten(1)  # (100, 1024), a row a number
        total += change @ change.T
    return torch.linalg.eigh(total).eigenvectors.T.flip(0)[:DIRECTIONS]


@torch.no_grad()
def write(path: Path) -> None:
    """Write weights.js."""
    plain, conditional = trained_generator(), load_generator(CONDITIONAL)
    stored = {
        "plain": described(plain),
        "conditional": described(conditional),
        "directions": strongest(plain).mul(1000).round().int().tolist(),  # in thousandths
    }
    path.write_text(f"const STORED = {json.dumps(stored, separators=(',', ':'))};\n")
