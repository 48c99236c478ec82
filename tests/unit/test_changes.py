"""Changes that must stay small, each made here as a user would make it, from outside."""

import copy
import dataclasses

import pytest
import torch
from PIL import Image
from several import assert_identical, complete, reopen, state_of, training_of
from torch import nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_utils import runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import PRESETS, UserError, preset
from dcgan_utils.data import SOURCES, Images, Source
from dcgan_utils.device import runs_bf16
from dcgan_utils.losses import D_WINS, OBJECTIVES, Objective, Range, non_saturating
from dcgan_utils.networks import Discriminator, initialize_weights, new_networks
from dcgan_utils.training import Training, discriminator_step


def slopes(discriminate, images):
    """Return the squared norm of D's gradient at each image, (B,), differentiable."""
    images = images.detach().requires_grad_()
    says = discriminate(images).sum()
    return torch.autograd.grad(says, images, create_graph=True)[0].square().sum((1, 2, 3))


def r1(config):
    """Mescheder et al. (2018), arXiv:1801.04406: γ/2 E|∇D(x)|², with γ = 0.1, each fourth step."""
    return dataclasses.replace(
        non_saturating(config),
        penalty=lambda d, real, fake, random: 0.05 * slopes(d, real).mean(),
        penalty_every=4,
        reports={"gap": lambda real, fake: (real - fake).mean()},
    )


def r3gan(config):
    """Jolicoeur-Martineau (2018), arXiv:1807.00734, with R1 and R2: each image beside another."""
    return Objective(
        lambda real, fake: softplus(fake - real).mean(),
        lambda fake, real: softplus(real - fake).mean(),
        relativistic=True,
        penalty=lambda d, real, fake, _: 0.05 * (slopes(d, real) + slopes(d, fake)).mean(),
    )


def wgan(config):
    """Arjovsky et al. (2017), arXiv:1701.07875, who clip D's weights after each of its steps.

    And the penalty of Gulrajani et al. (2017), arXiv:1704.00028.
    """

    def penalty(discriminate, real, fake, random):
        share = torch.rand(len(real), 1, 1, 1, generator=random, device=random.device)
        between = share * real + (1 - share) * fake
        return 10 * (slopes(discriminate, between).sqrt() - 1).square().mean()

    return Objective(
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake: -fake.mean(),
        penalty=penalty,
        steps_of_d=3,
        constrain=lambda d: [p.data.clamp_(-0.01, 0.01) for p in d.parameters()],
        healthy={"loss_d": Range(1.0, 2.0, "The gap is the wrong way.")},
    )


@pytest.fixture(autouse=True)
def objectives(monkeypatch):
    for objective in (r1, r3gan, wgan):
        monkeypatch.setitem(OBJECTIVES, objective.__name__, objective)


@pytest.mark.parametrize("name", ["r1", "r3gan", "wgan"])
def test_an_objective_trains_and_resumes(new_training, tmp_path, name):
    """One of them with spectral norm in D, and in bf16 where it runs."""
    more = name == "r3gan"
    precision = "bf16" if more and runs_bf16() else "float32"
    changes = {"objective": name, "precision": precision, "spectral_norm": more, "batch_size": 16}
    whole, part = (new_training(steps=5, **changes) for _ in range(2))
    whole.run()
    part.run(steps=3)
    runs.save_training(tmp_path / "checkpoint.pt", part)
    resumed = runs.load_training(tmp_path / "checkpoint.pt")
    resumed.run()
    assert_identical(state_of(whole), state_of(resumed))
    if name == "r1":
        assert whole.history["penalty"].isfinite().nonzero().flatten().tolist() == [0, 4]
        assert whole.history["gap"].isfinite().all()
    else:
        assert (whole.history["penalty"] > 0).all()


@pytest.mark.parametrize(("penalized", "weight"), [(True, 4), (False, 0)])
def test_a_penalty_stands_for_the_steps_that_go_without(penalized, weight):
    """The gradient is that of Loss_D + weight · penalty."""
    random = torch.Generator().manual_seed(0)
    discriminator = Discriminator(16, 1, 4)
    initialize_weights(discriminator, random, 0.1)
    real, fake = (torch.rand(6, 1, 16, 16, generator=random) * 2 - 1 for _ in range(2))
    penalty = 0.05 * slopes(discriminator, real).mean()
    loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake)).mean()
    weights = list(discriminator.parameters())
    gradients = torch.autograd.grad(loss + weight * penalty, weights)
    given = discriminator, torch.optim.SGD(weights, 0.0), real, fake
    options = {"objective": r1(preset("smoke")), "penalized": penalized, "random": random}
    reported = discriminator_step(*given, **options)
    assert reported.get("penalty") == (pytest.approx(penalty.item(), 1e-4) if penalized else None)
    torch.testing.assert_close([p.grad for p in weights], list(gradients), rtol=1e-3, atol=1e-5)


def test_a_relativistic_objective_compares_real_with_generated_in_both_steps(new_training):
    training = new_training(objective="r3gan")
    before = copy.deepcopy(training.discriminator)
    values, real, fake = training.train_step()
    for name, network, sign in (("loss_d", before, -1), ("loss_g", training.discriminator, 1)):
        expected = (1 + (sign * (network(real) - network(fake))).exp()).log().mean()
        assert values[name].item() == pytest.approx(expected.item(), abs=1e-5)


def test_an_objective_may_clip_step_thrice_and_have_its_own_health(new_training, monkeypatch):
    monkeypatch.setattr("dcgan_utils.training.REPORT_EVERY", 1)
    training, told = new_training(objective="wgan", steps=6), []
    training.run(lambda report: told.extend(report.warnings))
    assert told == ["The gap is the wrong way."] and D_WINS not in told
    steps = [next(iter(o.state.values()))["step"].item() for o in training.optimizers.values()]
    assert steps == [6, 18]  # of the generator, of the discriminator
    assert max(p.abs().max() for p in training.discriminator.parameters()) <= 0.01


def test_own_networks_train_as_they_are_and_resume(new_training, tmp_path):
    """Without batch norm in D, and with spectral norm by PyTorch's own surgery."""
    plain = new_training(steps=4)

    def own():
        pair = new_networks(plain.config, 1, 10, torch.Generator().manual_seed(0))
        for place, layer in enumerate(pair[1].main):
            pair[1].main[place] = nn.Identity() if isinstance(layer, nn.BatchNorm2d) else layer
        pair[1].apply(lambda m: spectral_norm(m) if isinstance(m, nn.Conv2d) else m)
        initialize_weights(pair[1], torch.Generator().manual_seed(0))
        return pair

    given = own()
    whole, part = (Training(plain.config, plain.images, *pair) for pair in (given, own()))
    assert (whole.generator, whole.discriminator) == given, "not replaced"
    assert_identical(dict(whole.discriminator.state_dict()), dict(own()[1].state_dict()))
    whole.run()
    part.run(steps=2)
    runs.save_training(tmp_path / runs.CHECKPOINT, part)
    with pytest.raises(UserError, match="networks of its own"):
        reopen(tmp_path)
    generator, discriminator = own()
    resumed = reopen(tmp_path, generator=generator, discriminator=discriminator)
    resumed.run()
    assert_identical(state_of(whole), state_of(resumed))


def test_a_data_set_is_one_entry(monkeypatch, smoke, tmp_path, capsys):
    images = Images(torch.randint(0, 256, (48, 3, 28, 28), dtype=torch.uint8), "colors")
    monkeypatch.setitem(SOURCES, "colors", Source(load=lambda: images))
    folder = runs.create(training_of(smoke(data="colors", steps=2)), tmp_path / "run")
    assert complete(reopen(folder), folder)["data"] == "colors"
    runs.write_samples(folder, tmp_path / "samples.png", 4)
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.mode == "RGB"
    assert main(["judge", str(folder)]) == 2
    assert "gray digits only" in capsys.readouterr().err


def test_a_preset_is_one_entry(monkeypatch, tmp_path):
    tiny = dataclasses.replace(PRESETS["smoke"], data="embedded", steps=1, width=2)
    monkeypatch.setitem(PRESETS, "tiny", tiny)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--preset", "tiny", "--judge", "0"]) == 0
    assert reopen(tmp_path / "runs" / "tiny-1").config.width == 2
