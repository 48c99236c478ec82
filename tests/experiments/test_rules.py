"""The recipe with one thing changed: each edit does what its name says, and nothing else."""

import dataclasses
import functools

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from dcgan_utils.config import preset
from dcgan_utils.data import Images
from dcgan_utils.training import Training
from experiments import store
from experiments.failure_cases import CURES
from experiments.measures import has_collapsed
from experiments.studies import rules
from experiments.variants import BASES, BY_NAME, FAST, LADDER, PARTS, UNITS, config_of, new_training

SMALL = {"width": 4, "batch_size": 8, "steps": 3, "precision": "float32", "device": "cpu"}
every_variant = pytest.mark.parametrize("name", [v.name for v in PARTS["fast"]])


def small(name: str, **changes) -> Training:
    """Return a training of a variant that takes three steps on random images."""
    pixels = torch.randint(0, 256, (512, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    images = Images(pixels.to(torch.uint8), "random")
    config = config_of(BY_NAME[name], preset("classroom", **(SMALL | changes)), seed=0)
    return new_training(BY_NAME[name], config, images)


def count(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


@functools.cache
def metrics_of(name: str) -> torch.Tensor:
    """Return what a variant's three steps report, once all of G's weights have moved."""
    training = small(name)
    before = [value.clone() for value in training.generator.parameters()]
    training.run()
    assert not any(map(torch.equal, before, training.generator.parameters()))
    return training.history.rows[:, 2:]  # without step and seconds


@every_variant
def test_every_variant_trains_and_differs_from_the_recipe(name):
    """In its third step at the latest: a change that changes nothing would fool the table."""
    same = name in ("as it is", "eval() from step 200")  # nothing before that step
    assert torch.equal(metrics_of("as it is"), metrics_of(name)) == same


@every_variant
def test_weights_follow_from_the_seed_alone(name):
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)  # the global state, which nothing may draw from
        training = small(name)
        networks = (training.generator, training.discriminator)
        states.append([value.clone() for n in networks for value in n.state_dict().values()])
    assert all(map(torch.equal, *states))


EDITS = {variant.name: variant.edit for variant in PARTS["fast"]}
EDITS |= {name: CURES[name].edit for name in ("noise on D's input", "augmentation")}


@pytest.mark.parametrize("name", EDITS)
def test_edited_networks_compute_on_their_device(name):
    """PyTorch's fake tensors pretend a GPU, and refuse to meet the CPU's."""
    recipe, random, x = small("as it is"), torch.Generator().manual_seed(0), torch.zeros(8, 100)
    networks = recipe.generator, recipe.discriminator
    EDITS[name](*networks, random)
    with FakeTensorMode(allow_non_fake_inputs=True):
        for network in networks:
            state = {name: value.to("cuda") for name, value in network.state_dict().items()}
            x = functional_call(network, state, (x.to("cuda"),))
    assert x.shape == (8,) and x.device.type == "cuda"


@pytest.mark.parametrize("name", ["max pooling in D", "repeated pixels in G"])
def test_pooling_and_repeating_keep_sizes_and_parameters(name):
    changed, recipe = small(name), small("as it is")
    assert count(changed.generator) == count(recipe.generator)
    assert count(changed.discriminator) == count(recipe.discriminator)
    assert changed.generator(torch.zeros(2, 100)).shape == (2, 1, 32, 32)
    assert changed.discriminator(torch.zeros(2, 1, 32, 32)).shape == (2,)


def test_average_pooling_is_a_strided_convolution():
    """With a kernel of stride 1 that is padded as the edit pads: a worked oracle."""
    first, plain = (small(n).discriminator.main[0] for n in ("average pooling in D", "as it is"))
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(x, (1, 2, 1, 2))  # "same" for a kernel of 4
    whole = nn.functional.conv2d(padded, plain.weight, plain.bias)
    parts = [whole[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
    torch.testing.assert_close(first(x), sum(parts) / 4)


@pytest.mark.parametrize("variant", UNITS, ids=lambda variant: variant.name)
def test_hidden_layers_have_the_units_that_the_name_says(variant):
    units, _, _, network, norm = variant.name.replace(",", "").split(" ", 4)
    main = getattr(small(variant.name), "generator" if network == "G" else "discriminator").main
    assert int(units) in [layer.out_features for layer in main if isinstance(layer, nn.Linear)]
    normed = [isinstance(layer, nn.BatchNorm1d) for layer in main]
    assert sum(normed) == norm.startswith("norm")


def test_he_weights_keep_the_size_of_signals():
    random = torch.Generator().manual_seed(0)
    for network, shape in (("generator", (64, 100, 1, 1)), ("discriminator", (64, 1, 32, 32))):
        x, sizes = torch.randn(shape, generator=random), []
        for name in ("no batch norm", "no batch norm, He"):
            run = small(name, width=32)
            sizes.append(getattr(run, network).main[:-2](x.clone()).std().item())
        assert sizes[0] < 0.2 < 0.5 < sizes[1] < 2


def test_global_average_pooling_is_a_last_convolution_with_equal_weights():
    discriminator = small("global average pooling in D").discriminator
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    kernels = (discriminator.main[-1].weight / 16).expand(1, -1, 4, 4)
    logits = nn.functional.conv2d(discriminator.main[:-2](x), kernels)
    torch.testing.assert_close(discriminator(x), logits.flatten())


def test_batch_norms():
    expected = {  # in G, in D; β or what is in its place, in G
        "no batch norm in G": (0, 2, 3),
        "no batch norm in D": (3, 0, 3),
        "layer norm in both": (0, 0, 3),
        "batch norm at G's output": (4, 2, 4),
        "batch norm at D's input": (3, 3, 3),
    }
    for name, counts in expected.items():
        g, d = small(name).generator, small(name).discriminator
        norms = [sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (g, d)]
        biases = sum(key.endswith("bias") for key in g.state_dict())
        assert (*norms, biases) == counts


def test_layer_norm_looks_at_one_image():
    generator = small("layer norm in both").generator
    z = torch.randn(4, 100, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(generator(z)[:1], generator(z[:1]))


def test_d_sees_the_range_that_the_name_says():
    ranges = {"sigmoid, data in [0, 1]": (0.0, 1.0), "Tanh, data in [0, 1]": (0.0, 1.0)}
    ranges["mean 0.1307, std 0.3081"] = -0.1307 / 0.3081, (1 - 0.1307) / 0.3081
    z = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    for name, ends in ranges.items():
        training = small(name)
        shown = training.discriminator.main[0](torch.tensor([-1.0, 1.0]))
        torch.testing.assert_close(shown, torch.tensor(ends))
        made = training.generator.main[:-1](z[:, :, None, None])  # before it is in [-1, 1]
        fake = training.discriminator.main[0](training.generator(z))
        torch.testing.assert_close(fake, made, rtol=1e-4, atol=1e-5)  # D sees what G made


def test_initial_weights():
    pytorch, recipe, zero = (
        small(name, width=32) for name in ("PyTorch's initial weights", "as it is", "γ around 0")
    )
    bound = 1 / (64 * 16) ** 0.5  # Kaiming's uniform with a = √5: 1/√fan_in, as PyTorch documents
    weights = pytorch.discriminator.main[5].weight
    assert 0.95 * bound < weights.abs().max() <= bound
    assert pytorch.generator.main[1].weight.eq(1).all()
    assert abs(recipe.generator.main[1].weight.mean() - 1) < 0.01
    assert abs(zero.generator.main[1].weight.mean()) < 0.01


def test_without_detach_ds_loss_reaches_g():
    largest = []
    for name in ("detach missing", "as it is"):
        training = small(name, objective="saturating", learning_rate=1e-9)
        training.train_step()
        largest.append(max(p.grad.abs().max() for p in training.generator.parameters()))
    # G's own gradient is that of -Loss_D's second half, so that together nothing is left.
    assert largest[1] > 0 and largest[0] < 1e-3 * largest[1]


def test_one_batch_mixes_the_statistics():
    seen = []
    for name in ("real and fake in one batch", "one batch, D's step only"):
        run = small(name)
        run.discriminator.main[3].register_forward_pre_hook(lambda _, x: seen.append(len(x[0])))
        run.train_step()
    assert seen == [16, 16, 16, 8]  # in D's step and in G's


def test_eval_from_step_200():
    training = small("eval() from step 200")
    training.step = 199
    training.train_step()
    assert training.generator.training
    training.train_step()
    assert not training.generator.training and not training.discriminator.training


def test_the_ladder_leads_from_the_published_recipe_to_the_fast_one():
    first, last = (config_of(variant, BASES["ladder"], 0) for variant in (LADDER[0], LADDER[-1]))
    published = (first.learning_rate, first.beta1, first.batch_size, first.latent, first.leak)
    assert published == (0.0002, 0.5, 128, "uniform", 0.2)  # section 4 of the paper
    assert first.initial_std == 0.02 and not first.first_bias
    assert last == dataclasses.replace(FAST, steps=last.steps)
    for order in ("rate first", "rate last"):  # each rung changes one thing
        rungs = [v for v in LADDER if v.rule in (order, "both orders")]
        configs = [config_of(variant, BASES["ladder"], 0) for variant in rungs]
        for below, above in zip(configs, configs[1:]):
            names = [f.name for f in dataclasses.fields(below) if f.name != "steps"]
            assert sum(getattr(below, n) != getattr(above, n) for n in names) == 1


def test_collapse_is_what_the_docstring_says():
    assert not has_collapsed(0.6, 1.0, 0.2)
    assert has_collapsed(0.4, 1.0, 0.2)
    assert has_collapsed(0.9, 1.0, 0.6)


def test_a_distance_no_longer_falls_after_three_in_vain():
    assert not rules.no_longer_falls([100.0, 96.0, 96.0])  # nothing to compare with
    assert rules.no_longer_falls([100.0, 96.0, 97.0, 96.0])
    assert not rules.no_longer_falls([100.0, 96.0, 94.0, 96.0])
    assert not rules.no_longer_falls([50.0, 100.0, 96.0, 47.0])


def test_every_run_has_a_picture_of_its_own():
    assert len(rules.PLAN) == 3 * sum(map(len, PARTS.values())) + 17 + 2  # further seeds
    names = {rules.picture_of(**key) for key in rules.PLAN}
    assert len(names) == len(rules.PLAN) and all(map(str.isascii, names))


@pytest.mark.slow
def test_the_study(run, monkeypatch):
    tiny = {"data": "embedded", "steps": 2, "width": 4, "batch_size": 8}
    monkeypatch.setitem(BASES, "fast", dataclasses.replace(FAST, **tiny))
    monkeypatch.setitem(rules.JUDGE_EVERY, "fast", 1)
    for name in ("SAMPLES", "ON_THE_WAY"):
        monkeypatch.setattr(rules, name, 40)
    names = ["as it is", "no batch norm"]
    rows = run("rules", "--only", "base=fast", *names, "--seeds", "0")
    assert [row["variant"] for row in rows] == names
    assert [row["step"] for row in store.read("rules_course")] == ["1", "2"] * 2
    assert float(rows[0]["raw_distance"]) > 100 and rows[0]["note"] == ""
    assert (store.RESULTS / rules.picture_of("no batch norm", "fast", 0)).exists()
    assert rules.tables()["rules_fast"].count("| 1 of 1 |") == 2  # two steps draw one image


def test_a_run_that_diverges_is_a_row(monkeypatch):
    hot = {"data": "embedded", "steps": 4, "width": 4, "batch_size": 8, "learning_rate": 1e10}
    monkeypatch.setitem(BASES, "fast", dataclasses.replace(FAST, **hot))
    monkeypatch.setitem(rules.JUDGE_EVERY, "fast", 4)
    monkeypatch.setattr(rules, "SAMPLES", 40)
    found = rules.execute({"variant": "no batch norm", "base": "fast", "seed": "0"})
    (row,) = found.rows["rules"]
    assert row["note"].startswith("diverged") and row["collapsed"] == row["raw_collapsed"] == "1"
