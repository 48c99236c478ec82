"""Changes that must stay small, each made here as a user would make it, from outside.

What is added is the code of the change itself: objectives with gradient penalties, spectral norm,
a data set, a metric, networks with a rule broken, a preset. Nothing in the package is touched.
"""

import copy
import dataclasses
import io
import re

import pytest
import torch
from several import reopen
from torch import nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_utils import judging, plots, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import PRESETS, UserError, preset
from dcgan_utils.data import SOURCES, Images, Source, load_images
from dcgan_utils.device import runs_bf16
from dcgan_utils.history import History
from dcgan_utils.losses import D_WINS, OBJECTIVES, Objective, Range, non_saturating
from dcgan_utils.networks import Discriminator, Generator, initialize_weights, new_networks
from dcgan_utils.progress import NotebookProgress, TerminalProgress
from dcgan_utils.sampling import sample_new
from dcgan_utils.training import Training, discriminator_step

# Objectives


def slopes(discriminate, images):
    """Return the squared norm of D's gradient at each image, (B,), differentiable."""
    images = images.detach().requires_grad_()
    says = discriminate(images).sum()
    return torch.autograd.grad(says, images, create_graph=True)[0].square().sum((1, 2, 3))


def r1(config):
    """Mescheder et al. (2018), arXiv:1801.04406: γ/2 E|∇D(x)|², with γ = 0.1."""
    return dataclasses.replace(
        non_saturating(config),
        penalty=lambda d, real, fake, random: 0.05 * slopes(d, real).mean(),
        reports={"gap": lambda real, fake: (real - fake).mean()},
    )


def lazy_r1(config):
    return dataclasses.replace(r1(config), penalty_every=4)


def r3gan(config):
    """Jolicoeur-Martineau (2018), arXiv:1807.00734, with R1 and R2: each image beside another."""
    return Objective(
        lambda real, fake: softplus(fake - real).mean(),
        lambda fake, real: softplus(real - fake).mean(),
        relativistic=True,
        penalty=lambda d, real, fake, _: 0.05 * (slopes(d, real) + slopes(d, fake)).mean(),
    )


def wgan_gp(config):
    """Gulrajani et al. (2017), arXiv:1704.00028."""

    def penalty(discriminate, real, fake, random):
        share = torch.rand(len(real), 1, 1, 1, generator=random, device=random.device)
        between = share * real + (1 - share) * fake
        return 10 * (slopes(discriminate, between).sqrt() - 1).square().mean()

    return Objective(
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake: -fake.mean(),
        penalty=penalty,
        steps_of_d=5,
    )


def clipped(config):
    """Arjovsky et al. (2017), arXiv:1701.07875; D's weights are clipped after each of its steps."""
    return Objective(
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake: -fake.mean(),
        steps_of_d=3,
        constrain=lambda d: [p.data.clamp_(-0.01, 0.01) for p in d.parameters()],
        healthy={"loss_d": Range(1.0, 2.0, "The gap is the wrong way.")},
    )


@pytest.fixture(autouse=True)
def objectives(monkeypatch):
    for objective in (r1, lazy_r1, r3gan, wgan_gp, clipped):
        monkeypatch.setitem(OBJECTIVES, objective.__name__, objective)


def state_of(training):
    both = (training.generator, training.discriminator)
    weights = [value for network in both for value in network.state_dict().values()]
    return [*weights, training.random.get_state(), training.history.rows[:, 2:].nan_to_num(-99)]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("name", ["r1", "lazy_r1", "r3gan", "wgan_gp", "clipped"])
def test_an_objective_trains_and_resumes(new_training, tmp_path, name, precision, spectral):
    if precision == "bf16" and not runs_bf16():
        pytest.skip("this processor does not run bf16")
    settings = {"objective": name, "precision": precision, "spectral_norm": spectral, "steps": 6}
    whole, part = (new_training(device="cpu", **settings) for _ in range(2))
    whole.run()
    torch.manual_seed(123)
    part.run(steps=3)
    runs.save_training(tmp_path / "checkpoint.pt", part)
    resumed = runs.load_training(tmp_path / "checkpoint.pt")
    resumed.run()
    assert all(map(torch.equal, state_of(whole), state_of(resumed)))
    assert all(value.isfinite().all() for value in state_of(whole))
    if name == "lazy_r1":
        assert whole.history["penalty"].isfinite().nonzero().flatten().tolist() == [0, 4]
    elif name != "clipped":
        assert (whole.history["penalty"] > 0).all()


def by_hand(discriminator, real, fake, weight):
    """Return the penalty and D's gradient of Loss_D + weight · penalty, in double precision.

    The penalty is that of `r1`, by the whole Jacobian of D's outputs.
    """
    d = copy.deepcopy(discriminator).double()
    real, fake = real.double(), fake.double()
    jacobian = torch.autograd.functional.jacobian(d, real, create_graph=True)  # (B, B, C, S, S)
    penalty = 0.05 * (jacobian.sum(0) ** 2).sum() / len(real)
    loss = -torch.sigmoid(d(real)).log().mean() - (1 - torch.sigmoid(d(fake))).log().mean()
    return penalty, torch.autograd.grad(loss + weight * penalty, list(d.parameters()))


@pytest.mark.parametrize(
    ("objective", "penalized", "weight"), [(r1, True, 1), (lazy_r1, True, 4), (lazy_r1, False, 0)]
)
def test_r1_agrees_with_an_independent_computation(objective, penalized, weight):
    random = torch.Generator().manual_seed(0)
    discriminator = Discriminator(16, 1, 4)
    initialize_weights(discriminator, random, 0.1)
    real, fake = (torch.rand(6, 1, 16, 16, generator=random) * 2 - 1 for _ in range(2))
    penalty, gradients = by_hand(discriminator, real, fake, weight)
    reported = discriminator_step(
        discriminator,
        torch.optim.SGD(discriminator.parameters(), 0.0),
        real,
        fake,
        objective=objective(preset("smoke")),
        penalized=penalized,
        random=random,
    )
    assert reported.get("penalty") == (pytest.approx(penalty.item(), 1e-4) if penalized else None)
    for parameter, expected in zip(discriminator.parameters(), gradients):
        error = (parameter.grad - expected).abs().max() / expected.abs().max()
        assert error < 1e-3


def test_a_penalty_draws_new_numbers_each_time(new_training):
    training = new_training(device="cpu")
    training.objective = dataclasses.replace(
        training.objective, penalty=lambda d, real, fake, random: torch.rand((), generator=random)
    )
    assert len({training.train_step()[0]["penalty"].item() for _ in range(3)}) == 3


def test_a_relativistic_objective_compares_real_with_generated_in_both_steps(new_training):
    training = new_training(objective="r3gan", device="cpu")
    before = copy.deepcopy(training.discriminator)
    values, real, fake = training.train_step()
    for name, network, sign in (("loss_d", before, -1), ("loss_g", training.discriminator, 1)):
        expected = (1 + (sign * (network(real) - network(fake))).exp()).log().mean()
        assert values[name].item() == pytest.approx(expected.item(), abs=1e-5)


def test_an_objective_may_clip_step_three_times_and_have_a_health_of_its_own(
    new_training, monkeypatch
):
    monkeypatch.setattr("dcgan_utils.training.REPORT_EVERY", 1)
    training, told = new_training(objective="clipped", steps=6), []
    training.run(lambda report: told.extend(report.warnings))
    assert told == ["The gap is the wrong way."] and D_WINS not in told
    steps = [next(iter(o.state.values()))["step"].item() for o in training.optimizers.values()]
    assert steps == [6, 18]  # of the generator, of the discriminator
    assert max(p.abs().max() for p in training.discriminator.parameters()) <= 0.01


def test_many_steps_of_d_in_a_short_run_are_one_step(smoke):
    images = Images(torch.zeros(64, 1, 16, 16, dtype=torch.uint8), "64 images")
    config = smoke(objective="wgan_gp", batch_size=32, steps=None, epochs=1)
    assert Training(config, images).total == 1


@pytest.mark.parametrize("name", ["lazy_r1", "clipped"])
def test_what_an_objective_reports_is_shown_everywhere(new_training, tmp_path, name, monkeypatch):
    monkeypatch.setattr("dcgan_utils.progress.SECONDS", 0)
    more = ["gap", "penalty"] if name == "lazy_r1" else []
    training, stream = new_training(objective=name, steps=26), io.StringIO()
    folder = runs.create(training, tmp_path / "run")
    with TerminalProgress(training, stream) as terminal, NotebookProgress(training) as notebook:
        runs.complete(training, folder, lambda report: terminal(report) or notebook(report))
    usual = ["loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after"]
    assert sorted(training.history.names) == sorted(usual + more)
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    assert header.split(",") == list(training.history.columns) and len(rows) == 26
    losses = plots.loss_curves(training.history)
    labels = losses.get_legend_handles_labels()[1]
    assert losses.get_ylabel() == ("loss [nats]" if training.history.probability else "loss")
    assert labels[: 2 + len(more)] == ["Loss_D", "Loss_G", *more]
    assert all(word in stream.getvalue() for word in ("Loss_D", "D(x)", *more))
    assert re.search(r"D\(G\(z\)\) -?\d\.\d\d/-?\d\.\d\d ", stream.getvalue()), "both in one"


@pytest.mark.filterwarnings("error::UserWarning")
def test_fewer_numbers_are_drawn_as_well(new_training):
    training = new_training(steps=2)
    training.run()
    training.history = History(False, ("step", "seconds", "loss_d"), training.history.rows[:, :3])
    with NotebookProgress(training):
        pass
    assert plots.loss_curves(training.history).get_legend_handles_labels()[1] == ["Loss_D"]
    assert plots.score_curves(training.history).get_legend_handles_labels()[1] == []


def test_an_objective_that_is_not_there_is_named(new_training):
    with pytest.raises(UserError, match="nobody's.*non-saturating, saturating"):
        new_training(objective="nobody's")


# Networks with a rule broken, spectral norm among them


def without_batch_norm(config, random):
    generator, discriminator = new_networks(config, 1, 10, random)
    for place, layer in enumerate(discriminator.main):
        if isinstance(layer, nn.BatchNorm2d):
            discriminator.main[place] = nn.Identity()
    return generator, discriminator


def with_spectral_norm(config, random):
    generator, discriminator = new_networks(config, 1, 10, random)
    discriminator.apply(lambda m: spectral_norm(m) if isinstance(m, nn.Conv2d) else m)
    initialize_weights(discriminator, random)
    return generator, discriminator


@pytest.mark.parametrize("change", [without_batch_norm, with_spectral_norm])
def test_own_networks_train_as_they_are_and_resume(smoke, change, tmp_path):
    config = smoke(steps=6, device="cpu")
    images = load_images(config)
    pairs = [change(config, torch.Generator().manual_seed(0)) for _ in range(3)]
    whole, part = (Training(config, images, *pair) for pair in pairs[:2])
    assert (whole.generator, whole.discriminator) == pairs[0], "not replaced"
    expected = change(config, torch.Generator().manual_seed(0))[1].state_dict().values()
    assert all(map(torch.equal, whole.discriminator.state_dict().values(), expected))
    runs.create(part, tmp_path / "run")
    whole.run()
    part.run(steps=3)
    runs.save_training(tmp_path / "run" / runs.CHECKPOINT, part)
    with pytest.raises(UserError, match="networks of its own"):
        reopen(tmp_path / "run")
    resumed = reopen(tmp_path / "run", generator=pairs[2][0], discriminator=pairs[2][1])
    resumed.run()
    assert all(map(torch.equal, state_of(whole), state_of(resumed)))


# Data, a metric, a preset


@pytest.mark.parametrize("channels", [1, 3], ids=["gray", "color"])
def test_a_data_set_is_one_entry(monkeypatch, smoke, tmp_path, channels, capsys):
    """48 images of stripes, even ones upright and odd ones level."""
    upright = torch.zeros(channels, 28, 28, dtype=torch.uint8)
    upright[..., ::4] = 255
    pixels, labels = torch.stack([upright, upright.mT] * 24), torch.arange(48) % 2
    images = Images(pixels, "stripes", labels=labels, classes=("upright", "level"))
    monkeypatch.setitem(SOURCES, "stripes", Source(load=lambda: images))
    config = smoke(data="stripes", steps=2)
    training = Training(config, load_images(config))
    shown, known = training.batches.batch(0)
    assert shown.shape[1] == training.config.channels == channels
    level = shown[:, 0].std(dim=1).mean(1) > shown[:, 0].std(dim=2).mean(1)
    assert torch.equal(level.long(), known), "each label belongs to its image"
    folder = runs.create(training, tmp_path / "run")
    assert runs.complete(training, folder, lambda report: None)["data"] == "stripes"
    assert main(["resume", str(folder), "--steps", "3"]) == 0
    assert main(["judge", str(folder)]) == 2
    assert all("knows gray digits only" in said for said in capsys.readouterr())


@pytest.mark.slow
def test_a_metric_is_one_function_and_one_row(monkeypatch):
    reference, before = judging.stored_reference(), judging.METRICS.copy()
    generator = Generator(32, 1, 10, 4)
    initialize_weights(generator, torch.Generator().manual_seed(0))
    pixels = sample_new(generator, 1000, "normal")
    monkeypatch.setattr(judging.load_classifier(), "train", lambda *_: pytest.fail("retrained"))
    share = judging.Metric("share of threes", lambda seen, _: seen.shares[3])
    monkeypatch.setitem(judging.METRICS, "threes", share)
    verdict = judging.judge_samples(pixels, "pad", reference)
    assert verdict["real digits"].keys() == {*before, "threes"}
    true_share = 1010 / 10_000  # of MNIST's test digits, 1,010 are threes
    assert verdict["real digits"]["threes"]["value"] == pytest.approx(true_share, abs=0.002)
    assert "| share of threes |" in judging.table(verdict, reference)


def test_a_preset_is_one_entry(monkeypatch, tmp_path):
    tiny = dataclasses.replace(PRESETS["smoke"], data="embedded", steps=1, width=2)
    monkeypatch.setitem(PRESETS, "tiny", tiny)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--preset", "tiny", "--judge", "0"]) == 0
    assert reopen(tmp_path / "runs" / "tiny-1").config.width == 2
