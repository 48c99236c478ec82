"""Batch normalization by hand: notebook 02."""

import torch
from torch import Tensor, nn

from ..config import UserError


class BatchNorm(nn.Module):
    """Batch normalization of vectors (N, C) or images (N, C, H, W), channel by channel.

    In training it uses the mean and variance of the batch, over all axes but the channels, and
    keeps a running mean of each. In evaluation it uses those running statistics.

    Parameters
    ----------
    channels
        C, the number of features or feature maps.
    eps
        Added to the variance, so that nothing is divided by zero.
    momentum
        Share of the new batch in the running statistics.

    References
    ----------
    Ioffe, Szegedy (2015), arXiv:1502.03167, algorithms 1 and 2.
    """

    running_mean: Tensor  # (C,), as running_var
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize a batch, (N, C) or (N, C, H, W); the result has the same shape.

        Raises
        ------
        UserError
            If the channels do not fit, or in training if a channel has only one value.
        """
        if x.ndim not in (2, 4) or x.shape[1] != len(self.gamma):
            raise UserError(
                f"x has shape {tuple(x.shape)}; allowed: (N, {len(self.gamma)}) or "
                f"(N, {len(self.gamma)}, H, W)."
            )
        axes = [axis for axis in range(x.ndim) if axis != 1]  # all but the channels
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]  # lines C up with x
        if self.training:
            mean, var = self._batch_statistics(x, axes)
        else:
            mean, var = self.running_mean, self.running_var
        normalized = (x - mean.reshape(shape)) / torch.sqrt(var.reshape(shape) + self.eps)
        return self.gamma.reshape(shape) * normalized + self.beta.reshape(shape)

    def _batch_statistics(self, x: Tensor, axes: list[int]) -> tuple[Tensor, Tensor]:
        """Return mean and variance of each channel, and let the running statistics follow."""
        count = x.numel() // x.shape[1]  # values in a channel
        if count < 2:
            raise UserError(
                f"x of shape {tuple(x.shape)} has one value in a channel; training needs 2 or "
                f"more. Take a larger batch, or call eval() to use the running statistics."
            )
        mean, var = x.mean(axes), x.var(axes, correction=0)  # divided by count
        with torch.no_grad():
            unbiased = var * count / (count - 1)  # what PyTorch keeps
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        return mean, var
