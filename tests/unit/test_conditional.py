"""The kinds of notebook 10, and how their samples are measured."""

import dataclasses

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from torch.nn.functional import softplus

from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.networks import new_networks
from experiments import conditional, conditional_report
from experiments.asked import AUTHORS, KINDS, Projection, at_random, new_training
from experiments.conditional import of_each_class
from experiments.taught import Nearest, nearest_labels

CONFIG = preset("conditional", data="embedded", steps=2, batch_size=16, width=4)


def test_nearest_labels_are_those_that_scikit_learn_finds():
    random = torch.Generator().manual_seed(0)
    images, known = (
        torch.randint(256, (n, 1, 4, 4), generator=random).to(torch.uint8) for n in (40, 6000)
    )
    labels = torch.randint(10, (6000,), generator=random)  # more than one part
    oracle = KNeighborsClassifier(1).fit(known.flatten(1).numpy() / 255.0, labels.numpy())
    found = nearest_labels(images, known, labels)
    assert found.tolist() == oracle.predict(images.flatten(1).numpy() / 255.0).tolist()


def test_neighbors_may_come_in_parts_and_are_scikit_learn_s_in_each_class():
    random = torch.Generator().manual_seed(0)
    images, known = (
        torch.randint(256, (n, 1, 4, 4), generator=random).to(torch.uint8) for n in (40, 6000)
    )
    labels = torch.randint(10, (6000,), generator=random)
    truth = torch.randint(10, (40,), generator=random)
    nearest = Nearest(images)
    for part in (slice(300), slice(300, 5500), slice(5500, None)):
        nearest.learn(known[part], labels[part])
    own, other = nearest.own_and_other(truth)
    for image, label, *found in zip(images, truth, own, other):
        for of_class, distance in zip((labels == label, labels != label), found):
            oracle = NearestNeighbors(n_neighbors=1).fit(known[of_class].flatten(1) / 255)
            expected = oracle.kneighbors(image.flatten(1) / 255)[0].item()
            assert distance == pytest.approx(expected, abs=1e-4)
    assert torch.equal(other < own, nearest.labels != truth)


def test_the_authors_networks_have_the_weights_of_their_program_and_leave_the_frame_alone():
    random = torch.Generator().manual_seed(0)
    generator, discriminator = KINDS[AUTHORS].networks(preset("conditional"), random)
    counts = [
        sum(p.numel() for p in network.parameters()) for network in (generator, discriminator)
    ]
    # its arrays: gw, gw2, gw3, gwx, and dw, dw2, dw3, dwy
    assert counts == [
        110 * 1024 + 1034 * 6272 + 138 * 64 * 25 + 74 * 25,
        11 * 64 * 25 + 74 * 128 * 25 + 6282 * 1024 + 1034,
    ]
    labels = torch.tensor([3, 8])
    with torch.no_grad():
        drawn = generator(torch.rand(2, 100, generator=random), labels)
        assert drawn.shape == (2, 1, 32, 32) and drawn.abs().max() <= 1
        frame = torch.ones(32, 32, dtype=torch.bool)
        frame[2:-2, 2:-2] = False
        assert (drawn[..., frame] == -1).all() and (drawn[..., ~frame] > -0.9).all()
        framed = drawn.clone()
        framed[..., frame] = 0.5
        discriminator.eval()
        assert torch.equal(discriminator(framed, labels), discriminator(drawn, labels))
        assert not torch.equal(discriminator(drawn, labels.flip(0)), discriminator(drawn, labels))


def test_wrong_pairs_show_each_real_image_with_another_label_and_call_it_fake():
    training = new_training(KINDS["wrong pairs"], CONFIG, load_images(CONFIG))
    calls = []
    training.discriminator.register_forward_hook(
        lambda _, given, said: calls.append((*given, said))
    )
    values, real, fake = training.train_step()
    (shown, told, right), (drawn, asked, made), (again, others, wrong), _ = calls
    assert torch.equal(shown, real) and torch.equal(again, real) and torch.equal(drawn, fake)
    assert torch.equal(asked, told) and (others != told).all() and others.max() < 10
    expected = softplus(-right.float()).mean()  # -log D, and for fakes -log(1 - D), half each
    expected += (softplus(made.float()).mean() + softplus(wrong.float()).mean()) / 2
    assert values["loss_d"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_weight_decay_pulls_a_weight_without_a_gradient_to_zero():
    kind = dataclasses.replace(KINDS["label maps"], l2=0.1)
    training = new_training(kind, CONFIG, load_images(CONFIG))
    optimizer, weight = training.optimizers["generator"], training.generator.main[0].weight
    weight.grad, before = torch.zeros_like(weight), weight.detach().abs().mean()
    optimizer.step()
    assert weight.detach().abs().mean() < before
    assert KINDS[AUTHORS].l2 == 2.5e-5, "that of the authors' program"


def test_a_projection_adds_the_product_of_features_and_the_class_s_vector():
    plain = dataclasses.replace(CONFIG, conditional=False)
    discriminator = new_networks(plain, 1, 10, torch.Generator().manual_seed(0))[1].eval()
    images, labels = torch.randn(3, 1, 32, 32), torch.tensor([4, 0, 4])
    told = Projection(discriminator).eval()
    with torch.no_grad():
        before = told(images, labels)
        assert torch.equal(before, discriminator(images)), "vectors of zeros say nothing"
        told.vectors.weight[4] = 1.0
        added = told(images, labels) - before
        features = discriminator.main[:-1](images)
    expected = features.sum((1, 2, 3)) * torch.tensor([1.0, 0.0, 1.0])
    assert torch.allclose(added, expected, atol=1e-3)


def test_labels_at_every_layer_are_maps_beside_each_input():
    config = dataclasses.replace(CONFIG, conditional=True)
    networks = KINDS["at every layer"].networks(config, torch.Generator().manual_seed(0))
    z, image, labels = torch.randn(2, 100), torch.randn(2, 1, 32, 32), torch.tensor([3, 8])
    for network, maps in zip(networks, (z[:, :, None, None], image)):
        network.eval()
        seen = maps
        for layer in network.main:  # by hand, one image after the other
            if hasattr(layer, "kernel_size"):
                told = torch.zeros(2, 10, *seen.shape[2:])
                told[0, 3], told[1, 8] = 1, 1
                seen = torch.cat([seen, told], 1)
            seen = layer(seen)
        with torch.no_grad():
            found = network(z if maps.shape[1] == 100 else image, labels)
        assert torch.allclose(found.flatten(), seen.detach().flatten(), atol=1e-6)
        plain = new_networks(config, 1, 10, torch.Generator().manual_seed(0))
        extra = sum(p.numel() for p in network.parameters()) - sum(
            p.numel() for p in plain[0 if network is networks[0] else 1].parameters()
        )
        outputs = {True: (8 + 4 + 1), False: (8 + 16 + 1)}[network is networks[0]]
        assert extra == 10 * 16 * outputs, "ten kernels of 4x4 for each later layer's output"


def test_random_labels_are_the_same_ones_in_another_order():
    images = load_images(CONFIG)
    shuffled = at_random(images, torch.Generator().manual_seed(0))
    assert shuffled.pixels is images.pixels
    assert torch.equal(shuffled.labels.bincount(), images.labels.bincount())
    assert 0.05 < (shuffled.labels == images.labels).double().mean() < 0.15


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_trains_and_draws(name):
    config = dataclasses.replace(CONFIG, **KINDS[name].settings)
    training = new_training(KINDS[name], config, load_images(config))
    before = [value.clone() for value in training.discriminator.parameters()]
    training.run()
    assert training.frames[2].shape[1:] == (1, 32, 32)
    assert (len(training.frames[2]) == 100) and training.history.rows.isfinite().all()
    after = list(training.discriminator.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after)), "every weight has moved"


def test_a_class_that_is_copied_has_no_recall(monkeypatch):
    random = torch.Generator().manual_seed(0)
    real = [torch.randn(300, 64, generator=random).double().numpy() + d for d in range(10)]
    monkeypatch.setattr(conditional, "real_features", lambda: real)
    labels = torch.arange(3000).numpy() // 300
    features = torch.cat([torch.from_numpy(part) for part in real])
    features[:300] = features[0]  # class 0: one image, again and again
    found = of_each_class(features.numpy(), labels)
    assert found["recall_0"] < 0.05 and found["recall_1"] > 0.9
    assert found["distance_0"] > 20 and found["distance_1"] < 1e-6


def test_the_tables_name_kinds_and_lengths_and_leave_out_what_was_not_measured():
    row = dict.fromkeys(conditional.COLUMNS, "0.5")
    row |= {"device": "A", "torch": "2", "seconds": "10", "steps": "7", "length": "preset"}
    rows = [
        row | {"kind": "label maps", "seed": "0", "distance": "1", "nearest_1000000": ""},
        row | {"kind": "label maps", "seed": "1", "distance": "3", "nearest_1000000": ""},
        row | {"kind": "no labels", "length": "at length", "seed": "0", "obeyed": "", "own": ""},
        row | {"kind": "projection", "seed": "0", "device": "B"},
    ]
    made = conditional_report.tables(rows)
    here, there = made["conditional"].split("\n\nMNIST, B")
    first, second = here.splitlines()[4:]
    assert first.startswith("| label maps | 2 | 7 | 2 (1 to 3) |") and "50% (50 to 50)" in first
    assert first.endswith("| - | 50% (50 to 50) | 10 |"), "no million"
    assert second.startswith("| no labels, at length | 1 |") and " | - | " in second
    assert there.splitlines()[-1].startswith("| projection | 1 |")
    near, elsewhere = made["conditional_near"].split("\n\nMNIST, B")
    assert near.splitlines()[-1].startswith("| label maps | 2 | 0.5 (0.5 to 0.5) |")
    assert elsewhere.splitlines()[-1].startswith("| projection | 1 |")
