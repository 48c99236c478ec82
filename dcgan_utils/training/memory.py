"""What won't fit is refused with its size, before anything long begins."""

import psutil
import torch

from ..config import Config, UserError
from ..networks import Discriminator, Generator

COPIES = 4  # of each weight while it trains: itself, its gradient, and Adam's two means


def require_memory(config: Config, channels: int, classes: int, device: torch.device) -> None:
    """Refuse settings whose networks and pictures alone need more memory than there is.

    The feature maps of a batch come on top; they are not counted.

    Raises
    ------
    UserError
        If they do not fit.
    """
    needed = _weights(config, channels, classes if config.conditional else 0) * 4 * COPIES
    needed += config.samples * config.latent_size * 4
    needed += config.frames * config.samples * channels * config.image_size**2
    there = psutil.virtual_memory().total
    if device.type == "cuda":
        there = torch.cuda.get_device_properties(device).total_memory
    if needed > there:
        raise UserError(
            f"width {config.width}, latent_size {config.latent_size} and samples {config.samples} "
            f"would need {needed / 2**30:,.1f} GiB of memory, and there are {there / 2**30:.1f}. "
            f"Make the largest of them smaller."
        )


def _weights(config: Config, channels: int, classes: int) -> float:
    """Return the number of weights of both networks, from their shapes alone."""
    size, width = config.image_size, config.width
    if max(width, config.latent_size) > 10**9:
        return float(width + config.latent_size) * width  # PyTorch can't even name such shapes
    try:
        with torch.device("meta"):
            networks = (
                Generator(size, channels, config.latent_size, width, classes),
                Discriminator(size, channels, width, classes=classes),
            )
    except (RuntimeError, OverflowError):
        return float(width + config.latent_size) * width
    return sum(p.numel() for network in networks for p in network.parameters())
