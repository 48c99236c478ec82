"""Six changes that must stay small, each made here as a user would make it.

What is added is the code of the change itself: an objective, networks, a data source, a metric,
conditional networks. Nothing in the package is touched for any of them.
"""

import pytest
import torch
from PIL import Image
from torch import nn

from dcgan_utils import judging, runs
from dcgan_utils.config import UserError
from dcgan_utils.data import SOURCES, Images, Source, load_images
from dcgan_utils.drawing import plots
from dcgan_utils.losses import D_WINS, OBJECTIVES, Metric, Objective, Quantity, step_metrics
from dcgan_utils.networks import Discriminator, Generator, initialize_weights, new_networks
from dcgan_utils.runs.progress import describe
from dcgan_utils.runs.results import real_images
from dcgan_utils.sampling import draw_latents, sample, sample_new
from dcgan_utils.training import Training, discriminator_step, generator_step
from dcgan_utils.weights import load_generator


def complete(training, folder):
    return runs.complete(training, folder, lambda report: None)


# 1. Another objective: least squares (Mao et al. 2017)


@pytest.fixture
def least_squares(monkeypatch):
    monkeypatch.setitem(
        OBJECTIVES,
        "least squares",
        lambda config: Objective(
            discriminator_loss=lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(),
            generator_loss=lambda fake: ((fake - 1) ** 2).mean(),
        ),
    )


def test_least_squares_trains_records_and_draws(least_squares, smoke, tmp_path):
    training = runs.create(smoke(objective="least squares"), tmp_path / "run")
    by_hand = runs.load_training(tmp_path / "run" / runs.CHECKPOINT)
    real, _ = by_hand.batches.batch(0)
    with torch.no_grad():
        z = draw_latents(len(real), 100, "normal", by_hand.random)
        says = by_hand.discriminator(real), by_hand.discriminator(by_hand.generator(z))
    complete(training, tmp_path / "run")
    first = training.history.rows[0, 2:].tolist()
    expected = ((says[0] - 1) ** 2).mean() + (says[1] ** 2).mean()
    assert first[0] == pytest.approx(expected.item(), abs=1e-5)
    assert first[2] == pytest.approx(says[0].mean().item(), abs=1e-5), "the output, not a sigmoid"
    assert plots.loss_curves(training.history).get_ylabel() == "loss"
    assert plots.score_curves(training.history).get_ylabel() == "mean output of D"


def test_an_objective_that_is_not_there_is_named(smoke, tmp_path):
    with pytest.raises(UserError, match="nobody's.*non-saturating, saturating"):
        runs.create(smoke(objective="nobody's"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


# 2. One that clips D's weights, lets D take three steps, and has a health of its own:
#    Wasserstein (Arjovsky et al. 2017)


WRONG_WAY = "The gap is the wrong way."


def clip(discriminator):
    for parameter in discriminator.parameters():
        parameter.data.clamp_(-0.01, 0.01)


def wasserstein(config):
    gap, *others = step_metrics(Quantity("loss"), Quantity("mean of D"), ("critic of x", "of G(z)"))
    gap = Metric(
        "loss_d", "−gap", gap.quantity, gap.color, (-100.0, 0.5), "The gap is the wrong way."
    )
    return Objective(
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake: -fake.mean(),
        metrics=(gap, *others),
        steps_of_d=3,
        constrain=clip,
    )


def test_wasserstein_clips_steps_three_times_and_names_its_metrics(monkeypatch, smoke):
    monkeypatch.setitem(OBJECTIVES, "wasserstein", wasserstein)
    config = smoke(objective="wasserstein", steps=30)
    training, reports = Training(config, load_images(config)), []
    before = training.generator.main[0].weight.clone()
    training.train_step()
    counts = [
        next(iter(optimizer.state.values()))["step"].item()
        for optimizer in (training.optimizers["discriminator"], training.optimizers["generator"])
    ]
    assert counts == [3, 1]
    assert not torch.equal(before, training.generator.main[0].weight)
    assert max(p.abs().max() for p in training.discriminator.parameters()) <= 0.01
    training.run(reports.append)
    line = describe(reports[-1].metrics, training.objective.metrics)
    assert line.startswith("−gap ") and "critic of x " in line and "of G(z) " in line
    curves = plots.score_curves(training.history).get_legend_handles_labels()[1]
    assert curves == ["critic of x", "of G(z) before D's step", "of G(z) after"]


def test_health_is_that_of_the_objective(monkeypatch, smoke):
    """The usual advice is silent; the objective's own comes when its range is left."""
    monkeypatch.setitem(OBJECTIVES, "wasserstein", wasserstein)
    monkeypatch.setattr("dcgan_utils.training.loop.REPORT_EVERY", 1)
    config, told = smoke(objective="wasserstein", steps=12), []
    training = Training(config, load_images(config))
    training.objective = Objective(
        lambda real, fake: 1 + 0 * real.mean(),
        lambda fake: -fake.mean(),
        metrics=training.objective.metrics,
    )
    training.run(lambda report: told.extend(report.warnings))
    assert WRONG_WAY in told and D_WINS not in told


# 3. Networks with a rule taken out: no batch norm in D


def without_batch_norm_in_d(config):
    generator, discriminator = new_networks(config, 1, 10, torch.Generator().manual_seed(0))
    for place, layer in enumerate(discriminator.main):
        if isinstance(layer, nn.BatchNorm2d):
            discriminator.main[place] = nn.Identity()
    return generator, discriminator


def test_networks_without_batch_norm_are_trained_as_they_are(smoke):
    config = smoke(steps=3)
    images = load_images(config)
    generator, discriminator = without_batch_norm_in_d(config)
    first = discriminator.main[0].weight.clone()
    training = Training(config, images, generator, discriminator)
    assert training.discriminator is discriminator
    assert torch.equal(discriminator.main[0].weight, first), "not initialized anew"
    training.run()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in training.discriminator.modules())
    assert not torch.equal(discriminator.main[0].weight, first)


def test_a_run_of_own_networks_goes_on_with_the_same_ones_only(smoke):
    config = smoke(steps=6)
    images = load_images(config)
    whole, part = (Training(config, images, *without_batch_norm_in_d(config)) for _ in range(2))
    whole.run()
    part.run(steps=3)
    resumed = Training(config, images, *without_batch_norm_in_d(config))
    resumed.load_state_dict(part.state_dict())
    resumed.run()
    for ours, theirs in zip(resumed.discriminator.parameters(), whole.discriminator.parameters()):
        assert torch.equal(ours, theirs)
    with pytest.raises(UserError, match="networks of its own"):
        Training(config, images).load_state_dict(part.state_dict())


# 4. A third data source, with labels


@pytest.fixture
def stripes(monkeypatch):
    """48 images of stripes, even ones upright and odd ones level."""
    upright = torch.zeros(1, 28, 28, dtype=torch.uint8)
    upright[..., ::4] = 255
    pixels = torch.stack([upright, upright.mT] * 24)
    labels = torch.arange(48) % 2
    images = Images(pixels, "stripes", labels=labels, classes=("upright", "level"))
    monkeypatch.setitem(SOURCES, "stripes", Source("stripes", lambda: images))


def test_a_third_source_trains_with_its_labels_and_is_not_judged(stripes, smoke, tmp_path):
    training = runs.create(smoke(data="stripes", steps=2), tmp_path / "run")
    images, labels = training.batches.batch(0)
    level = images[:, 0].std(dim=1).mean(1) > images[:, 0].std(dim=2).mean(1)
    assert torch.equal(level.long(), labels), "each label belongs to its image"
    assert complete(training, tmp_path / "run")["data"] == "stripes"
    with pytest.raises(UserError, match="knows digits only.*stripes"):
        runs.judge_run(tmp_path / "run", 1000)


# 5. A metric added to the report, nothing retrained


@pytest.mark.slow
def test_a_metric_is_one_function_and_one_row(monkeypatch):
    reference, before = judging.stored_reference(), judging.METRICS.copy()
    generator = Generator(32, 1, 10, 4)
    initialize_weights(generator, torch.Generator().manual_seed(0))
    pixels = sample_new(generator, 1000, "normal")
    monkeypatch.setattr(judging.load_classifier(), "train", lambda *_: pytest.fail("retrained"))
    share = judging.SampleMetric(
        "share of threes", lambda seen, _: judging.class_shares(seen.probabilities)[3]
    )
    monkeypatch.setitem(judging.METRICS, "threes", share)
    verdict = judging.judge_samples(pixels, "pad", reference)
    assert verdict["real digits"].keys() == {*before, "threes"}
    true_share = 1010 / 10_000  # of MNIST's test digits, 1,010 are threes
    assert verdict["real digits"]["threes"]["value"] == pytest.approx(true_share, abs=0.002)
    assert "| share of threes |" in judging.table(verdict, reference)
    stored = judging.stored_facts()["rows"]["real digits"]["distance"]
    assert verdict["real digits"]["distance"] == stored, "the others are not measured again"


# 6. Conditional networks through the two steps, and through a whole run


def test_conditional_networks_through_the_two_steps():
    """Real images are black or white, as their label says; G's own z does not tell which."""
    random = torch.Generator().manual_seed(0)
    generator, discriminator = Generator(16, 1, 8, 4, classes=2), Discriminator(16, 1, 4, classes=2)
    for network in (generator, discriminator):
        initialize_weights(network, random, 0.1)
    optimizers = [torch.optim.Adam(n.parameters(), 0.002) for n in (generator, discriminator)]
    labels = torch.arange(32) % 2
    real = (labels * 2.0 - 1).reshape(-1, 1, 1, 1).expand(-1, 1, 16, 16)  # black 0s, white 1s
    for _ in range(150):
        fake = generator(draw_latents(32, 8, "normal", random), labels)
        discriminator_step(discriminator, optimizers[1], real, fake, labels)
        generator_step(generator, discriminator, optimizers[0], fake, labels)
    drawn = generator(draw_latents(32, 8, "normal", random), labels).mean(dim=(1, 2, 3))
    assert drawn[labels == 1].min() - drawn[labels == 0].max() > 0.3, "G obeys its labels"


def test_a_conditional_run_draws_a_row_for_each_class_and_from_its_file_alone(smoke, tmp_path):
    config = smoke(conditional=True, average=0.9, steps=4, samples=25)
    training = runs.create(config, tmp_path / "run")
    complete(training, tmp_path / "run")
    assert training.fixed_labels.tolist() == [digit for digit in range(10) for _ in range(2)]
    assert (training.fixed_latents[:2] == training.fixed_latents[-2:]).all(), "one z a column"
    assert not (training.fixed_latents[0] == training.fixed_latents[1]).any()
    assert training.frames[4].shape == (20, 1, 16, 16)
    real = real_images(training)
    for label, image in zip(training.fixed_labels, real):
        of_class = training.images.pixels[training.images.labels == label]
        assert (of_class == image).flatten(1).all(1).any()
    with Image.open(tmp_path / "run" / "animation.png") as picture:
        assert picture.width < picture.height, "2 columns, 10 rows"
    generator = load_generator(tmp_path / "run" / "G.pth")
    assert generator.classes == 10 and generator.latent_size == 100
    z = draw_latents(3, 100, "normal", torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (generator(z, torch.full((3,), digit)) for digit in (1, 8))
    assert not torch.allclose(one, other)
    with pytest.raises(UserError, match="one label"):
        generator(z)
    for digit, name in ((8, "8.png"), (None, "all.png")):
        runs.write_samples(tmp_path / "run", tmp_path / name, 9, 0, digit)
    z = draw_latents(9, 100, "normal", torch.Generator().manual_seed(0))
    eights = plots.mosaic_png(sample(generator, z, torch.full((9,), 8)))
    assert (tmp_path / "8.png").read_bytes() == eights != (tmp_path / "all.png").read_bytes()
    with pytest.raises(UserError, match="digit is 10; allowed: 0 to 9"):
        runs.write_samples(tmp_path / "run", tmp_path / "10.png", 9, 0, 10)
    judgment = runs.judge_run(tmp_path / "run", 1000)
    assert 0 <= judgment.content["obeyed"] <= 1 and "as asked" in judgment.line
    assert complete(runs.reopen(tmp_path / "run"), tmp_path / "run")["steps"] == 4
