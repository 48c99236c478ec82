"""The recorded runs of notebook 08, in whose charts each illness shows, and the cures."""

import csv
from dataclasses import replace

import pytest
import torch
from wrong_answers.diagnosing import RIGHT

from dcgan_utils.data import Images
from dcgan_utils.exercises import diagnosing
from dcgan_utils.health import Diverged
from experiments import network_edits, store
from experiments.failure_cases import CLINIC, SICK, TREATED, fewer
from experiments.studies import cures, failures

ROWS = store.read("failures")
CHARTS = diagnosing.charts(ROWS, ["name", "seed"], store.MACHINE)


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_speaks_against_the_right_diagnosis_alone(name):
    chart = diagnosing.clinic()[name]
    fitting = [case for case in diagnosing.ILLNESSES if not diagnosing.against(case, chart)]
    assert fitting == [RIGHT[name][0]]


def test_the_clinic_is_the_recorded_one_without_what_would_give_a_run_away():
    hidden = {"seed", "mode", *store.MACHINE}
    own = [row for case in CLINIC for row in ROWS if row["name"] == case.name]
    shown = [{key: value for key, value in row.items() if key not in hidden} for row in own]
    with diagnosing.STORED.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == shown


@pytest.mark.parametrize("case", SICK, ids=lambda case: case.name)
def test_an_illness_shows(case):
    chart = CHARTS[case.name, str(case.seed)]
    assert diagnosing.against("healthy", chart)
    assert case.name not in diagnosing.ILLNESSES or not diagnosing.against(case.name, chart)


# What is tried against failing


def test_noise_is_added_in_training_alone_and_from_its_own_generator():
    x = torch.zeros(64, 1, 8, 8)
    first, again = (
        network_edits.Disturbed(network_edits.noise, torch.Generator().manual_seed(0))
        for _ in range(2)
    )
    noisy = first(x)
    assert 0.28 < noisy.std() < 0.32
    torch.manual_seed(1)  # the global state, which nothing may draw from
    assert torch.equal(noisy, again(x)) and not torch.equal(noisy, again(x))
    assert torch.equal(first.eval()(x), x)


def test_shift_moves_whole_images_and_lets_gradients_through():
    shift = network_edits.Disturbed(network_edits.shift, torch.Generator().manual_seed(0))
    x = torch.full((200, 1, 9, 9), -1.0)
    x[:, :, 4, 4] = 1.0
    x.requires_grad_()
    moved = shift(x)
    assert moved.shape == x.shape and (moved.flatten(1).sum(1) == x.flatten(1).sum(1)).all()
    places = (moved[:, 0] == 1).nonzero()[:, 1:] - 4
    assert places.min() == -3 and places.max() == 3  # each way, as far as allowed
    (gradient,) = torch.autograd.grad(moved[:, :, :, 4].sum(), x)
    assert gradient.sum() > 0


def test_fewer_images_are_shown_as_often():
    images = Images(torch.arange(40, dtype=torch.uint8).reshape(40, 1, 1, 1), "forty", 3)
    few = fewer(images, 8)
    assert len(few) == 8 and len(few) * few.repeats == 40 * 3
    assert few.pixels.flatten().tolist() == list(range(8))


TINY = {"data": "embedded", "steps": 25, "width": 4, "batch_size": 8}


@pytest.mark.slow
def test_the_study_of_failures(run, monkeypatch):
    case = replace(SICK[2], settings={**SICK[2].settings, **TINY})
    monkeypatch.setitem(failures.CASES, (case.name, "0"), case)
    (row,) = run("failures", "--only", case.name)
    assert set(row) == set(ROWS[0])
    assert row["step"] == "25" and float(row["gradient_g"]) > 0 and row["mode"] == "1"
    assert (store.RESULTS / "failures" / case.picture).exists()


@pytest.mark.slow
def test_the_study_of_cures(run, monkeypatch):
    monkeypatch.setattr(cures, "SAMPLES", 40)
    for case in TREATED:
        tiny = replace(case, settings={**case.settings, **TINY, "steps": 2})
        monkeypatch.setitem(cures.PLAN, (case.name, case.treatment, str(case.seed)), tiny)
    given = ("nothing", "augmentation", "R1", "spectral norm in D")
    cells = ["run=healthy", *(f"treatment={name}" for name in given)]
    rows = run("cures", "--only", *cells, "--seeds", "20")
    assert tuple(row["treatment"] for row in rows) == given
    assert len({row["logit_known"] for row in rows}) == 4  # each one has an effect
    assert all(row["steps"] == "2" and row["alarms"] == "none" for row in rows)


def test_a_run_that_diverges_at_once_says_so(monkeypatch):
    hot = replace(SICK[5], settings={**SICK[5].settings, **TINY, "learning_rate": 1e10})
    monkeypatch.setitem(failures.CASES, (hot.name, "0"), hot)
    with pytest.raises(Diverged):
        failures.execute({"name": hot.name, "seed": "0"})
