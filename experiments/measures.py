"""What several studies measure of a run's samples."""

from torch import Tensor, nn

from dcgan_utils import judging
from dcgan_utils.config import Config
from dcgan_utils.data import load_images
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import Training

KEYS = ("distance", "top_probability", "rarest", "most_frequent", "precision", "recall")


def trained(config: Config) -> Training:
    """Return a run at its end."""
    training = Training(config, load_images(config))
    training.run()
    return training


def draw(network: nn.Module, config: Config, count: int, seed: int = 0) -> Tensor:
    """Return samples (count, 1, 28, 28) uint8."""
    return judging.to_judged_size(sample_new(network, count, config.latent, seed), config.fit)


def judged(pixels: Tensor) -> dict[str, float]:
    """Return the first judge's metrics of samples (N, 1, 28, 28) uint8."""
    metrics = {key: judging.METRICS[key] for key in KEYS}
    return judging.measure(judging.classify(pixels), judging.stored_reference(), metrics)


def has_collapsed(samples_variety: float, real_variety: float, most_frequent: float) -> bool:
    """Return whether samples count as collapsed.

    They do if they differ from one another less than half as much as real digits do (standard
    deviation over the images, averaged over the pixels), or if more than half of them are of one
    class for the judge.
    """
    return samples_variety < 0.5 * real_variety or most_frequent > 0.5
