"""Health: when a run is warned, when it is stopped, and when nothing is said."""

import math

import pytest
import torch

from dcgan_utils.config import Config
from dcgan_utils.losses import D_WINS, non_saturating
from dcgan_utils.training import Diverged, Look
from dcgan_utils.training.health import (
    ALIKE,
    BY_HEART,
    COPIES,
    EVALUATION,
    LONG,
    PALE,
    PATIENCE,
    Monitor,
    look,
)

HEALTHY = {
    "loss_d": 0.7,
    "loss_g": 1.5,
    "d_real": 0.8,
    "d_fake_before": 0.2,
    "d_fake_after": 0.1,
    "real": Look(0.4, 0.5, -1.0, 1.0),
    "fake": Look(0.3, 0.4, -1.0, 1.0),
}


def monitor_of(images=60_000, **settings):
    return Monitor(non_saturating(Config(**settings)).metrics, images)


def fake(**changes):
    """Return a change of the healthy look at generated images."""
    return {"fake": HEALTHY["fake"]._replace(**changes)}


def check(monitor, **changes):
    """Give the monitor healthy values with some changes."""
    given = dict(HEALTHY) | changes
    looks = given.pop("real"), given.pop("fake")
    return monitor.check(given, *looks, given.pop("in_training", True))


@pytest.mark.parametrize(
    ("sick", "warning", "patience"),
    [
        ({"loss_d": 0.0}, D_WINS, PATIENCE),
        (fake(variety=0.03), ALIKE, PATIENCE),
        (fake(nearest=0.19), COPIES, LONG),
        (fake(brightest=0.5), PALE, LONG),
        (fake(darkest=-0.5), PALE, LONG),
        ({"in_training": False}, EVALUATION, 1),
    ],
)
def test_a_symptom_that_stays_is_told_once_for_each_onset(sick, warning, patience):
    monitor, told = monitor_of(), []
    course = [sick] * (patience + 3) + [{}] + [sick] * patience
    for changes in course:
        told.append(check(monitor, **changes))
    first, second = patience - 1, len(course) - 1
    assert told[first] == told[second] == [warning]
    assert sum(map(len, told)) == 2


@pytest.mark.parametrize(
    "fine", [fake(variety=0.05), fake(nearest=0.21), fake(brightest=0.7), fake(darkest=-0.7)]
)
def test_what_is_within_bounds_is_not_told(fine):
    monitor = monitor_of()
    assert not any(check(monitor, **fine) for _ in range(2 * LONG))


def test_few_images_are_told_at_once_and_only_once():
    few, enough = monitor_of(images=500), monitor_of(images=2000)
    assert [check(few) for _ in range(3)] == [[BY_HEART], [], []]
    assert not any(check(enough) for _ in range(3))


def test_real_images_that_are_all_the_same_are_no_symptom():
    same = {"real": Look(0.0, 0.0, 0.5, 0.5), "fake": Look(0.0, 0.0, 0.5, 0.5)}
    monitor = monitor_of()
    assert not any(check(monitor, **same) for _ in range(2 * LONG))


def test_a_smoothed_label_raises_the_least_loss_of_d():
    """-0.9 log 0.9 - 0.1 log 0.1 = 0.325 nats is the least at 0.9; at 1 it is a healthy loss."""
    smoothed, plain = monitor_of(real_label=0.9), monitor_of()
    told = [check(smoothed, **{"loss_d": 0.335}) for _ in range(PATIENCE)]
    assert told[-1] == [D_WINS]
    assert not any(check(smoothed, **{"loss_d": 0.4}) for _ in range(PATIENCE))
    assert not any(check(plain, **{"loss_d": 0.335}) for _ in range(PATIENCE))


def test_a_short_symptom_is_not_told():
    monitor = monitor_of()
    course = ([{"loss_d": 0.0}] * (PATIENCE - 1) + [{}]) * 3
    assert not any(check(monitor, **changes) for changes in course)


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_ends_the_run(name, value):
    sick = value if name not in ("real", "fake") else HEALTHY[name]._replace(nearest=value)
    with pytest.raises(Diverged, match="learning rate"):
        check(monitor_of(), **{name: sick})


def test_a_look_at_three_images():
    """Worked by hand: images of 2 by 2 equal pixels, 0, 0.2 and 1."""
    images = torch.tensor([0.0, 0.2, 1.0])[:, None, None, None].expand(3, 1, 2, 2)
    seen = Look(*look(images).tolist())
    assert seen.variety == pytest.approx((0.56 / 3) ** 0.5)  # around 0.4
    assert seen.nearest == pytest.approx((0.2 + 0.2 + 0.8) / 3)
    assert (seen.darkest, seen.brightest) == (0, 1)
    assert look(images[:1]).tolist() == [0, 0, 0, 0]  # one image has no nearest other
