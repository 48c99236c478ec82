"""The kinds of notebook 10, and the study that measures their samples."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors

from dcgan_utils.data import load_images, load_source
from experiments import store
from experiments.classify_from_samples import class_distances
from experiments.conditional_networks import AUTHORS, KINDS, config_of, new_training
from experiments.studies import conditional

SMALL = {"data": "embedded", "steps": 2, "width": 4}
CONFIG = config_of("label maps", **SMALL)
LABELS = torch.tensor([3, 8])


def test_distances_to_the_nearest_of_each_class_are_scikit_learn_s():
    pixels = torch.randint(256, (600, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    images, known = pixels.to(torch.uint8).split([40, 560])
    labels = torch.arange(560) % 10
    found = class_distances(images, known, labels)
    for digit in range(10):
        oracle = NearestNeighbors(n_neighbors=1).fit(known[labels == digit].flatten(1))
        expected = oracle.kneighbors(images.flatten(1))[0][:, 0] / 255
        assert found[:, digit].numpy() == pytest.approx(expected, abs=1e-3)


def test_labels_stand_beside_the_input_of_each_layer_of_the_authors_networks():
    networks = KINDS[AUTHORS][0](CONFIG, torch.Generator().manual_seed(0))
    z = torch.rand(2, 100)
    images = networks[0](z, LABELS).detach()
    for network, inputs in zip(networks, (z, images)):
        expected, given = inputs, 0
        network.eval()
        for layer in network.main:
            if hasattr(layer, "kernel_size") or hasattr(layer, "in_features"):
                maps = torch.zeros(2, 10, *expected.shape[2:])
                maps[0, 3], maps[1, 8] = 1, 1
                expected, given = torch.cat([expected, maps], 1), given + 1
            expected = layer(expected)
        assert given == 4 and torch.allclose(network(inputs, LABELS), expected, atol=1e-6)


def test_the_authors_networks_have_the_weights_of_their_program_and_leave_the_frame_alone():
    generator, discriminator = KINDS[AUTHORS][0](CONFIG, torch.Generator().manual_seed(0))
    # its arrays: gw, gw2, gw3, gwx, and dw, dw2, dw3, dwy
    of_g = [110 * 1024, 1034 * 6272, 138 * 64 * 25, 74 * 25]
    of_d = [11 * 64 * 25, 74 * 128 * 25, 6282 * 1024, 1034]
    assert [p.numel() for p in generator.parameters()] == of_g
    assert [p.numel() for p in discriminator.parameters()] == of_d
    drawn = generator(torch.rand(2, 100), LABELS).detach()
    frame = F.pad(torch.zeros(28, 28, dtype=torch.bool), (2, 2, 2, 2), value=True)
    assert (drawn[..., frame] == -1).all() and (drawn[..., ~frame].abs() < 0.9).all()
    unframed = drawn.masked_fill(frame, 0.5)
    assert torch.equal(discriminator(unframed, LABELS), discriminator(drawn, LABELS))


def test_class_conditional_batch_norm_is_batch_norm_with_the_class_s_own_gamma_and_beta():
    generator, _ = KINDS["class-conditional batch norm"][0](CONFIG, torch.Generator())
    own = generator.main[2]
    torch.nn.init.normal_(own.gamma.weight)
    torch.nn.init.normal_(own.beta.weight)
    x, norm = torch.randn(2, 16, 4, 4), torch.nn.BatchNorm2d(16)
    for place, label in enumerate(LABELS):
        norm.weight.data, norm.bias.data = own.gamma.weight[label], own.beta.weight[label]
        assert torch.allclose(own(x, LABELS)[place], norm(x)[place], atol=1e-6)
    z = torch.rand(2, 100)
    assert not torch.equal(generator(z, LABELS), generator(z, LABELS.flip(0)))


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_trains_and_mixes_no_devices(name):
    config = config_of(name, **SMALL, batch_size=16)
    images = load_images(config)
    training = new_training(name, config, images)
    before = [value.clone() for value in training.discriminator.parameters()]
    training.run()
    assert not any(map(torch.equal, before, training.discriminator.parameters()))
    with torch.device("meta"):  # where all goes that names no device, and meets nothing else
        values, _, _ = training.train_step()
    assert all(value.isfinite() for value in values.values())
    decays = {o.param_groups[0]["weight_decay"] for o in training.optimizers.values()}
    assert decays == {2.5e-5 if name == AUTHORS else 0.0}, "that of their program"
    labels = training.images.labels
    assert torch.equal(labels, images.labels) == (name != "random labels")
    assert torch.equal(labels.sort().values, images.labels.sort().values)


def test_the_study(run, monkeypatch):
    diverged = {"kind": "projection", "length": "preset", "seed": "0", "note": "diverged"}
    everything = len(load_source("embedded").split()[0])
    sizes = {"FIRST": (100, 300), "LIBRARIES": (100, 300, 600, everything, 5 * everything)}
    for name, value in {"SAMPLES": 300, "TURNS": 2, **sizes}.items():
        monkeypatch.setattr(conditional, name, value)
    monkeypatch.setattr(
        conditional, "config_of", lambda kind, **own: config_of(kind, **own | SMALL)
    )
    monkeypatch.setattr(conditional, "load_source", lambda name: load_source("embedded"))
    store.write("conditional", [diverged | store.this_machine(1)])
    only = ["real digits", conditional.SHIFTED, "no labels", "label maps", "projection"]
    _, real, shifted, maps, blind, long = run("conditional", "--only", *only, "--seeds", "0")
    assert (store.RESULTS / "conditional" / "label-maps-at-length-0.png").exists()
    assert float(maps["obeyed"]) < 0.5 < 0.95 < float(real["obeyed"]) and not blind["obeyed"]
    errors = [float(real[f"nearest_{count}"]) for count in (100, 300)]
    errors += [float(shifted[f"nearest_{count}"]) for count in (everything, 5 * everything)]
    assert errors == sorted(errors, reverse=True) and errors[0] < 0.5
    assert long["nearest_600"]
    lines = conditional.STUDY.tables()["conditional"].splitlines()[4:]
    names = [*only[:2], "label maps", "projection", "no labels", "label maps, at length"]
    assert [line.split(" | ")[0] for line in lines] == [f"| {name}" for name in names]
    assert lines[3] == "| projection | 1" + 12 * " | -" + " |"


def test_rates_are_tried_on_training_digits_that_those_runs_have_not_seen(run, monkeypatch):
    learned, _ = load_source("embedded").split()
    seen = []

    def spy(kind, config, images):
        seen.append((config.learning_rate, images))
        return new_training(kind, config, images)

    sizes = {"FIRST": (100, 300), "LIBRARIES": (100, 300), "SAMPLES": 300, "UNSEEN": 500}
    for name, value in {**sizes, "new_training": spy}.items():
        monkeypatch.setattr(conditional, name, value)
    monkeypatch.setattr(
        conditional, "config_of", lambda kind, **own: config_of(kind, **own | SMALL)
    )
    monkeypatch.setattr(conditional, "load_source", lambda name: load_source("embedded"))
    asked = []
    monkeypatch.setattr(
        conditional, "learn", lambda *given: asked.append(given[-1]) or {"nearest_300": 0.5}
    )
    (row, _) = run("conditional", "--only", "length=twice the rate")
    assert row["unseen_nearest_300"] == "0.5" and "nearest_300" not in row
    (rate, images), _ = seen
    assert rate == 2 * config_of("label maps").learning_rate
    assert torch.equal(images.labels, learned.labels[:-500])
    assert torch.equal(asked[0].pixels, learned.pixels[-500:])
