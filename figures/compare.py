"""Compare settings of the `classroom` preset: `python -m figures.compare`, 2 to 3 minutes a run.

Needs MNIST. Each run is judged twice on 10,000 samples, by `dcgan_utils.judging`: drawn by G
itself, and by the average of its weights with decay 0.99. The average does not change the training,
so both come from one run. Rows that are in compare.csv are not made again.
"""

import csv
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import datasets

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import data_root, fit_images, load_images, unscale
from dcgan_utils.files import write_file
from dcgan_utils.networks import draw_latents
from dcgan_utils.training import Training

from .__main__ import table

OUT = Path(__file__).with_name("compare.csv")
AVERAGE = 0.99
RUNS = [
    *({"seed": seed} for seed in range(3)),
    *({"width": 16, "epochs": 4, "seed": seed} for seed in range(3)),
    {"learning_rate": 0.0016},
    {"learning_rate": 0.0002},
    {"latent": "uniform"},
]


def row(settings: str, average: float | str, seconds: str, pixels: Tensor) -> dict[str, str]:
    """Return a row of the table: the figures of images (N, 1, 28, 28) uint8."""
    figures = judging.measure(judging.look(pixels), judging.stored_reference())
    return {
        "settings": settings, "average": average, "seconds": seconds,
        "top_probability": f"{figures['top_probability']:.3f}",
        "rarest": f"{min(figures['shares']):.3f}",
        "most_frequent": f"{max(figures['shares']):.3f}",
        "precision": f"{figures['precision']:.2f}", "recall": f"{figures['recall']:.2f}",
        "distance": f"{figures['distance']:.1f}",
    }  # fmt: skip


@torch.no_grad()
def drawn(network: nn.Module, kind: str) -> Tensor:
    """Return 10,000 samples of a generator, as the judge sees them."""
    z = draw_latents(10_000, network.latent_size, kind, torch.Generator().manual_seed(0))
    network.eval()
    pixels = torch.cat([unscale(network(part)) for part in z.split(500)])
    return judging.to_judged_size(pixels, "pad")


def main() -> None:
    """Run and judge what is not in the table yet."""
    rows = list(csv.DictReader(OUT.open())) if OUT.exists() else []
    done = {row["settings"] for row in rows}
    if not done:
        real = datasets.MNIST(data_root(), train=False).data[:, None]
        blurred = fit_images(fit_images(real, 32, "resize"), judging.SIDE, "resize")
        rows += [row("real test digits", "", "", real),
                 row("the same, resized to 32×32 and back", "", "", blurred)]  # fmt: skip
    for changes in RUNS:
        name = ", ".join(f"{key}={value}" for key, value in changes.items())
        if name in done:
            continue
        config = preset("classroom", data="mnist", average=AVERAGE, **changes)
        training = Training(config, load_images(config))
        training.run()
        seconds = f"{training.seconds:.0f}"
        for average, network in ((0, training.generator), (AVERAGE, training.sampler)):
            rows.append(row(name, average, seconds, drawn(network, config.latent)))
            print(rows[-1], file=sys.stderr, flush=True)
        write_file(OUT, table(rows))


if __name__ == "__main__":
    main()
