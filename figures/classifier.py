"""Train the judge's classifier and store what it makes of MNIST: `python -m figures.classifier`.

Needs MNIST; takes about 5 minutes on 2 CPU cores. The classifier learns from the first 30,000
training digits; the other 30,000, which it has not seen, are the reference. Weights and reference
go into `dcgan_utils/judge/`, beside facts.json with the accuracy on the 10,000 test digits, the
seed, and the figures of the test digits and of noise.
"""

import json

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import datasets

from dcgan_utils import judging
from dcgan_utils.checkpoints import save
from dcgan_utils.data import data_root, scale

SEED, EPOCHS, BATCH, RATE = 0, 6, 128, 0.002


def digits(train: bool) -> tuple[Tensor, Tensor]:
    """Return MNIST's training or test part: (N, 1, 28, 28) uint8, and its labels (N,)."""
    mnist = datasets.MNIST(data_root(), train=train)
    return mnist.data[:, None], mnist.targets


def initialize(classifier: nn.Sequential, random: torch.Generator) -> None:
    """Draw all weights from the generator, by He et al. (2015)."""
    for module in classifier:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, generator=random)


def shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Return images (B, 1, 28, 28) moved by up to two pixels, the whole batch alike."""
    down, right = torch.randint(-2, 3, (2,), generator=random).tolist()
    return torch.roll(images, (down, right), (2, 3))  # the border of MNIST is black


def train(pixels: Tensor, labels: Tensor) -> nn.Sequential:
    """Return the classifier, trained on images (N, 1, 28, 28) uint8 and labels (N,)."""
    random = torch.Generator().manual_seed(SEED)
    classifier = judging.new_classifier()
    initialize(classifier, random)
    per_epoch = len(pixels) // BATCH
    optimizer = torch.optim.AdamW(classifier.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * per_epoch)
    for _ in range(EPOCHS):
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
    pixels, labels = digits(train=True)
    test_pixels, test_labels = digits(train=False)
    classifier = train(pixels[: judging.LEARNED], labels[: judging.LEARNED])
    judging.FOLDER.mkdir(exist_ok=True)
    weights = {name: value.half() for name, value in classifier.state_dict().items()}
    save(judging.FOLDER / "classifier.pt", weights)
    real, others = (
        judging.look(pixels[judging.LEARNED :]),
        judging.look(test_pixels),
    )  # as they are stored
    right = others.probabilities.argmax(1) == test_labels.numpy()
    facts = {
        "accuracy": float(right.mean()),
        "trained_on": f"the first {judging.LEARNED:,} training digits of MNIST",
        "reference": f"the other {60_000 - judging.LEARNED:,}",
        "tested_on": "MNIST's 10,000 test digits",
        "seed": SEED, "epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE,
        "torch": torch.__version__,
    }  # fmt: skip
    reference = judging.make_reference("MNIST", judging.CROPPED, real, others)
    judging.store_reference(reference, facts)
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
