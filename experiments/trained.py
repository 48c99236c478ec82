"""Train the networks that ship with the package: `python -m experiments.trained`, 2 to 4 minutes.

Needs MNIST. One run of the preset `classroom`; its G.pth and D.pth go into `dcgan_utils/stored/`,
in half precision, with the run's facts and its distance before and after rounding.
"""

import torch
from torch import nn

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.device import device_name
from dcgan_utils.networks import Generator
from dcgan_utils.runs import weight_facts
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import Training
from dcgan_utils.weights import STORED, save_weights, trained_generator

from .command import new_parser, require_mnist

SEED, SAMPLES = 0, 10_000


def distance(generator: nn.Module, latent: str) -> float:
    """Return the judge's distance of new samples."""
    pixels = judging.to_judged_size(sample_new(generator, SAMPLES, latent), "pad")
    metrics = {"distance": judging.METRICS["distance"]}
    found = judging.measure(judging.classify(pixels), judging.stored_reference(), metrics)
    return round(found["distance"], 2)


def main() -> None:
    """Train, judge, store."""
    new_parser("trained", __doc__).parse_args()
    require_mnist()
    config = preset("classroom", data="mnist", seed=SEED)
    training = Training(config, load_images(config))
    training.run(lambda report: print(f"\r{report.step} of {report.total}", end="", flush=True))
    facts = weight_facts(training) | {
        "preset": "classroom",
        "seed": SEED,
        "steps": training.step,
        "device": device_name(training.device),
        "torch": torch.__version__.split("+")[0],
        "distance": distance(training.sampler, config.latent),
    }
    for name, network in (("G.pth", training.sampler), ("D.pth", training.discriminator)):
        save_weights(STORED / name, network.half(), facts)
    assert isinstance(training.sampler, Generator)
    rounded = distance(trained_generator(), config.latent)
    print(f"\ndistance {facts['distance']}, in half precision {rounded}")


if __name__ == "__main__":
    main()
