"""Health: when a run is warned, when it is stopped, and when nothing is said."""

import math

import pytest
import torch

from dcgan_utils import health
from dcgan_utils.config import Config
from dcgan_utils.health import LONG, PATIENCE, BatchStatistics, Diverged, Monitor
from dcgan_utils.losses import D_WINS, Range, non_saturating

NUMBERS = {"loss_d": 0.7, "loss_g": 1.5, "d_real": 0.8, "d_fake_before": 0.2, "d_fake_after": 0.1}
REAL, FAKE = BatchStatistics(0.4, 0.5, -1.0, 1.0), BatchStatistics(0.3, 0.4, -1.0, 1.0)


def monitor_of(images=60_000, **settings):
    return Monitor(non_saturating(Config(**settings)).healthy, images)


def check(monitor, in_training=True, **changes):
    """Give the monitor healthy values with some changes, and return what it says."""
    fake = FAKE._replace(**{k: v for k, v in changes.items() if k in BatchStatistics._fields})
    numbers = NUMBERS | {k: v for k, v in changes.items() if k not in BatchStatistics._fields}
    return monitor.check(numbers, REAL, fake, in_training)


@pytest.mark.parametrize(
    ("sick", "warning", "patience"),
    [
        ({"loss_d": 0.0}, D_WINS, PATIENCE),
        ({"variety": 0.03}, health.ALIKE, PATIENCE),
        ({"nearest": 0.19}, health.COPIES, LONG),
        ({"brightest": 0.5}, health.PALE, LONG),
        ({"darkest": -0.5}, health.PALE, LONG),
        ({"in_training": False}, health.EVALUATION, 1),
    ],
)
def test_a_symptom_that_stays_is_told_once_for_each_onset(sick, warning, patience):
    monitor = monitor_of()
    short = [sick] * (patience - 1) + [{}]  # not told
    course = short + [sick] * (patience + 3) + [{}] + [sick] * patience
    told = [check(monitor, **changes) for changes in course]
    assert told[len(short) + patience - 1] == told[-1] == [warning]
    assert sum(map(len, told)) == 2


def test_numbers_with_one_advice_are_watched_apart_and_where_they_are_reported():
    """Of two, one is healthy; a third is in every other report."""
    ranges = {name: Range(0, 1, "Lower the rate.") for name in ("penalty", "slope", "gap")}
    monitor = Monitor(ranges, 60_000)
    told = [check(monitor, gap=5.0, slope=0.5) for _ in range(PATIENCE)]
    assert told == [[]] * (PATIENCE - 1) + [["Lower the rate."]]
    more = [{"penalty": 5.0} if number % 2 else {} for number in range(2 * PATIENCE)]
    told = [check(monitor, gap=0.5, **reported) for reported in more]
    assert told == [[]] * (2 * PATIENCE - 1) + [["Lower the rate."]]


def test_few_images_are_told_at_once_and_only_once():
    few, enough = monitor_of(images=500), monitor_of(images=2000)
    assert [check(few) for _ in range(3)] == [[health.BY_HEART], [], []]
    assert not any(check(enough) for _ in range(3))


def test_real_images_that_are_all_the_same_are_no_symptom():
    same, monitor = BatchStatistics(0.0, 0.0, 0.5, 0.5), monitor_of()
    assert not any(monitor.check(NUMBERS, same, same) for _ in range(2 * LONG))


def test_a_smoothed_label_raises_the_least_loss_of_d():
    """-0.9 log 0.9 - 0.1 log 0.1 = 0.325 nats is the least at 0.9; at 1 it is a healthy loss."""
    for label, loss, expected in ((0.9, 0.335, [D_WINS]), (0.9, 0.4, []), (1.0, 0.335, [])):
        monitor = monitor_of(real_label=label)
        assert [check(monitor, loss_d=loss) for _ in range(PATIENCE)][-1] == expected


@pytest.mark.parametrize("name", [*NUMBERS, "nearest"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_ends_the_run(name, value):
    with pytest.raises(Diverged, match="learning rate"):
        check(monitor_of(), **{name: value})


def test_the_statistics_of_three_images():
    """Worked by hand: images of 2 by 2 equal pixels, 0, 0.2 and 1."""
    images = torch.tensor([0.0, 0.2, 1.0])[:, None, None, None].expand(3, 1, 2, 2)
    seen = BatchStatistics(*health.batch_statistics(images).tolist())
    assert seen.variety == pytest.approx((0.56 / 3) ** 0.5)  # around 0.4
    assert seen.nearest == pytest.approx((0.2 + 0.2 + 0.8) / 3)
    assert (seen.darkest, seen.brightest) == (0, 1)
    assert health.batch_statistics(images[:1]).tolist() == [0, 0, 0, 0]  # one has no nearest other
