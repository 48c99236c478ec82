"""The program that most DCGAN tutorials on MNIST run, written plainly, for `experiments.bench`.

It has the course's networks, but goes about the training as those programs do. Pillow transforms
every image anew in each epoch, in two worker processes; D ends in a sigmoid under `BCELoss`; D's
weight gradients are also computed in G's step, which does not use them; and six values are read
in each step, all in contiguous float32.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from dcgan_utils.config import Config
from dcgan_utils.data import data_root
from dcgan_utils.device import choose_device
from dcgan_utils.networks import Discriminator, Generator

LEARNING_RATE, BETAS = 0.0002, (0.5, 0.999)
WORKERS = 2


def digits(image_size: int, fit: str) -> Dataset:
    """Return MNIST's 60,000 training digits, each transformed whenever it is asked for."""
    bring = (
        transforms.Pad((image_size - 28) // 2) if fit == "pad" else transforms.Resize(image_size)
    )
    steps = [bring, transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    return datasets.MNIST(data_root(), train=True, transform=transforms.Compose(steps))


def weights_init(module: Any) -> None:
    """Draw the weights of one module; for `Module.apply`."""
    name = module.__class__.__name__
    if "Conv" in name:
        nn.init.normal_(module.weight.data, 0.0, 0.02)
    elif "BatchNorm" in name:
        nn.init.normal_(module.weight.data, 1.0, 0.02)
        nn.init.constant_(module.bias.data, 0)


class Tutorial:
    """One run of the program.

    Parameters
    ----------
    dataset
        Pairs of an image (1, S, S) in [-1, 1] and a label, which is not used.
    config
        Uses `image_size`, `width`, `latent_size`, `batch_size`, `seed` and `device`.
    """

    def __init__(self, dataset: Dataset, config: Config):
        torch.manual_seed(config.seed)
        size, width = config.image_size, config.width
        self.device, self.latent_size = choose_device(config.device), config.latent_size
        self.loader = DataLoader(dataset, config.batch_size, shuffle=True, num_workers=WORKERS)
        self.netG = Generator(size, 1, config.latent_size, width).to(self.device)
        self.netD = nn.Sequential(Discriminator(size, 1, width), nn.Sigmoid()).to(self.device)
        self.netG.apply(weights_init)
        self.netD.apply(weights_init)
        self.criterion = nn.BCELoss()
        self.optimizerD = torch.optim.Adam(self.netD.parameters(), lr=LEARNING_RATE, betas=BETAS)
        self.optimizerG = torch.optim.Adam(self.netG.parameters(), lr=LEARNING_RATE, betas=BETAS)
        self.batches, self.finished = self._epochs(), 0

    def _epochs(self) -> Iterator[Tensor]:
        while True:
            for real, _ in self.loader:
                yield real

    def run(self, steps: int) -> None:
        """Take this many steps, from where the last call ended."""
        for _ in range(steps):
            self.step(next(self.batches).to(self.device))
        self.finished += steps

    def step(self, real: Tensor) -> tuple[float, ...]:
        """Take one step of both networks.

        Returns
        -------
        tuple of float
            Loss on real images, Loss_D, Loss_G, D(x), D(G(z)) before and after D's step.
        """
        label = torch.full((len(real),), 1.0, device=self.device)
        fake, loss_real, loss_d, d_x, d_g_z1 = self.update_discriminator(real, label)
        loss_g, d_g_z2 = self.update_generator(fake, label)
        return loss_real, loss_d, loss_g, d_x, d_g_z1, d_g_z2

    def update_discriminator(self, real: Tensor, label: Tensor) -> tuple:
        """Take D's step; return the fake images, the two losses and D's two means."""
        self.netD.zero_grad()
        output = self.netD(real)
        err_real = self.criterion(output, label.fill_(1.0))
        err_real.backward()
        d_x = output.mean().item()
        noise = torch.randn(len(real), self.latent_size, 1, 1, device=self.device)
        fake = self.netG(noise)
        output = self.netD(fake.detach())
        err_fake = self.criterion(output, label.fill_(0.0))
        err_fake.backward()
        d_g_z1 = output.mean().item()
        self.optimizerD.step()
        return fake, err_real.item(), (err_real + err_fake).item(), d_x, d_g_z1

    def update_generator(self, fake: Tensor, label: Tensor) -> tuple[float, float]:
        """Take G's step; return its loss and D's mean."""
        self.netG.zero_grad()
        output = self.netD(fake)
        err = self.criterion(output, label.fill_(1.0))
        err.backward()
        d_g_z2 = output.mean().item()
        self.optimizerG.step()
        return err.item(), d_g_z2
