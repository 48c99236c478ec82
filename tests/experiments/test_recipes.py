"""The studies of recipes, processes and tutorials: a few steps of each, and their tables."""

import dataclasses
import re

import pytest
from PIL import Image
from torch.utils.data import Subset

from experiments import store
from experiments.studies import processes, recipes, tutorials


@pytest.mark.slow
def test_a_recipe_is_judged_with_and_without_its_average(run, monkeypatch):
    name = recipes.PLAN[0]["settings"]
    short = {"steps": 20, "width": 8, "data": "embedded", "average": 0.9, "frames": 2}
    monkeypatch.setitem(recipes.RECIPES, name, recipes.RECIPES[name] | short)
    monkeypatch.setattr(recipes, "SAMPLES", 1000)
    real = {"settings": "real digits", "seed": "", **dict.fromkeys(recipes.FORMS, 1.4)}
    monkeypatch.setattr(recipes, "real_digits", lambda: [real])
    rows = run("recipes", "--only", name, "--seeds", "0", "1")
    assert [row["average"] for row in rows] == ["", "0", "0.9", "0", "0.9"]
    assert rows[1]["distance"] != rows[2]["distance"]
    tables = recipes.tables()
    mean = sum(float(row["distance"]) for row in (rows[1], rows[3])) / 2
    assert f"| {name} | 0 | 2 | 20 | {mean:.1f} | " in tables["compare"]
    assert "| real digits |  |  |  | 1.4" in tables["compare"]
    judged = re.search(r"Fréchet distance \| (\S+) ± ", tables["judgment"])
    assert float(judged[1]) == pytest.approx(float(rows[2]["distance"]), rel=1e-3)
    for path in ("embedded-0.png", "embedded-1.png", "animation.png"):
        assert Image.open(store.RESULTS / "seeds" / path).size[0] > 0


@pytest.mark.slow
def test_processes_are_timed_beside_a_busy_one(run, monkeypatch):
    monkeypatch.setitem(processes.STEPS, "classroom", 2)
    plan = [{"setting": "classroom", "busy": "1", "turn": "0"}]
    monkeypatch.setattr(processes, "STUDY", dataclasses.replace(processes.STUDY, plan=plan))
    rows = run("processes")
    sent = {row["way"]: float(row["bytes_a_step"]) for row in rows}
    assert sent.pop("2 processes") == pytest.approx(4 * 2 * 536_416, rel=0.1)
    assert set(sent.values()) == {0.0} and len(sent) == 3
    ratio = float(rows[0]["images_per_second"]) / float(rows[2]["images_per_second"])
    assert f" | {ratio:.2f} | " in processes.tables()["processes"]


@pytest.mark.data
@pytest.mark.slow
def test_the_tutorials_program_goes_on_after_a_stop_and_is_judged(run, monkeypatch, tmp_path):
    few, key = Subset(tutorials.digits(32, "resize"), range(200)), {"size": "32", "seed": "0"}
    monkeypatch.setattr(tutorials, "digits", lambda *_: few)
    for name, value in {"EPOCHS": 2, "SAMPLES": 1000, "KEPT": tmp_path / "kept"}.items():
        monkeypatch.setattr(tutorials, name, value)
    (row,) = run("tutorials", "--only", "size=32", "--seeds", "0")
    train_epoch = tutorials.Tutorial.run

    def run_until_stopped(self, steps):
        if list(tutorials.KEPT.iterdir()):  # the first epoch is kept
            raise KeyboardInterrupt
        train_epoch(self, steps)

    with monkeypatch.context() as patched:
        patched.setattr(tutorials.Tutorial, "run", run_until_stopped)
        with pytest.raises(KeyboardInterrupt):
            tutorials.execute(key)
    assert list(tutorials.KEPT.iterdir())
    again = tutorials.execute(key).rows["tutorials"][0]
    assert row["distance"] == f"{again['distance']:.4g}" != row["distance_unstretched"]
    line = f"| 32×32 | 1 | 8 | {again['distance']:.0f} | "
    assert line in tutorials.tables()["tutorials"]
