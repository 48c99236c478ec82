"""The four activations of the DCGAN by their formulas: notebook 03."""

import torch
from torch import Tensor


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)), as the formula says.

    Below -88 the exponential overflows in float32 and autograd's gradient is NaN; PyTorch's own is
    safe. Notebook 03 shows it.
    """
    return 1 / (1 + torch.exp(-x))


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent, as a sigmoid stretched to (-1, 1): 2 sigmoid(2x) - 1."""
    return 2 * sigmoid(2 * x) - 1


def relu(x: Tensor) -> Tensor:
    """Return x where it is positive, else 0; the gradient at 0 is 0, as in PyTorch."""
    return torch.where(x > 0, x, 0.0)


def leaky_relu(x: Tensor, leak: float = 0.2) -> Tensor:
    """Return x where it is positive, else leak times x (Maas, Hannun, Ng 2013)."""
    return torch.where(x > 0, x, leak * x)
