"""The networks of the authors' conditional program for MNIST, as it stands.

Radford et al. (2015), github.com/Newmu/dcgan_code, mnist/train_cond_dcgan.py. They differ from the
paper's rules, and from the course's networks: a fully connected hidden layer in each, kernels of
5x5, batch norm without γ and β, a sigmoid at G's end and images in [0, 1], the label beside the
input of every layer. From outside they look like the course's, with images of 32x32 in [-1, 1]; its
frame of two black pixels they neither see nor draw.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot, pad

CLASSES, MARGIN = 10, 2  # MARGIN: pixels at each side, from 28x28 to 32x32


class AuthorsGenerator(nn.Module):
    """z and a label to an image, by two fully connected layers and two transposed convolutions."""

    def __init__(self, latent_size: int = 100, width: int = 64, connected: int = 1024):
        super().__init__()
        self.latent_size, self.classes, self.width = latent_size, CLASSES, width
        self.first = nn.Linear(latent_size + CLASSES, connected, bias=False)
        self.second = nn.Linear(connected + CLASSES, 2 * width * 7 * 7, bias=False)
        self.third = nn.ConvTranspose2d(2 * width + CLASSES, width, 5, 2, 2, 1, bias=False)
        self.last = nn.ConvTranspose2d(width + CLASSES, 1, 5, 2, 2, 1, bias=False)
        self.norms = nn.ModuleList(
            [
                nn.BatchNorm1d(connected, affine=False),
                nn.BatchNorm1d(2 * width * 7 * 7, affine=False),
                nn.BatchNorm2d(width, affine=False),
            ]
        )

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Draw one image (B, 1, 32, 32) for each latent vector (B, L) and label (B,)."""
        maps = self.norms[0](self.first(beside(z, labels))).relu()  # (B, 1024)
        maps = self.norms[1](self.second(beside(maps, labels))).relu()
        maps = maps.reshape(-1, 2 * self.width, 7, 7)
        maps = self.norms[2](self.third(beside(maps, labels))).relu()  # (B, 64, 14, 14)
        drawn = self.last(beside(maps, labels)).sigmoid()  # (B, 1, 28, 28), from 0 to 1
        return pad(2 * drawn - 1, [MARGIN] * 4, value=-1.0)


class AuthorsDiscriminator(nn.Module):
    """An image and a label to a logit, by two convolutions and two fully connected layers."""

    def __init__(self, width: int = 64, connected: int = 1024):
        super().__init__()
        self.first = nn.Conv2d(1 + CLASSES, width, 5, 2, 2, bias=False)
        self.second = nn.Conv2d(width + CLASSES, 2 * width, 5, 2, 2, bias=False)
        self.third = nn.Linear(2 * width * 7 * 7 + CLASSES, connected, bias=False)
        self.last = nn.Linear(connected + CLASSES, 1, bias=False)
        self.norms = nn.ModuleList(
            [
                nn.BatchNorm2d(2 * width, affine=False),
                nn.BatchNorm1d(connected, affine=False),
            ]
        )

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Judge images (B, 1, 32, 32), said to show labels (B,); return logits (B,)."""
        inside = images[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        maps = leaky_relu(self.first(beside((inside + 1) / 2, labels)), 0.2)  # (B, 64, 14, 14)
        maps = leaky_relu(self.norms[0](self.second(beside(maps, labels))), 0.2)
        maps = maps.flatten(1)  # (B, 6272)
        maps = leaky_relu(self.norms[1](self.third(beside(maps, labels))), 0.2)
        return self.last(beside(maps, labels)).reshape(-1)


def beside(values: Tensor, labels: Tensor) -> Tensor:
    """Return values (B, C) or maps (B, C, H, W) with the one-hot labels (B,) as more channels."""
    told = one_hot(labels, CLASSES).to(values.dtype)
    if values.ndim == 4:
        told = told[:, :, None, None].expand(-1, -1, *values.shape[2:])
    return torch.cat([values, told], dim=1)
