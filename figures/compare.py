"""Compare settings of the `classroom` preset: `python -m figures.compare`, 3 minutes a row.

Needs MNIST. Each row of compare.csv is one run, scored by a small classifier of real digits on
10,000 samples: how sure it is of them on average, the smallest and the largest share that one of
the ten classes has, and the Frechet distance of its 64 features from those of real images. That
distance depends on this classifier: compare it only within this table. Rows that are there are
not repeated.
"""

import csv
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import datasets

from dcgan_utils.config import preset
from dcgan_utils.data import data_root, fit_images, load_images, scale, unscale
from dcgan_utils.files import write_file
from dcgan_utils.networks import draw_latents
from dcgan_utils.training import Training

from .__main__ import table, trained

OUT = Path(__file__).with_name("compare.csv")
RUNS = [
    *({"seed": seed} for seed in range(5)),
    {"learning_rate": 0.0002},
    {"learning_rate": 0.0004},
    {"learning_rate": 0.0016},
    {"batch_size": 32},
    {"width": 16, "epochs": 4},
    {"latent": "uniform"},
]


def real_digits(train: bool) -> tuple[Tensor, Tensor]:
    """Return MNIST's training or test part: (N, 1, 32, 32) in [-1, 1], and labels (N,)."""
    mnist = datasets.MNIST(data_root(), train=train)
    return scale(fit_images(mnist.data[:, None], 32, "pad")), mnist.targets


def train_classifier(images: Tensor, labels: Tensor) -> nn.Sequential:
    """Return a small network that tells digits apart, trained for five epochs."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 64, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(5):
        for chosen in torch.randperm(len(images)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[chosen]), labels[chosen]).backward()
            optimizer.step()
    return network.eval()


@torch.no_grad()
def describe(network: nn.Sequential, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the features' mean (64,) and covariance (64, 64), and the probabilities (N, 10)."""
    features = torch.cat([network[:-1](part) for part in images.split(1000)])  # (N, 64)
    probabilities = network[-1](features).softmax(1)
    return features.double().mean(0), torch.cov(features.double().T), probabilities


def frechet(a: tuple, b: tuple) -> float:
    """Return the Frechet distance of two Gaussians, each (mean, covariance, ...).

    Tr sqrt(AB) is the sum of the square roots of AB's eigenvalues (Heusel et al. 2017, eq. 6).
    """
    roots = torch.linalg.eigvals(a[1] @ b[1]).real.clamp(min=0).sqrt().sum()
    return ((a[0] - b[0]).square().sum() + (a[1] + b[1]).trace() - 2 * roots).item()


def score(network: nn.Sequential, images: Tensor, real: tuple) -> dict:
    """Return the three scores of images (N, 1, 32, 32) in [-1, 1]."""
    seen = describe(network, images)
    shares = seen[2].argmax(1).bincount(minlength=10) / len(images)
    return {
        "sure": f"{seen[2].max(1).values.mean():.3f}",
        "smallest_class": f"{shares.min():.3f}",
        "largest_class": f"{shares.max():.3f}",
        "distance": f"{frechet(seen, real):.1f}",
    }


def run(changes: dict) -> Training:
    """Return a finished run; those that `make figures` has made are taken from there."""
    if list(changes) == ["seed"]:
        return trained(changes["seed"])[0]
    config = preset("classroom", data="mnist", **changes)
    training = Training(config, load_images(config))
    training.run()
    return training


def main() -> None:
    """Run and score what is not in the table yet."""
    rows = list(csv.DictReader(OUT.open())) if OUT.exists() else []
    images, labels = real_digits(train=True)
    network = train_classifier(images, labels)
    real, held_out = describe(network, images), real_digits(train=False)[0]
    blurred = scale(fit_images(unscale(held_out[..., 2:-2, 2:-2]), 32, "resize"))
    anchors = {"real test images": held_out, "the same, resized, not padded": blurred}
    todo = {name: None for name in anchors} | {
        ", ".join(f"{k}={v}" for k, v in changes.items()): changes for changes in RUNS
    }
    for name, changes in todo.items():
        if name in (row["settings"] for row in rows):
            continue
        row = {"settings": name, "width": "", "batch": "", "rate": "", "seconds": ""}
        if changes is None:
            row |= score(network, anchors[name], real)
        else:
            training = run(changes)
            config = training.config
            z = draw_latents(10_000, config.latent_size, config.latent,
                             torch.Generator().manual_seed(9))  # fmt: skip
            fake = torch.cat([scale(training.sample(part)) for part in z.split(500)])
            row |= {"width": config.width, "batch": config.batch_size,
                    "rate": config.learning_rate, "seconds": round(training.seconds)}  # fmt: skip
            row |= score(network, fake, real)
        rows.append(row)
        write_file(OUT, table(rows))
        print(row, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
