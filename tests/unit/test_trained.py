"""The networks that ship with the package are a classroom run's, and small."""

import torch

from dcgan_utils import judging
from dcgan_utils.config import preset
from dcgan_utils.networks import new_networks
from dcgan_utils.sampling import sample_new
from dcgan_utils.trained import (
    FOLDER,
    trained_discriminator,
    trained_facts,
    trained_generator,
)


def test_they_are_small_and_of_the_shapes_that_the_preset_names():
    networks = (trained_generator(), trained_discriminator())
    made = new_networks(preset("classroom"), 1, 10, torch.Generator())
    for name, network, expected in zip(("G.pth", "D.pth"), networks, made):
        assert (FOLDER / name).stat().st_size < 1_000_000
        shapes = {key: value.shape for key, value in network.state_dict().items()}
        assert shapes == {key: value.shape for key, value in expected.state_dict().items()}
        assert not network.training
        assert all(value.dtype == torch.float32 for value in network.parameters())


def test_what_they_draw_is_as_good_as_their_facts_say():
    """The stored distance is of 10,000 samples; of 5,000 others it is within a few tenths."""
    facts, generator = trained_facts(), trained_generator()
    pixels = judging.to_judged_size(sample_new(generator, 5000, facts["latent"], seed=1), "pad")
    metrics = {"distance": judging.METRICS["distance"]}
    found = judging.measure(judging.classify(pixels), judging.stored_reference(), metrics)
    assert abs(found["distance"] - facts["distance"]) < 1.0
    logits = trained_discriminator()(torch.rand(8, 1, 32, 32) * 2 - 1)  # noise is no digit
    assert (logits < 0).all()
