"""Health: when a run is warned, when it is stopped, and when nothing is said."""

import math

import pytest

from dcgan_utils.config import Config
from dcgan_utils.losses import D_WINS, non_saturating
from dcgan_utils.training import Diverged
from dcgan_utils.training.health import ALIKE, PATIENCE, Monitor

HEALTHY = {
    "loss_d": 0.7,
    "loss_g": 1.5,
    "d_real": 0.8,
    "d_fake_before": 0.2,
    "d_fake_after": 0.1,
    "variety_real": 0.4,
    "variety_fake": 0.3,
}


def monitor_of(**settings):
    return Monitor(non_saturating(Config(**settings)).metrics)


def check(monitor, **changes):
    """Give the monitor healthy values with some changes."""
    values = HEALTHY | changes
    varieties = values.pop("variety_real"), values.pop("variety_fake")
    return monitor.check(values, *varieties)


@pytest.mark.parametrize(
    ("sick", "warning"), [({"loss_d": 0.0}, D_WINS), ({"variety_fake": 0.01}, ALIKE)]
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
    with pytest.raises(Diverged, match="learning rate"):
        check(monitor_of(), **{name: value})
