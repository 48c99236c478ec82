"""Train the judge's classifier, store what it makes of MNIST: `python -m experiments.classifier`.

Needs MNIST; takes about 5 minutes on 2 CPU cores. The classifier learns from the first 30,000
training digits; the other 30,000, which it has not seen, are the reference. Weights and reference
go into `dcgan_utils/stored/`, beside facts.json with the accuracy on the 10,000 test
digits, the seed, and the metrics of the test digits and of noise.

`--keep` leaves the classifier as it is and measures the reference anew, such as after a change to
`dcgan_utils/judging.py`.
"""

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.data import load_source, scale
from dcgan_utils.files import save, write_file
from dcgan_utils.judging import AT_MOST, STORED, Reference, new_classifier

SEED, EPOCHS, BATCH, RATE = 0, 6, 128, 0.002


def initialize(classifier: nn.Sequential, random: torch.Generator) -> None:
    """Draw all weights from the generator, by He et al. (2015); biases begin at 0."""
    for module in classifier:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, generator=random)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Return images (B, 1, 28, 28) moved by up to two pixels, the whole batch alike."""
    down, right = torch.randint(-2, 3, (2,), generator=random).tolist()
    return torch.roll(images, (down, right), (2, 3))  # the border of MNIST is black


def train(pixels: Tensor, labels: Tensor) -> nn.Sequential:
    """Return the classifier, trained on images (N, 1, 28, 28) uint8 and labels (N,)."""
    random = torch.Generator().manual_seed(SEED)
    classifier = new_classifier()
    initialize(classifier, random)
    return fit(classifier, pixels, labels, random, EPOCHS, RATE)


def fit(
    classifier: nn.Sequential,
    pixels: Tensor,
    labels: Tensor,
    random: torch.Generator,
    epochs: int,
    rate: float,
) -> nn.Sequential:
    """Return a classifier, trained in place on images (N, 1, 28, 28) uint8 and labels (N,)."""
    per_epoch = len(pixels) // BATCH
    optimizer = torch.optim.AdamW(classifier.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * per_epoch)
    for _ in range(epochs):
        order = torch.randperm(len(pixels), generator=random)[: per_epoch * BATCH]
        for chosen in order.split(BATCH):
            logits = classifier(shifted(scale(pixels[chosen]), random))
            loss = F.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval()


def main() -> None:
    """Train, store and say how good it is."""
    parser = argparse.ArgumentParser(description="Make the judge's classifier and its reference.")
    parser.add_argument("--keep", action="store_true", help="leave the classifier as it is")
    keep = parser.parse_args().keep
    learned, held_out = load_source("mnist").split()
    if keep:
        facts = {
            key: fact for key, fact in judging.stored_reference().facts.items() if key != "rows"
        }
    else:
        first = slice(judging.LEARNED)
        classifier = train(learned.pixels[first], learned.labels[first])
        weights = {name: value.half() for name, value in classifier.state_dict().items()}
        save(STORED / "classifier.pt", weights)
        facts = {
            "trained_on": f"the first {judging.LEARNED:,} training digits of MNIST",
            "reference": f"the other {len(learned) - judging.LEARNED:,}",
            "tested_on": f"MNIST's {len(held_out):,} test digits",
            "seed": SEED,
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "learning_rate": RATE,
            "torch": torch.__version__,
        }
    real = judging.classify(learned.pixels[judging.LEARNED :])
    others = judging.classify(held_out.pixels)  # by the classifier as it is stored
    gaussian = real.features.mean(0), np.cov(real.features.T)
    reference = Reference("MNIST", "", gaussian, real.shares, real.features[:AT_MOST], others)
    right = others.probabilities.argmax(1) == held_out.labels.numpy()
    facts = {"accuracy": float(right.mean())} | facts
    store(reference, facts)
    print(json.dumps(facts, indent=2))


def store(reference: Reference, facts: dict) -> None:
    """Write a reference, and the facts about the classifier, into the package."""
    arrays = {  # in the order in which the judge reads them
        "mean": reference.gaussian[0],
        "covariance": reference.gaussian[1],
        "shares": reference.shares,
        "features": reference.features.astype(np.float16),
        "others": reference.others.features.astype(np.float16),
    }
    save(STORED / "mnist.pt", {name: torch.from_numpy(value) for name, value in arrays.items()})
    content = json.dumps({**facts, "rows": reference.rows()}, indent=2) + "\n"
    write_file(STORED / "facts.json", content.encode())


if __name__ == "__main__":
    main()
