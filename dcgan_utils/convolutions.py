"""The convolutions at a network's ends, computed as plain matrix products.

A CPU's convolution library is slow where there is one channel or one position. These layers are
PyTorch's own, computed as notebook 01 draws it: as a matrix.
"""

from typing import Any, cast

from torch import Tensor, nn
from torch.nn.functional import fold, linear, unfold


class Conv2d(nn.Conv2d):
    """PyTorch's `Conv2d`; on a CPU a product of windows and weights, where that is faster.

    Copying windows pays where a gradient goes back to an image of few channels.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, H, W)."""
        one_window = input.shape[2:] == self.kernel_size and self.padding == (0, 0)
        image = self.in_channels <= 3 and input.requires_grad
        if input.device.type != "cpu" or not (one_window or image):
            return super().forward(input)
        if one_window:
            window = input.permute(0, 2, 3, 1).flatten(1)  # (B, k*k*C)
            return linear(window, _rows(self.weight), self.bias)[:, :, None, None]
        size, stride, padding = self.kernel_size, self.stride, cast(Any, self.padding)
        windows = unfold(input, size, padding=padding, stride=stride)  # (B, C*k*k, positions)
        maps = linear(windows.transpose(1, 2), self.weight.flatten(1), self.bias)
        height = (input.shape[2] + 2 * padding[0] - size[0]) // stride[0] + 1
        return maps.unflatten(1, (height, -1)).permute(0, 3, 1, 2)


class ConvTranspose2d(nn.ConvTranspose2d):
    """PyTorch's `ConvTranspose2d`; on a CPU one product makes the stamps of all positions."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve (B, C, H, W), as the transpose does."""
        if input.device.type != "cpu" or output_size is not None or self.bias is not None:
            return super().forward(input, output_size)
        size, stride, padding = self.kernel_size, self.stride, cast(Any, self.padding)
        if input.shape[2:] == (1, 1) and padding == (0, 0):
            stamps = input.flatten(1) @ _rows(self.weight)  # (B, k*k*C')
            return stamps.unflatten(1, (*size, -1)).permute(0, 3, 1, 2)
        positions = input.flatten(2).transpose(1, 2)  # (B, positions, C)
        stamps = positions @ self.weight.flatten(1)  # (B, positions, C'*k*k)
        shape = tuple(
            (side - 1) * step - 2 * pad + kernel
            for side, step, pad, kernel in zip(input.shape[2:], stride, padding, size)
        )
        return fold(stamps.transpose(1, 2), shape, size, padding=padding, stride=stride)


def _rows(weight: Tensor) -> Tensor:
    """Return weights (M, N, k, k) as (M, k*k*N); channels-last ones are not copied for it."""
    return weight.permute(0, 2, 3, 1).flatten(1)
