"""The study of D's features, and what it measures with, against outside oracles."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from dcgan_utils.data import load_source
from dcgan_utils.networks import initialize_weights
from experiments import store
from experiments.studies import features as study

DIGITS = load_source("embedded").pixels[:200]
IMAGES = study.images_for(DIGITS)


@pytest.fixture
def network():
    made = study.untrained(3)
    initialize_weights(made, torch.Generator().manual_seed(3), 0.2)  # so that no layer fades
    return study.with_statistics_of(made, [IMAGES])


def test_features_are_pooled_maps_as_hooks_see_them(network):
    seen = []
    for layer in (network.main[k] for k in (1, 4, 7)):
        layer.register_forward_hook(lambda module, given, made: seen.append(made.clone()))
    network(IMAGES)
    pooled = [F.max_pool2d(seen[0], 4).flatten(1), seen[2].flatten(1)]
    first, _, third = study.features(network, DIGITS)
    assert torch.allclose(torch.cat([first, third], 1), torch.cat(pooled, 1), atol=1e-5)


def test_logits_in_training_mode_are_those_of_whole_batches(network):
    assert torch.allclose(study.logits_for(network, IMAGES)[3], network(IMAGES[3:4]))
    said = study.logits_for(network.train(), IMAGES)
    assert len(said) == 192 and torch.allclose(said[64:96], network(IMAGES[64:96]), atol=1e-4)


def test_the_scaling_with_less_error_is_chosen():
    values = torch.randn(60, 20, generator=torch.Generator().manual_seed(0))
    labels = (values[:, 0] > 0).long()
    values[:, 1:] *= 100  # noise, large
    assert study.choose(values, labels)[0] == "each"


def test_shares_count_pairs_and_halves_of_ties():
    some, others = torch.tensor([1.0, 2, 3]), torch.tensor([2.0, 0])
    assert study.share_above(some, others) == pytest.approx(4.5 / 6)


def test_altered_images_are_what_their_names_say():
    made = study.altered(DIGITS, torch.Generator().manual_seed(0))
    assert torch.equal(made["upside down"][0, 0], torch.rot90(IMAGES[0, 0], 2))
    assert torch.equal(made["inverted"], -IMAGES)
    assert len(made["letters"].unique(dim=0)) == 468


@pytest.mark.slow
def test_the_study(run, monkeypatch):
    some = load_source("embedded")
    few = replace(some, pixels=some.pixels[:1000], labels=some.labels[:1000], held_out=300)
    changes = {"DATA": "embedded", "COUNTS": (50, 100), "FEW": 50, "SUPERVISED_STEPS": (5, 9)}
    changes |= {"STEPS": (1, 2), "EARLY": 1, "ALONE": (1, 2), "SHOWN": 100, "CENTERS": 8}
    changes |= {"FOLDED": 9, "STRENGTHS": (0.1,), "load_source": lambda data: few}
    for name, value in changes.items():
        monkeypatch.setattr(study, name, value)
    rows = run("features", "--seeds", "0")
    assert len(rows) == 4 * 2 + 1 + 2 + 3 * 2
    assert all(0 < error < 1 for error in store.numbers(rows, "error"))
    probed = store.read("probes")
    assert len(probed) == 3 * (1 + 11) + 1
    said = store.select(probed, at="held-out digits")
    assert store.numbers(said, "value") == [0.5] * 3
