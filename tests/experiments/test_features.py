"""The study of D's features, and what it measures with, against outside oracles."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dcgan_utils.data import load_source
from dcgan_utils.networks import initialize_weights
from experiments import discriminator_features as analysis
from experiments import feature_baselines, store
from experiments.studies import features as study

DIGITS = load_source("embedded").pixels[:200]
IMAGES = analysis.images_for(DIGITS)
CORNERS = [(top, left) for top in range(0, 25, 4) for left in range(0, 25, 4)]  # of squares


@pytest.fixture
def network():
    made = analysis.untrained(3)
    initialize_weights(made, torch.Generator().manual_seed(3), 0.2)  # so that no layer fades
    return analysis.with_statistics_of(made, [IMAGES])


def test_features_are_pooled_maps_as_hooks_see_them(network):
    seen = []
    for layer in (network.main[k] for k in (1, 4, 7)):
        layer.register_forward_hook(lambda module, given, made: seen.append(made.clone()))
    network(IMAGES)
    pooled = [F.max_pool2d(seen[0], 4).flatten(1), seen[2].flatten(1)]
    found = analysis.features(network, DIGITS, (1, 3))
    assert torch.allclose(found, torch.cat(pooled, 1), atol=1e-5)


def test_logits_in_training_mode_are_those_of_whole_batches(network):
    assert torch.allclose(analysis.logits_for(network, IMAGES)[3], network(IMAGES[3:4]))
    said = analysis.logits_for(network.train(), IMAGES)
    assert len(said) == 192 and torch.allclose(said[64:96], network(IMAGES[64:96]), atol=1e-4)


def test_the_plain_gradient_is_autograds_and_the_guided_one_the_rule_by_hand(network):
    images = IMAGES[:5].clone().requires_grad_()
    network(images).sum().backward()
    assert torch.allclose(analysis.gradient_maps(network, images.detach()), images.grad)
    values = torch.tensor([-1.0, -1, 2, 2], requires_grad=True)
    out = analysis.guided(nn.Sequential(nn.LeakyReLU(0.2)), values)
    assert out.tolist() == pytest.approx([-0.2, -0.2, 2, 2])
    out.backward(torch.tensor([3.0, -3, 3, -3]))
    assert values.grad.tolist() == [0, 0, 3, 0]


def test_random_weights_come_from_the_top(network):
    other = dict(analysis.with_random_top(network, 2, IMAGES).named_parameters())
    changed = [name for name, was in network.named_parameters() if (other[name] != was).any()]
    assert changed == ["main.5.weight", "main.6.weight", "main.8.weight"]


def test_occlusion_tells_what_blackening_changes():
    mean = nn.Sequential(nn.Flatten(), nn.AvgPool1d(1024), nn.Flatten(0)).eval()  # of the pixels
    images = torch.full((1, 1, 32, 32), -1.0)
    images[0, 0, 5, 6] = 1.0
    covers = [top <= 5 < top + 8 and left <= 6 < left + 8 for top, left in CORNERS]
    assert torch.equal(analysis.occlusion_maps(mean, images)[0], torch.tensor(covers) / -512)


def test_a_square_is_exchanged_for_the_nearest_and_the_control_has_as_much_ink():
    random = torch.Generator().manual_seed(0)
    images, others = (torch.rand(n, 1, 32, 32, generator=random) for n in (3, 20))
    others[7, :, 24:, 24:] = images[1, :, 24:, 24:] + 0.01
    found = analysis.exchanged(images, torch.tensor([0, 48, 24]), others)
    assert torch.equal(found[1, :, 24:, 24:], others[7, :, 24:, 24:])
    for changed, (top, left) in zip((found != images)[:, 0], ((0, 0), (24, 24), (12, 12))):
        assert changed[top : top + 8, left : left + 8].all() and changed.sum() == 64
    images[:] = -1
    images[..., 0:8, 0:8] = images[..., 4:12, 4:8] = 1  # the first is chosen
    images[..., 8:16, 8:15] = 1  # nearly as much, and it does not touch
    assert CORNERS[analysis.control_places(images, torch.tensor([0] * 3))[0]] == (8, 8)


def test_the_scaling_with_less_error_is_chosen():
    values = torch.randn(60, 20, generator=torch.Generator().manual_seed(0))
    labels = (values[:, 0] > 0).long()
    values[:, 1:] *= 100  # noise, large
    assert feature_baselines.choose(values, labels)[0] == "each"


def test_altered_images_are_what_their_names_say():
    made = analysis.altered(DIGITS, torch.Generator().manual_seed(0))
    assert torch.equal(made["upside down"][0, 0], torch.rot90(DIGITS[0, 0], 2))
    assert len(made["other hands, 8×8"]) == 1797 and len(made["letters"].unique(dim=0)) == 468


@pytest.mark.slow
def test_the_study(run, monkeypatch):
    some = load_source("embedded")
    few = replace(some, pixels=some.pixels[:1000], labels=some.labels[:1000], held_out=300)
    changes = {"DATA": "embedded", "COUNTS": (50, 100), "FEW": 50, "SUPERVISED_STEPS": (5, 9)}
    changes |= {"STEPS": (1, 2), "OLDER": (1,), "ALONE": (1, 2), "SHOWN": 40, "CHANGED": 30}
    for name, value in (changes | {"load_source": lambda data: few}).items():
        monkeypatch.setattr(study, name, value)
    for name, value in {"CENTERS": 8, "FOLDED": 9, "STRENGTHS": (0.1,)}.items():
        monkeypatch.setattr(feature_baselines, name, value)
    rows = run("features", "--seeds", "0")
    assert len(rows) == 4 * 2 + 5 + 1 + 5 + 4
    assert all(0 < error < 1 for error in store.numbers(rows, "error"))
    said = store.select(store.read("verdicts"), kind="held-out digits")
    assert store.numbers(said, "above") == [0.5] * 3
    assert len(store.read("looking")) == 8 + 16 + 6 + 1
    for name, table in study.tables().items():
        assert table.count("\n") > 3 and "|  |  |" not in table.replace("0 |  |  |", ""), name
