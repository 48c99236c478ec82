"""The program that most DCGAN tutorials on MNIST run, written plainly.

It has the course's networks, but trains them as those programs do, in contiguous float32: Pillow
transforms every image anew in each epoch, in two worker processes; D ends in a sigmoid; G's step
also computes D's weight gradients, which it does not use; and each step reads six values.
`studies/speed.py` times it with the paper's range and first weights, `studies/tutorials.py` trains
it as it stands.
"""

from itertools import chain, islice, repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from torchvision import datasets, transforms

from dcgan_utils.config import Config
from dcgan_utils.data import data_root
from dcgan_utils.device import choose_device
from dcgan_utils.networks import Discriminator, Generator

LEARNING_RATE = 0.0002
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's gray levels, by which these programs normalize


def digits(size: int, fit: str, mean: float = 0.5, deviation: float = 0.5) -> Dataset:
    """Return MNIST's 60,000 training digits, each transformed whenever it is asked for."""
    bring = transforms.Pad((size - 28) // 2) if fit == "pad" else transforms.Resize(size)
    steps = [bring, transforms.ToTensor(), transforms.Normalize((mean,), (deviation,))]
    return datasets.MNIST(data_root(), train=True, transform=transforms.Compose(steps))


def all_digits(size: int) -> Dataset:
    """Return MNIST's 70,000 digits as these programs take them."""
    known = digits(size, "resize", MEAN, DEVIATION)
    test: Any = datasets.MNIST(data_root(), train=False, transform=known.transform)  # type: ignore
    return ConcatDataset([known, test])


def weights_init(module: Any) -> None:
    """Draw the weights of one module; for `Module.apply`."""
    name = module.__class__.__name__
    if "Conv" in name:
        nn.init.normal_(module.weight.data, 0.0, 0.02)
    elif "BatchNorm" in name:
        nn.init.normal_(module.weight.data, 1.0, 0.02)
        nn.init.constant_(module.bias.data, 0)


class Tutorial:
    """One run of the program, on pairs of an image (1, S, S) in [-1, 1] and a label, not used."""

    def __init__(self, dataset: Dataset, config: Config, initialized: bool = True):
        torch.manual_seed(config.seed)
        size, width = config.image_size, config.width
        self.device, self.nz = choose_device(config.device), config.latent_size
        self.loader = DataLoader(dataset, config.batch_size, shuffle=True, num_workers=2)
        self.batches = chain.from_iterable(repeat(self.loader))  # epoch after epoch
        self.netG = Generator(size, 1, self.nz, width).to(self.device)
        self.netD = nn.Sequential(Discriminator(size, 1, width), nn.Sigmoid()).to(self.device)
        if initialized:
            self.netG.apply(weights_init)
            self.netD.apply(weights_init)
        self.criterion = nn.BCELoss()
        self.optimizerD = Adam(self.netD.parameters(), LEARNING_RATE, (0.5, 0.999))
        self.optimizerG = Adam(self.netG.parameters(), LEARNING_RATE, (0.5, 0.999))

    def run(self, steps: int) -> None:
        """Take this many steps, from where the last call ended."""
        for real, _ in islice(self.batches, steps):
            self.step(real.to(self.device))

    def step(self, real: Tensor) -> tuple[float, ...]:
        """Return the losses of real images, of D, of G; D(x), D(G(z)) before and after D's step."""
        self.netD.zero_grad()
        label = torch.full((len(real),), 1.0, device=self.device)
        output = self.netD(real)
        errD_real, D_x = self.criterion(output, label), output.mean().item()
        errD_real.backward()
        fake = self.netG(torch.randn(len(real), self.nz, 1, 1, device=self.device))
        output = self.netD(fake.detach())
        errD_fake, D_G_z1 = self.criterion(output, label.fill_(0.0)), output.mean().item()
        errD_fake.backward()
        self.optimizerD.step()

        self.netG.zero_grad()
        output = self.netD(fake)
        errG, D_G_z2 = self.criterion(output, label.fill_(1.0)), output.mean().item()
        errG.backward()
        self.optimizerG.step()
        errD = errD_real + errD_fake
        return errD_real.item(), errD.item(), errG.item(), D_x, D_G_z1, D_G_z2
