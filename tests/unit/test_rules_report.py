"""The ladder: equal steps and equal seconds, worked by hand."""

import pytest

from experiments import rules_report
from experiments.variants import LADDER

NAMES = {"base": "ladder", "device": "here", "torch": "1", "seed": "0"}


def test_pace_is_the_median_so_that_a_halted_run_does_not_count():
    rows = [
        {"batch_size": "32", "steps": "100", "seconds": seconds} for seconds in ("2", "3", "900")
    ]
    assert rules_report.paces(rows) == {"32": 0.03}


def test_between_two_judgments_the_logarithm_is_a_line():
    run = NAMES | {"variant": "rate"}
    places = [run | {"step": "100", "d": "100"}, run | {"step": "200", "d": "25"}]
    other = NAMES | {"variant": "rate", "seed": "1", "step": "100", "d": "7"}
    assert rules_report.reached([*places, other], run, "d", 150) == pytest.approx(50)
    assert rules_report.reached(places, run, "d", 200) == pytest.approx(25)


def test_at_equal_seconds_the_small_batch_gets_more_steps():
    """A step of 128 takes three times as long as one of 32, which so gets three times as many."""
    rows, places = [], []
    for variant in LADDER:
        small = variant.settings.get("batch_size") == 32
        batch, steps, seconds = ("32", "600", "6") if small else ("128", "200", "6")
        run = NAMES | {"variant": variant.name}
        rows.append(run | {"batch_size": batch, "steps": steps, "seconds": seconds})
        for step, raw in (("200", "80"), ("600", "20")):
            places.append(run | {"step": step, "raw_distance": raw, "distance": "10"})
    found = rules_report.ladder(rows, places)
    assert list(found) == ["200 steps", "6 seconds"]
    assert found["200 steps"]["rate, batch"] == pytest.approx([80])
    assert found["6 seconds"]["rate, batch"] == pytest.approx([20])
    assert found["6 seconds"]["rate"] == pytest.approx([80])
    assert found["6 seconds"]["average"] == pytest.approx([10])
