"""What resuming can do: end as if never interrupted, extend a run, branch off an earlier step."""

import json
import os
import re
import shutil
import signal

import pytest
import torch
from several import LABELED, assert_identical, assert_same_end, complete, reopen

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError
from dcgan_utils.health import Diverged


@pytest.fixture
def new_run(new_training, tmp_path, monkeypatch):
    """Return a function that makes a run and its folder, without pictures: they take longest."""
    monkeypatch.setattr(runs, "draw_pictures", lambda training: {"animation.png": b""})
    monkeypatch.setattr("dcgan_utils.training.REPORT_EVERY", 4)

    def make(name, **changes):
        training = new_training(**changes)
        return training, runs.create(training, tmp_path / name)

    return make


@pytest.mark.parametrize(
    "changes", [{}, {"average": 0.9, "decay": 0.5}, {"spectral_norm": True, **LABELED}, LABELED]
)
def test_resumed_after_any_step_ends_as_if_never_interrupted(new_run, tmp_path, changes):
    changes = changes | {"steps": 8, "checkpoint_every": 4, "keep_checkpoints": 0, "batch_size": 16}
    training, whole = new_run("whole", **changes)
    complete(training, whole)
    training, going_on = new_run("going on", **changes)
    for stop in (0, 3, 4):  # at the beginning, between two checkpoints, at one
        training.run(steps=stop - training.step)
        part = shutil.copytree(going_on, tmp_path / str(stop))
        runs.save_training(part / runs.CHECKPOINT, training)
        resumed = reopen(part)
        assert resumed.step == stop
        complete(resumed, part)
        assert_same_end(whole, part)


def test_a_finished_run_is_extended_as_if_it_had_been_planned_that_long(new_run):
    changes = {"frames": 5, "record_every": 5, "average": 0.9, "batch_size": 16}
    made = [new_run(f"to {steps}", steps=steps, **changes) for steps in (8, 20)]
    for training, folder in made:
        complete(training, folder)
    short, long = (folder for _, folder in made)
    assert main(["resume", str(short), "--steps", "20", "--judge", "0"]) == 0
    for name in ("G.pth", "D.pth", "config.json"):
        assert (short / name).read_bytes() == (long / name).read_bytes()
    a, b = (files.load(folder / runs.CHECKPOINT) for folder in (short, long))
    assert a["history"][:, 0].tolist() == [5, 8, 10, 15, 20]
    assert list(a["frames"]) == [0, 1, 4, 8, 10, 20] and list(b["frames"]) == [0, 1, 4, 10, 20]
    assert all(torch.equal(frame, a["frames"][step]) for step, frame in b["frames"].items())
    with pytest.raises(UserError, match="steps is 19; .*20"):
        reopen(short, steps=19)


def test_only_length_and_rate_may_change_and_no_length_where_the_rate_falls(finished, new_run):
    with pytest.raises(UserError, match="decay is 0.5.*--steps 30"):
        reopen(new_run("run", decay=0.5)[1], steps=30)
    with pytest.raises(UserError, match="can't go on with another beta1"):
        reopen(finished[0], beta1=0.9)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_branch_ends_as_the_run_itself_unless_its_rate_and_length_are_others(finished, tmp_path):
    folder, training = finished
    before, same, other = contents(folder), tmp_path / "same", tmp_path / "other"
    command = ["resume", str(folder), "--from", "10", "--judge", "0", "--out"]
    assert main([*command, str(same)]) == 0
    for kept in ("5.pt", "10.pt"):  # those that it did not pass itself
        assert not (same / runs.KEPT / kept).exists()
        shutil.copy(folder / runs.KEPT / kept, same / runs.KEPT / kept)
    assert_same_end(folder, same)
    assert main([*command, str(other), "--learning-rate", "0.001", "--steps", "22"]) == 0
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    assert (config["learning_rate"], config["steps"]) == (0.001, 22)
    losses = files.load(other / runs.CHECKPOINT)["history"][:, 2]
    assert torch.equal(losses[:11], training.history["loss_d"][:11]), "before D's 11th step"
    assert (losses[11:20] != training.history["loss_d"][11:]).all() and len(losses) == 22
    assert contents(folder) == before


def test_samples_and_verdicts_of_an_earlier_checkpoint(finished, tmp_path, monkeypatch):
    folder, _ = finished
    before = contents(folder)
    for step in ([], ["--step", "5"], ["--step", "15"]):
        out = str(tmp_path / f"{len(list(tmp_path.iterdir()))}.png")
        assert main(["sample", str(folder), "--count", "4", "--out", out, *step]) == 0
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 3
    judged = []
    monkeypatch.setattr(runs, "judge", lambda *given: judged.append(given[0]) or ("", "", {}))
    assert main(["judge", str(folder), "--count", "1000", "--step", "5"]) == 0
    state = files.load(folder / runs.KEPT / "5.pt")["generator"]
    assert_identical(dict(judged[0].state_dict()), dict(state))
    assert contents(folder) == before, "nothing is stored"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("resume RUN --from 7 --out OUT", "no checkpoint of step 7.*kept: 5, 10, 15"),
        ("sample RUN/G.pth --step 5 --out OUT.png", "G.pth is not a run folder"),
        ("resume RUN --from 5", "--out"),
        ("resume RUN --learning-rate 0.1", "--out"),
        ("resume RUN --from 5 --out RUN", "exists and is left"),
        ("resume RUN --from 10 --steps 9 --out OUT", "steps is 9; .*10"),
    ],
)
def test_what_cannot_be_gone_on_with_gets_one_error(finished, tmp_path, capsys, command, words):
    command = command.replace("RUN", str(finished[0])).replace("OUT", str(tmp_path / "new"))
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1 and re.search(words, said), said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("every", "count", "kept"), [(5, 0, []), (30, 3, []), (4, 2, [8, 12])])
def test_as_many_checkpoints_are_kept_as_were_asked_for(new_run, every, count, kept):
    training, folder = new_run("run", checkpoint_every=every, keep_checkpoints=count)
    complete(training, folder)
    assert sorted(int(path.stem) for path in folder.glob("checkpoints/*.pt")) == kept


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_that_has_become_nan_is_not_saved(new_run, stopped):
    training, folder = new_run("a", steps=10)

    def spoil(report):
        assert report.step == 4
        with torch.no_grad():
            next(training.generator.parameters()).fill_(torch.nan)
        if stopped:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Diverged):
        runs.complete(training, folder, spoil)
    _, state = runs.load_checkpoint(folder / runs.CHECKPOINT)
    assert all(value.isfinite().all() for value in state["generator"].values())


def test_a_run_that_has_gone_on_is_not_set_back(new_run):
    training, folder = new_run("a", steps=2)
    complete(training, folder)
    stale = reopen(folder)
    complete(reopen(folder, steps=3), folder)
    with pytest.raises(UserError, match="has gone on since"):
        complete(stale, folder)
    assert runs.load_checkpoint(folder / runs.CHECKPOINT)[1]["step"] == 3


def test_a_new_length_alone_is_kept_and_so_is_what_a_callback_stops(new_run):
    training, folder = new_run("a", steps=10)
    assert runs.complete(training, folder, lambda report: True)["steps"] == 4
    complete(reopen(folder, steps=4), folder)
    config, state = runs.load_checkpoint(folder / runs.CHECKPOINT)
    assert (config.steps, state["step"]) == (4, 4)
