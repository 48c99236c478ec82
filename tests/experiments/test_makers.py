"""What makes the stored networks: in a new folder only, from its seed alone; the second judge."""

import json
import re
from dataclasses import replace

import pytest
import torch

from dcgan_utils import judging
from dcgan_utils.config import UserError, preset
from dcgan_utils.data import fit_images, load_source, scale
from dcgan_utils.files import load
from dcgan_utils.weights import facts_of, load_generator
from experiments import __main__, makers
from experiments.second_judge import STORED, new_network, second_distance, stored


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return a function that makes a network from a few embedded digits, in a new folder."""
    all_ = load_source("embedded")
    images = replace(all_, pixels=all_.pixels[::4], labels=all_.labels[::4], held_out=500)
    for module in (__main__, makers):
        monkeypatch.setattr(module, "load_source", lambda name: images)
    settings = {"data": "embedded", "steps": 2, "frames": 2, "device": "cpu"}
    monkeypatch.setattr(makers, "preset", lambda name, **own: preset(name, **own | settings))
    for name, value in {"SAMPLES": judging.FEWEST, "EPOCHS": 1, "SECOND_EPOCHS": 1}.items():
        monkeypatch.setattr(makers, name, value)
    monkeypatch.setattr(judging, "LEARNED", 300)

    def make(*arguments, folder="new"):
        __main__.main(["make", *arguments, "--out", str(tmp_path / folder)])
        return tmp_path / folder

    return make


@pytest.mark.slow
def test_a_judge_is_made_anew_from_its_seed_alone(make, monkeypatch):
    first, again = make("judge"), make("judge", folder="again")
    facts, weights = json.loads((first / "facts.json").read_text()), load(first / "classifier.pt")
    assert json.loads((again / "facts.json").read_text()) == facts
    classifier = judging.new_classifier()
    classifier.load_state_dict(weights)
    held_out = makers.load_source("mnist").split()[1]
    right = classifier(scale(held_out.pixels)).argmax(1) == held_out.labels
    assert facts["accuracy"] == pytest.approx(right.double().mean().item())
    monkeypatch.setattr(judging, "STORED", first)
    read = judging.stored_reference.__wrapped__()
    assert read.facts == facts and len(read.others) == 500 and len(read.features) == 450


@pytest.mark.slow
def test_the_second_judge_is_made_from_its_seed_alone_and_tested(make, capsys):
    first, again = (load(make("second_judge", folder=name) / STORED.name) for name in ("1", "2"))
    assert first.keys() == again.keys() and all(map(torch.equal, first.values(), again.values()))
    assert {"mean", "covariance", *new_network().state_dict()} == set(first)
    assert re.match(r"[\d.]+% of the test digits right, at", capsys.readouterr().out)


@pytest.mark.slow
def test_the_generator_is_stored_with_its_facts(make):
    folder = make("generator")
    facts = facts_of(folder / "D.pth")
    assert facts == facts_of(folder / "G.pth") and facts["steps"] == 2 and facts["distance"] > 100
    assert load_generator(folder / "G.pth").latent_size == facts["latent_size"]


def test_nothing_is_overwritten(make):
    with pytest.raises(UserError, match="File exists"):
        make("second_judge", folder=".")


@pytest.mark.slow
def test_the_second_judge_knows_digits_and_orders_what_is_known_to_be_worse():
    images = load_source("embedded")  # none of which it learned from
    pixels, labels = images.pixels[::2], images.labels[::2]
    assert (stored()[0](scale(pixels)).argmax(1) == labels).float().mean() > 0.98
    blurred = second_distance(fit_images(fit_images(pixels, 32, "resize"), 28, "resize"))
    real, fewer = second_distance(pixels), second_distance(pixels[labels != 9])
    assert 0 <= real < min(blurred, fewer)
    assert blurred < second_distance(judging.noise(len(pixels)))
