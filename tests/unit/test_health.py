"""Health: when a run is warned, when it is stopped, and when nothing is said."""

import math

import pytest
import torch

from dcgan_utils.config import Config
from dcgan_utils.losses import D_WINS, non_saturating
from dcgan_utils.training import Diverged, Look
from dcgan_utils.training.health import ALIKE, PATIENCE, Monitor, look

HEALTHY = {
    "loss_d": 0.7,
    "loss_g": 1.5,
    "d_real": 0.8,
    "d_fake_before": 0.2,
    "d_fake_after": 0.1,
    "real": Look(0.4, 0.5, -1.0, 1.0),
    "fake": Look(0.3, 0.4, -1.0, 1.0),
}


def monitor_of(**settings):
    return Monitor(non_saturating(Config(**settings)).metrics)


def check(monitor, **changes):
    """Give the monitor healthy values with some changes."""
    given = dict(HEALTHY) | changes
    real, fake = given.pop("real"), given.pop("fake")
    return monitor.check(given, real, fake)


@pytest.mark.parametrize(
    ("sick", "warning"),
    [({"loss_d": 0.0}, D_WINS), ({"fake": HEALTHY["fake"]._replace(variety=0.01)}, ALIKE)],
)
def test_a_symptom_that_stays_is_told_once_for_each_onset(sick, warning):
    monitor, told = monitor_of(), []
    course = [sick] * (PATIENCE + 3) + [{}] + [sick] * PATIENCE
    for changes in course:
        told.append(check(monitor, **changes))
    first, second = PATIENCE - 1, len(course) - 1
    assert told[first] == told[second] == [warning]
    assert sum(map(len, told)) == 2


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
