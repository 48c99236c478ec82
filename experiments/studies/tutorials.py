"""What does the program that most DCGAN tutorials on MNIST run draw, as it stands?

It trains the course's networks in contiguous float32: Pillow transforms every image anew in each
epoch, in two worker processes; D ends in a sigmoid; G's step also computes D's weight gradients,
which it does not use; and each step reads six values. Here it takes all 70,000 digits, resized and
normalized by mean 0.1307 and deviation 0.3081, in batches of 100 for five epochs, and PyTorch's own
first weights (`speed` times it with the paper's). Its G ends in Tanh, so it reaches grays from 0 to
0.44 only: samples are judged so, and with these stretched to the whole range.
"""

import time
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from torchvision import datasets, transforms

from dcgan_utils import judging, plots
from dcgan_utils.config import Config
from dcgan_utils.data import data_root
from dcgan_utils.device import choose_device
from dcgan_utils.files import load, save
from dcgan_utils.networks import Discriminator, Generator, initialize_weights
from dcgan_utils.sampling import draw_latents

from .. import store
from ..harness import Key, Result, Study
from ..measures import judged

LEARNING_RATE = 0.0002
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's gray levels, by which these programs normalize
EPOCHS, SAMPLES, SHOWN = 5, 10_000, 100
SEEDS = {"32": 3, "64": 1}  # by the size of the images, which is the networks' width, too
PLAN = [{"size": size, "seed": str(seed)} for size in SEEDS for seed in range(SEEDS[size])]
KEPT = Path("runs")  # where a run is kept from epoch to epoch: at 64x64 they take twenty minutes
PARTS = ("netG", "netD", "optimizerG", "optimizerD")


def digits(
    size: int, fit: str, mean: float = 0.5, deviation: float = 0.5, train: bool = True
) -> Dataset:
    """Return MNIST's training or test digits, each transformed whenever it is asked for."""
    bring = transforms.Pad((size - 28) // 2) if fit == "pad" else transforms.Resize(size)
    steps = [bring, transforms.ToTensor(), transforms.Normalize((mean,), (deviation,))]
    return datasets.MNIST(data_root(), train=train, transform=transforms.Compose(steps))


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
        for network in (self.netG, self.netD) if initialized else ():
            initialize_weights(network, torch.Generator(self.device).manual_seed(config.seed))
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


def execute(key: Key) -> Result:
    """Train a run, from the last epoch that a stopped attempt has ended, and judge G."""
    size, path = int(key["size"]), KEPT / f"tutorials-{'-'.join(key.values())}.pt"
    parts = [digits(size, "resize", MEAN, DEVIATION, train) for train in (True, False)]
    config = Config(image_size=size, width=size, batch_size=100, seed=int(key["seed"]))
    tutorial = Tutorial(ConcatDataset(parts), config, initialized=False)
    epoch, seconds, each = 0, 0.0, len(tutorial.loader)
    if path.exists():
        state = load(path)
        epoch, seconds = state["epoch"], state["seconds"]
        for part in PARTS:
            getattr(tutorial, part).load_state_dict(state[part])
    while epoch < EPOCHS:
        torch.manual_seed(1000 * config.seed + epoch)  # of z and of the order
        began = time.perf_counter()
        tutorial.run(each)
        epoch, seconds = epoch + 1, seconds + time.perf_counter() - began
        state = {part: getattr(tutorial, part).state_dict() for part in PARTS}
        KEPT.mkdir(exist_ok=True)
        save(path, state | {"epoch": epoch, "seconds": seconds})
    path.unlink()
    row: dict[str, Any] = {"steps": EPOCHS * each, "seconds": seconds}
    normalized = draw(tutorial, SAMPLES)
    gray = (normalized * DEVIATION + MEAN).clamp(0, 1)
    row |= judged(as_pixels(gray / (DEVIATION + MEAN)))
    row["distance_unstretched"] = judged(as_pixels(gray))["distance"]
    picture = plots.mosaic_png(as_pixels((normalized[:SHOWN] + 1) / 2), columns=10)
    return Result({"tutorials": [row]}, {f"tutorials/{'-'.join(key.values())}.png": picture})


@torch.no_grad()
def draw(tutorial: Tutorial, count: int) -> Tensor:
    """Return G's images (count, 1, S, S) in [-1, 1], in evaluation mode."""
    z = draw_latents(count, tutorial.nz, "normal", torch.Generator().manual_seed(0))
    network = tutorial.netG.eval()
    return torch.cat([network(part.to(tutorial.device)).cpu() for part in z.split(500)])


def as_pixels(images: Tensor) -> Tensor:
    """Return images from 0 to 1 as (N, 1, 28, 28) uint8."""
    return judging.to_judged_size((255 * images).round().to(torch.uint8), "resize")


def lines_of(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of one machine's table, one for each size."""
    forms = {"distance": ".0f", "distance_unstretched": ".0f", "top_probability": ".2f"}
    forms |= {"precision": ".2f", "recall": ".3f", "seconds": ".0f"}
    lines = [["images", "seeds", "steps", *(name.replace("_", " ") for name in forms)]]
    for (size, steps), own in store.groups(rows, "size", "steps").items():
        cells = [store.spread(store.numbers(own, name), form) for name, form in forms.items()]
        lines.append([f"{size}×{size}", str(len(own)), steps, *cells])
    return lines


def tables() -> dict[str, str]:
    """Return the table of the judge's metrics."""
    return {"tutorials": store.table(store.read("tutorials"), lines_of)}


STUDY = Study(
    "05", PLAN, execute, tables, minutes=8, files=("tutorials",), own={"number_format": "float32"}
)
