"""Runs are made once, stored whole, resumed; a mistake in the command line is one clear line."""

import dataclasses
import pickle

import pytest

from dcgan_utils.config import UserError
from dcgan_utils.health import Diverged
from experiments import __main__ as command
from experiments import harness, store
from experiments.harness import Result, Study

PLAN = [{"kind": kind, "seed": seed} for kind in ("one", "two") for seed in ("0", "1")]
made: list[dict] = []


def execute(key):
    made.append(dict(key))
    if key["kind"] == "two" and key["seed"] == "0":
        raise Diverged("step 7")
    rows = {"main": [{"value": len(made)}], "course": [{"step": 1}, {"step": 2}]}
    return Result(rows, {"pictures/x.png": b"a picture"})


@pytest.fixture
def study(tmp_path, monkeypatch):
    made.clear()
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    files = ("main", "course")
    return Study("00", PLAN, execute, dict, minutes=30, files=files, jobs=1)


def test_each_run_is_made_once_and_one_that_diverges_is_a_row(study, tmp_path, capsys):
    harness.run(study, PLAN[:1])
    assert made == PLAN[:1] and (tmp_path / "pictures/x.png").read_bytes() == b"a picture"
    harness.run(study, PLAN)
    assert made == PLAN and "3 of 4 runs are left, about 90 minutes" in capsys.readouterr().out
    harness.run(study, PLAN)
    assert made == PLAN and len(store.read("course")) == 6
    rows = store.read("main")
    assert [row["note"] for row in rows] == ["", "", "diverged: step 7", ""]
    assert store.numbers(rows, "value") == [1, 2, 4]


@pytest.mark.slow
def test_runs_in_processes_of_their_own(study):
    harness.run(dataclasses.replace(study, jobs=2), PLAN)
    notes = {row["kind"] + row["seed"]: row["note"] for row in store.read("main")}
    assert notes == {"one0": "", "one1": "", "two0": "diverged: step 7", "two1": ""}
    assert made == []  # not here


@pytest.mark.parametrize("study", command.studies().values(), ids=command.STUDIES)
def test_every_study_can_be_sent_to_a_process(study):
    assert pickle.loads(pickle.dumps(study)) == study


def test_what_a_stopped_attempt_has_left_is_replaced(study):
    half = PLAN[0] | store.this_machine(1)
    store.write("course", [half | {"step": "1"}, PLAN[1] | store.this_machine(1) | {"step": "9"}])
    harness.run(study, PLAN[:1])
    assert [row["step"] for row in store.read("course")] == ["9", "1", "2"]


def test_rows_of_another_machine_stay_and_do_not_count(study, monkeypatch):
    harness.run(study, PLAN[:1])
    monkeypatch.setattr(store, "choose_precision", lambda *_: "float64")
    harness.run(study, PLAN[:1])
    assert [row["number_format"] for row in store.read("main")][1] == "float64"
    assert len(made) == 2 and len(store.groups(store.read("main"), *store.MACHINE)) == 2


def test_the_wheels_suffix_makes_no_other_machine(monkeypatch):
    monkeypatch.setattr(store.torch, "__version__", "2.9.1+cpu")
    first = store.this_machine(1)
    monkeypatch.setattr(store.torch, "__version__", "2.9.1+cu132")
    assert first == store.this_machine(1) and first["torch"] == "2.9.1"


def test_runs_are_chosen_by_names_cells_and_seeds(study):
    assert command.chosen(study, [], []) == PLAN
    assert command.chosen(study, ["one"], []) == PLAN[:2]
    assert command.chosen(study, ["kind=two"], ["1"]) == PLAN[3:]
    assert command.chosen(study, ["one", "two"], ["0"]) == [PLAN[0], PLAN[2]]
    for only, seeds, words in (
        (["three"], [], "three"),
        (["kind=0"], [], "kind=0"),
        ([], ["7"], "7"),
    ):
        with pytest.raises(UserError, match=f"{words}; there are: 0; 1; one; two"):
            command.chosen(study, only, seeds)


def test_a_count_of_jobs_or_threads_is_refused_before_anything_begins():
    for option in ("--jobs", "--threads"):
        with pytest.raises(UserError, match=f"{option} is 0; allowed: 1 or more"):
            command.main(["run", "rules", option, "0"])
