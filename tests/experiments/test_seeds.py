"""The studies of seeds, recipes, processes and tutorials: a few steps of each, and their tables."""

import dataclasses

import pytest
from torch.utils.data import Subset

from dcgan_utils.config import preset
from experiments import store
from experiments.studies import processes, recipes, seeds, tutorials

SHORT = {"width": 8, "steps": 2, "frames": 2, "samples": 30}


@pytest.mark.slow
def test_seeds_are_trained_judged_and_drawn(run, monkeypatch):
    monkeypatch.setattr(seeds, "preset", lambda name, **changes: preset(name, **SHORT, **changes))
    monkeypatch.setattr(seeds, "JUDGED", 1000)
    monkeypatch.setattr(seeds, "PLAN", [{"data": "embedded digits", "seed": "0"}])
    monkeypatch.setitem(seeds.DATA, "embedded digits", ("embedded", 2))
    first, second = run("seeds", "--only", "embedded digits", "--seeds", "0", "1")
    assert first["steps"] == "2" and first["distance"] != second["distance"]
    tables = seeds.tables()
    assert tables["seeds"].count("embedded digits, ") == 1
    assert f"| {first['distance']} ± " in tables["judgment"]
    (store.RESULTS / "seeds/mnist-0.png").touch()
    assert set(seeds.figures()) == {"seeds_embedded"}, "none of one seed of five"


@pytest.mark.slow
def test_a_recipe_is_judged_with_and_without_its_average(run, monkeypatch):
    name = recipes.PLAN[0]["settings"]
    short = {"steps": 20, "width": 8, "data": "embedded", "average": 0.9}
    monkeypatch.setitem(recipes.RECIPES, name, recipes.RECIPES[name] | short)
    monkeypatch.setattr(recipes, "SAMPLES", 1000)
    real = {"settings": "real digits", "seed": "", **dict.fromkeys(recipes.FORMS, "1.4")}
    monkeypatch.setattr(recipes, "real_digits", lambda: [real])
    rows = run("recipes", "--only", name, "--seeds", "0", "1")
    assert [row["average"] for row in rows] == ["", "0", "0.9", "0", "0.9"]
    assert rows[1]["distance"] != rows[2]["distance"]
    table = recipes.STUDY.tables()["compare"]
    mean = sum(float(row["distance"]) for row in (rows[1], rows[3])) / 2
    assert f"| {name} | 0 | 2 | 20 | {mean:.1f} | " in table
    assert "| real digits |  |  |  | 1.4" in table


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
    assert f" | {ratio:.2f} (" in processes.tables()["processes"]


@pytest.mark.data
@pytest.mark.slow
def test_the_tutorials_program_goes_on_after_its_last_epoch_and_ends_the_same(
    run, monkeypatch, tmp_path
):
    few = Subset(tutorials.all_digits(32), range(200))
    monkeypatch.setattr(tutorials, "all_digits", lambda size: few)
    monkeypatch.setitem(tutorials.WIDTHS, "32", 4)
    for name, value in {"EPOCHS": 1, "SAMPLES": 1000, "KEPT": tmp_path / "kept"}.items():
        monkeypatch.setattr(tutorials, name, value)
    with monkeypatch.context() as stopped:
        stopped.setattr(tutorials, "draw", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run("tutorials", "--only", "size=32", "--seeds", "0")
    monkeypatch.setattr(tutorials, "EPOCHS", 2)
    (resumed,) = run("tutorials", "--only", "size=32", "--seeds", "0")
    again = tutorials.execute({"size": "32", "seed": "0"}).rows["tutorials"][0]
    assert again["distance"] == resumed["distance"] and again["steps"] == "4"
    assert not [*(tmp_path / "kept").iterdir()]
    assert (
        f"| 32×32 | 1 | 4 | {float(again['distance']):.3g} | "
        in tutorials.STUDY.tables()["tutorials"]
    )
