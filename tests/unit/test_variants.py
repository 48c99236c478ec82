"""The recipe with one thing changed: each surgery does what its name says, and nothing else."""

import dataclasses

import pytest
import torch
from torch import nn

from dcgan_utils.config import preset
from dcgan_utils.data import Images
from dcgan_utils.networks import new_networks
from dcgan_utils.training import Training
from experiments import surgery
from experiments.patients import Patient, fewer
from experiments.rules import PLAN, Run, has_collapsed, left_of, name_of, no_longer_falls
from experiments.variants import BASES, BY_NAME, FAST, LADDER, VARIANTS, config_of, new_training

SMALL = {"width": 4, "batch_size": 8, "steps": 3, "precision": "float32", "device": "cpu"}


def small(name: str, **changes) -> Training:
    pixels = torch.randint(0, 256, (512, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    images = Images(pixels.to(torch.uint8), "random")
    config = config_of(BY_NAME[name], preset("classroom", **(SMALL | changes)), seed=0)
    return new_training(BY_NAME[name], config, images)


def count(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize("name", [v.name for v in VARIANTS])
def test_every_variant_trains(name):
    training = small(name)
    before = [value.clone() for value in training.generator.parameters()]
    training.run()
    assert training.step == 3 and len(training.history) == 3
    moved = [not torch.equal(*pair) for pair in zip(before, training.generator.parameters())]
    assert all(moved)


@pytest.mark.parametrize("name", [v.name for v in VARIANTS if v.name != "as it is"])
def test_every_variant_differs_from_the_recipe(name):
    """In its third step at the latest: a change that changes nothing would fool the table."""
    values = []
    for training in (small("as it is"), small(name)):
        training.run()
        values.append(training.history.rows[:, 2:])  # without step and seconds
    assert torch.equal(*values) == (name == "eval() from step 200")  # nothing before that step


@pytest.mark.parametrize(
    "name", ["max pooling in D", "average pooling in D", "repeated pixels in G"]
)
def test_pooling_and_repeating_keep_sizes_and_parameters(name):
    changed, recipe = small(name), small("as it is")
    assert count(changed.generator) == count(recipe.generator)
    assert count(changed.discriminator) == count(recipe.discriminator)
    assert changed.generator(torch.zeros(2, 100)).shape == (2, 1, 32, 32)
    assert changed.discriminator(torch.zeros(2, 1, 32, 32)).shape == (2,)


def test_average_pooling_is_a_strided_convolution():
    """With a kernel of stride 1 that is padded as the surgery pads: a worked oracle."""
    generator, discriminator = new_networks(
        preset("classroom", width=4), 1, 10, torch.Generator().manual_seed(0)
    )
    first = surgery.pooled(discriminator.main, nn.AvgPool2d)[0]
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    padded = nn.functional.pad(x, (1, 2, 1, 2))  # "same" for a kernel of 4
    weight, bias = discriminator.main[0].weight, discriminator.main[0].bias
    whole = nn.functional.conv2d(padded, weight, bias)
    expected = (
        whole[..., ::2, ::2]
        + whole[..., 1::2, ::2]
        + whole[..., ::2, 1::2]
        + whole[..., 1::2, 1::2]
    ) / 4
    torch.testing.assert_close(first(x), expected)


@pytest.mark.parametrize(
    "name, in_g, in_d",
    [
        ("as it is", 3, 2),
        ("no batch norm in G", 0, 2),
        ("no batch norm in D", 3, 0),
        ("no batch norm", 0, 0),
        ("layer norm in both", 0, 0),
        ("batch norm at G's output", 4, 2),
        ("batch norm at D's input", 3, 3),
    ],
)
def test_batch_norms(name, in_g, in_d):
    training = small(name)
    norms = [
        sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        for network in (training.generator, training.discriminator)
    ]
    assert norms == [in_g, in_d]
    biases = sum(key.endswith("bias") for key in training.generator.state_dict())
    assert biases == (4 if name == "batch norm at G's output" else 3)  # β, or in its place


def test_layer_norm_looks_at_one_image():
    training = small("layer norm in both")
    z = torch.randn(4, 100, generator=torch.Generator().manual_seed(0))
    together, alone = training.generator(z), training.generator(z[:1])
    torch.testing.assert_close(together[:1], alone)


@pytest.mark.parametrize(
    "name, least, most",
    [
        ("sigmoid, data in [0, 1]", 0.0, 1.0),
        ("Tanh, data in [0, 1]", 0.0, 1.0),
        ("mean 0.1307, std 0.3081", -0.1307 / 0.3081, (1 - 0.1307) / 0.3081),
    ],
)
def test_d_sees_the_range_that_the_name_says(name, least, most):
    training = small(name)
    shown = training.discriminator.main[0](torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(shown, torch.tensor([least, most]))
    z = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    made = training.generator.main[:-1](z[:, :, None, None])  # before it is brought to [-1, 1]
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


@pytest.mark.parametrize("name", [v.name for v in VARIANTS])
def test_weights_follow_from_the_seed_alone(name):
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)  # the global state, which nothing may draw from
        training = small(name)
        networks = (training.generator, training.discriminator)
        states.append([value.clone() for n in networks for value in n.state_dict().values()])
    assert all(map(torch.equal, *states))


def test_without_detach_ds_loss_reaches_g():
    training = small("detach missing", objective="saturating", learning_rate=1e-9)
    training.train_step()
    # G's own gradient is that of -Loss_D's second half, so that together nothing is left
    leftover = max(p.grad.abs().max() for p in training.generator.parameters())
    honest = small("as it is", objective="saturating", learning_rate=1e-9)
    honest.train_step()
    own = max(p.grad.abs().max() for p in honest.generator.parameters())
    assert own > 0 and leftover < 1e-3 * own


def test_one_batch_mixes_the_statistics():
    seen = []
    training = small("real and fake in one batch")
    training.discriminator.main[3].register_forward_hook(
        lambda module, given, _: seen.append(len(given[0]))
    )
    training.train_step()
    assert seen == [16, 16]


def test_eval_from_step_200():
    training = small("eval() from step 200")
    training.step = 199
    training.train_step()
    assert training.generator.training
    training.train_step()
    assert not training.generator.training and not training.discriminator.training


def test_settings_follow_the_base():
    published = BASES["published"]
    assert config_of(BY_NAME["rate × 4"], published, 0).learning_rate == pytest.approx(0.0008)
    assert config_of(BY_NAME["rate ÷ 4"], BASES["fast"], 0).learning_rate == pytest.approx(0.00125)
    assert config_of(BY_NAME["the other z"], published, 0).latent == "normal"
    assert config_of(BY_NAME["the other z"], BASES["fast"], 3).seed == 3


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
    assert not no_longer_falls([100.0, 96.0, 96.0])  # nothing to compare with
    assert no_longer_falls([100.0, 96.0, 97.0, 96.0])
    assert not no_longer_falls([100.0, 96.0, 94.0, 96.0])
    assert not no_longer_falls([50.0, 100.0, 96.0, 47.0])
    assert no_longer_falls([50.0, 40.0, 41.0, 39.0, 45.0])


def test_what_is_left():
    here = {"device": "a", "torch": "1"}
    runs = [Run("as it is", "fast", 0), Run("as it is", "fast", 1)]
    rows = [name_of(runs[0]) | here, name_of(runs[1]) | here | {"device": "b"}]
    assert left_of(runs, rows, here) == runs[1:]
    assert len(PLAN) == len(set(PLAN)) == 3 * (len(VARIANTS) + len(LADDER) + 13) + 5
    names = {run.picture.name for run in PLAN}
    assert len(names) == len(PLAN) and all(map(str.isascii, names))


# What is tried against failing


def test_noise_is_added_in_training_alone_and_from_its_own_generator():
    x = torch.zeros(64, 1, 8, 8)
    first, again = (
        surgery.Disturbed(surgery.noise, torch.Generator().manual_seed(0)) for _ in range(2)
    )
    noisy = first(x)
    assert 0.28 < noisy.std() < 0.32
    torch.manual_seed(1)  # the global state, which nothing may draw from
    assert torch.equal(noisy, again(x)) and not torch.equal(noisy, again(x))
    assert torch.equal(first.eval()(x), x)


def test_shift_moves_whole_images_and_lets_gradients_through():
    shift = surgery.Disturbed(surgery.shift, torch.Generator().manual_seed(0))
    x = torch.full((200, 1, 9, 9), -1.0)
    x[:, :, 4, 4] = 1.0
    x.requires_grad_()
    moved = shift(x)
    assert moved.shape == x.shape and (moved.flatten(1).sum(1) == x.flatten(1).sum(1)).all()
    places = (moved[:, 0] == 1).nonzero()[:, 1:] - 4
    assert places.min() == -3 and places.max() == 3  # each way, as far as allowed
    assert len({tuple(place) for place in places.tolist()}) > 30  # of 49
    (gradient,) = torch.autograd.grad(moved[:, :, :, 4].sum(), x)
    assert gradient.sum() > 0
    assert torch.equal(shift.eval()(x), x)


def test_fewer_images_are_shown_as_often():
    images = Images(torch.arange(40, dtype=torch.uint8).reshape(40, 1, 1, 1), "forty", 3)
    few = fewer(images, 8)
    assert len(few) == 8 and len(few) * few.repeats == 40 * 3
    assert few.pixels.flatten().tolist() == list(range(8))
    assert fewer(images, None) is images


def test_a_treatment_changes_the_run_it_is_given_to():
    plain = Patient("D wins late", images=100)
    settings = {"rate ÷ 10": 0.0005, "nothing": 0.005}
    for treatment, rate in settings.items():
        config = dataclasses.replace(plain, treatment=treatment).config
        assert config.learning_rate == pytest.approx(rate) and config.average == 0
    noisy = dataclasses.replace(plain, treatment="noise on D's input").variant
    generator, discriminator = new_networks(
        preset("classroom", width=4), 1, 10, torch.Generator().manual_seed(0)
    )
    noisy.surgery(generator, discriminator, torch.Generator().manual_seed(0))
    assert discriminator.main[0].change is surgery.noise
