"""Train the judge's classifier, store what it makes of MNIST: `python -m experiments.classifier`.

Needs MNIST; takes about 5 minutes on 2 CPU cores. The classifier learns from the first 30,000
training digits; the other 30,000, which it has not seen, are the reference. Weights and reference
go into `dcgan_utils/judging/stored/`, beside facts.json with the accuracy on the 10,000 test
digits, the seed, and the metrics of the test digits and of noise.

`--keep` leaves the classifier as it is and measures the reference anew, such as after a change to
`dcgan_utils/judging/metrics.py`.
"""

import argparse
import json

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.data import load_source, scale
from dcgan_utils.files import save
from dcgan_utils.judging.classifier import STORED, new_classifier
from dcgan_utils.judging.references import CROPPED, store_reference

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
        facts = judging.stored_facts()
        del facts["rows"]
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
    right = others.probabilities.argmax(1) == held_out.labels.numpy()
    facts = {"accuracy": float(right.mean())} | facts
    store_reference(judging.make_reference("MNIST", CROPPED, real, others), facts)
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
