"""What came after DCGAN: each penalty and loss by hand, each idea trains, rates chosen by rows."""

import copy
import dataclasses

import pytest
import torch

from dcgan_utils.config import Config, UserError, preset
from dcgan_utils.data import load_images
from dcgan_utils.losses import OBJECTIVES
from dcgan_utils.training import Training
from experiments import store
from experiments.studies import modern, rules
from experiments.training_variants import one_centered, zero_centered

TINY = {"data": "embedded", "steps": 3, "width": 4, "batch_size": 8, "precision": "float32"}


@pytest.fixture
def training_of(monkeypatch):
    monkeypatch.setattr(modern, "FAST", dataclasses.replace(modern.FAST, **TINY))
    return lambda name, **cells: modern.training_of(modern.PLAN[0] | {"idea": name, **cells})


def test_penalties_by_hand():
    """½‖x‖² has the slope x, of squared length 25 and 0 here, 2 and 2 there; a line has its own."""
    real, fake = torch.tensor([[3.0, 4.0], [0.0, 0.0]])[:, None, None], torch.ones(2, 1, 1, 2)
    for places, mean in (({}, 12.5), ({"real": False, "fake": True}, 2), ({"fake": True}, 14.5)):
        penalty = zero_centered(0.1, **places)
        found = penalty(lambda x: x.square().sum((1, 2, 3)) / 2, real, fake, None)
        assert found.item() == pytest.approx(0.05 * mean)
    found = one_centered(lambda x: (2 * x).sum((1, 2, 3)), real, fake, torch.Generator())
    assert found.item() == pytest.approx(10 * (8**0.5 - 1) ** 2)


def test_losses_by_hand():
    real, fake = torch.tensor([0.5, 3.0]), torch.tensor([-2.0, 0.0], requires_grad=True)
    hinge, pairing = (OBJECTIVES[name](Config()) for name in ("hinge", "relativistic"))
    assert hinge.discriminator_loss(real, fake).item() == (0.5 + 0) / 2 + (0 + 1) / 2
    assert hinge.generator_loss(fake).item() == 1.0
    mean = (torch.tensor([-2.5, -3.0]).exp() + 1).log().mean()
    assert pairing.discriminator_loss(real, fake).item() == pytest.approx(mean.item())
    (slope,) = torch.autograd.grad(pairing.generator_loss(fake, fake.detach()), fake)
    assert slope.tolist() == [-0.25, -0.25]  # where both are equal: -σ(0), halved by the mean


def test_every_idea_trains_and_differs_from_the_others(training_of):
    seen = set()
    for name in modern.IDEAS:
        training = training_of(name)
        training.run()
        seen.add(tuple(p.sum().item() for p in training.generator.parameters()))
    assert len(seen) == len(modern.IDEAS)
    rates = [o.param_groups[0]["lr"] for o in training_of("D's rate × 4").optimizers.values()]
    assert rates == [0.00025, 0.001]  # of G, of D


def test_an_idea_and_a_change_are_both_made(training_of):
    run = training_of(modern.BARE[0], change="no batch norm in G, He", part="long")
    norms = [type(m) for n in (run.generator, run.discriminator) for m in n.modules()]
    assert torch.nn.BatchNorm2d not in norms and run.objective.penalty_every == 4
    assert run.config.steps == 4200 and run.config.learning_rate == 0.00025
    lazy = training_of(modern.EVERY_16, part="embedded long")
    assert lazy.config.steps == 3990 and lazy.objective.penalty_every == 16
    hot = training_of("R1", change="rate × 4", rate="1/2").config
    assert hot.learning_rate == 0.01 and hot.objective == "R1"


def test_the_preset_is_the_run_that_was_judged():
    """classroom-r1 has the rate that the search chose, and the study's steps and penalty."""
    key = {"part": "equal time", "idea": modern.EVERY_16, "rate": "chosen", "seed": "3"}
    judged = modern.training_of(key | {"change": "as it is"}, preset("classroom", data="embedded"))
    config = preset("classroom-r1", data="embedded", seed=3)
    networks = copy.deepcopy((judged.generator, judged.discriminator))
    ours = Training(config, load_images(config), *networks)
    assert judged.total == ours.total == 3990
    for training in (judged, ours):
        training.run(steps=18)  # of which two have the penalty
    for mine, theirs in zip(ours.discriminator.parameters(), judged.discriminator.parameters()):
        assert torch.equal(mine, theirs)


def test_pixel_distance_of_a_shift():
    """4×4 images have 16 components: a shift's squared length remains."""
    real = torch.randint(0, 200, (500, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    shifted, real = (images.to(torch.uint8) for images in (real + 51, real))  # by 51 of 255
    assert modern.pixel_distance(shifted, real) == pytest.approx(16 * 0.2**2, rel=1e-3)


@pytest.mark.slow
def test_the_study(run, training_of, monkeypatch):
    for module, name in ((rules, "SAMPLES"), (rules, "ON_THE_WAY"), (modern, "JUDGE_EVERY")):
        monkeypatch.setattr(module, name, 40 if module is rules else 3)
    with pytest.raises(UserError, match="part=rates"):
        run("modern", "--only", "part=ideas", "idea=R1", "--seeds", "0")
    rates = run("modern", "--only", "part=rates", "idea=R1")
    rates[2]["pixel_distance"], rates[4]["pixel_distance"], rates[4]["note"] = "1", "0.5", "no"
    store.write("modern", rates)
    parts = ("part=ideas", "part=embedded", "part=cost", "part=rates")
    rows = run("modern", "--only", *parts, "idea=R1", "--seeds", "0", "100")
    done = {row["part"]: row for row in rows}
    assert done["ideas"]["learning_rate"] == "0.0025" and float(done["cost"]["cost"]) > 0
    assert done["embedded"]["distance"] and done["ideas"]["logit_known"]
    assert len(list((store.RESULTS / "modern").iterdir())) == 7 == len(rows) - 1
