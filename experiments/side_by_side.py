"""Layers for several small networks that train side by side, each with weights of its own."""

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """A linear layer for each of several networks, which know nothing of each other.

    Parameters
    ----------
    networks
        How many there are.
    inputs, outputs
        Numbers that go into each network's layer, and that come out.
    """

    def __init__(self, networks: int, inputs: int, outputs: int):
        super().__init__()
        limit = inputs**-0.5  # of the first weights, as in PyTorch's own layer
        self.weight = nn.Parameter(torch.empty(networks, inputs, outputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs).uniform_(-limit, limit))

    def forward(self, x: Tensor) -> Tensor:
        """Return (networks, B, outputs) for x (networks, B, inputs)."""
        return torch.baddbmm(self.bias, x, self.weight)
