"""What makes the networks that are stored in the project: `python -m experiments make NETWORK`."""

import json
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import load_source, scale
from dcgan_utils.files import save, write_file
from dcgan_utils.runs import judge, summarize, weight_facts
from dcgan_utils.weights import load_generator, save_weights

from . import second_judge
from .classify_from_samples import BATCH, fit
from .measures import trained

SEED, EPOCHS, RATE = 0, 6, 0.002  # of the judge
SECOND_SEED, SECOND_EPOCHS, SECOND_RATE = 1, 5, 0.003
SAMPLES = 10_000
GOOD = "{:.2%} of the test digits right, at a distance of {:.2f}"


def make_judge(out: Path) -> None:
    """Make the judge's classifier, its reference and its facts, in 5 minutes on 2 CPU cores.

    It learns from MNIST's first 30,000 training digits; the other 30,000 are the reference.
    """
    learned, held_out = load_source("mnist").split()
    classifier, random = judging.new_classifier(), torch.Generator().manual_seed(SEED)
    for parameter in classifier.parameters():
        nn.init.zeros_(parameter)
        if parameter.dim() > 1:  # not a bias
            nn.init.kaiming_normal_(parameter, generator=random)
    pixels, labels = learned.pixels[: judging.LEARNED], learned.labels[: judging.LEARNED]
    fit(classifier, pixels, labels, random, EPOCHS, RATE)
    save(out / "classifier.pt", classifier.requires_grad_(False).half().state_dict())
    with patch.object(judging, "load_classifier", classifier.float):  # with weights as stored
        real, seen = map(judging.classify, (learned.pixels[judging.LEARNED :], held_out.pixels))
        gaussian = real.features.mean(0), np.cov(real.features.T)
        few = real.features[: judging.AT_MOST]
        rows = judging.Reference("MNIST", "", gaussian, real.shares, few, seen).rows()
    right = float((seen.probabilities.argmax(1) == held_out.labels.numpy()).mean())
    facts = {
        "trained_on": f"the first {judging.LEARNED:,} training digits of MNIST",
        "reference": f"the other {len(learned) - judging.LEARNED:,}",
        "tested_on": f"MNIST's {len(held_out):,} test digits",
        **{"seed": SEED, "epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE},
        **{"torch": torch.__version__.split("+")[0], "accuracy": right, "rows": rows},
    }
    names = ("mean", "covariance", "shares", "features", "others")  # in the judge's order
    arrays = (*gaussian, real.shares, few.astype(np.float16), seen.features.astype(np.float16))
    save(out / "mnist.pt", {name: torch.from_numpy(array) for name, array in zip(names, arrays)})
    write_file(out / "facts.json", (json.dumps(facts, indent=2) + "\n").encode())
    print(GOOD.format(right, rows["real digits"]["distance"]["value"]))


def make_second_judge(out: Path) -> None:
    """Make the second judge, in 2 minutes; the stored one was not chosen among several.

    It learns from MNIST's last 30,000 training digits; the first 30,000 are its reference.
    """
    learned, held_out = load_source("mnist").split()
    others, known = learned.pixels.tensor_split([judging.LEARNED])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SECOND_SEED)  # of the first weights
        network = second_judge.new_network()
    random = torch.Generator().manual_seed(SECOND_SEED)
    fit(network, known, learned.labels[judging.LEARNED :], random, SECOND_EPOCHS, SECOND_RATE)
    state = network.requires_grad_(False).half().state_dict()
    reference = second_judge.gaussian(network.float(), others)  # of the weights as stored
    state |= dict(zip(("mean", "covariance"), map(torch.from_numpy, reference)))
    save(out / second_judge.STORED.name, state)
    answers = torch.cat([network(scale(part)).argmax(1) for part in held_out.pixels.split(500)])
    right = (answers == held_out.labels).double().mean().item()
    seen = second_judge.gaussian(network, held_out.pixels)
    print(GOOD.format(right, judging.frechet_distance(seen, reference)))


def make_generator(out: Path, preset_name: str = "classroom") -> None:
    """Make a preset's networks, in half precision: those of the package, or others.

    Their facts have G's distance before rounding.
    """
    config = preset(preset_name, data="mnist", seed=0)
    training = trained(config)
    _, line, verdict = judge(training.sampler, config, SAMPLES)
    distance = round(verdict["samples"]["distance"]["value"], 2)
    own = {"preset": preset_name, "distance": distance}
    facts = weight_facts(training) | summarize(training) | own
    for name, network in (("G.pth", training.sampler), ("D.pth", training.discriminator)):
        save_weights(out / name, network.half(), facts)
    print(f"{line}\nIn half precision: {judge(load_generator(out / 'G.pth'), config, SAMPLES)[1]}")


MAKERS = {"judge": make_judge, "second_judge": make_second_judge, "generator": make_generator}
# Its G.pth lies in site/, for the page "The generator".
MAKERS["conditional"] = partial(make_generator, preset_name="conditional")
