"""What resuming can do: end as if never interrupted, extend a run, branch off an earlier step."""

import json
import os
import re
import signal

import pytest
import torch
from several import assert_identical, assert_same_end, complete, reopen
from torch import nn

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError
from dcgan_utils.health import Diverged
from dcgan_utils.networks import Discriminator, Generator
from dcgan_utils.training import Training


@pytest.fixture
def new_run(new_training, tmp_path, monkeypatch):
    """Return a function that makes a run and its folder, without pictures: they take longest."""
    monkeypatch.setattr(runs, "draw_pictures", lambda training: {"animation.png": b""})

    def make(name, **changes):
        training = new_training(**changes)
        return training, runs.create(training, tmp_path / name)

    return make


@pytest.mark.parametrize(
    "changes", [{}, {"average": 0.9, "decay": 0.5}, {"conditional": True, "spectral_norm": True}]
)
def test_resumed_after_any_step_ends_as_if_never_interrupted(new_run, changes):
    training, whole = new_run("whole", **changes)
    complete(training, whole)
    for stop in (0, 7, 15):  # at the beginning, between two checkpoints, at one
        training, part = new_run(str(stop), **changes)
        (part / runs.KEPT).mkdir()
        training.run(on_checkpoint=lambda: None, steps=stop)
        for step in range(5, stop + 1, 5):
            content = (whole / runs.KEPT / f"{step}.pt").read_bytes()
            (part / runs.KEPT / f"{step}.pt").write_bytes(content)
        runs.save_training(part / runs.CHECKPOINT, training)
        resumed = reopen(part)
        assert resumed.step == stop
        complete(resumed, part)
        assert_same_end(whole, part)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_finished_run_is_extended_as_if_it_had_been_planned_that_long(new_run, average):
    training, short = new_run("short", steps=8, frames=5, record_every=5, average=average)
    complete(training, short)
    training, long = new_run("long", steps=20, frames=5, record_every=5, average=average)
    complete(training, long)
    assert main(["resume", str(short), "--steps", "20", "--judge", "0"]) == 0
    for name in ("G.pth", "D.pth", "config.json"):
        assert (short / name).read_bytes() == (long / name).read_bytes()
    a, b = (files.load(folder / runs.CHECKPOINT) for folder in (short, long))
    assert a["history"][:, 0].tolist() == [5, 8, 10, 15, 20]
    assert list(a["frames"]) == [0, 1, 4, 8, 10, 20] and list(b["frames"]) == [0, 1, 4, 10, 20]
    assert all(torch.equal(frame, a["frames"][step]) for step, frame in b["frames"].items())
    with pytest.raises(UserError, match="steps is 19; .*20"):
        reopen(short, steps=19)


def test_a_run_whose_rate_falls_is_not_extended(new_run):
    with pytest.raises(UserError, match="decay is 0.5.*--steps 30"):
        reopen(new_run("run", decay=0.5)[1], steps=30)


# Kept checkpoints


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_branch_with_unchanged_settings_ends_as_the_run_itself(finished, tmp_path):
    folder, _ = finished
    before, branch = contents(folder), tmp_path / "branch"
    command = ["resume", str(folder), "--from", "10", "--judge", "0", "--out", str(branch)]
    assert main(command) == 0
    for kept in ("5", "10"):  # those that it did not pass itself
        assert not (branch / runs.KEPT / f"{kept}.pt").exists()
        (branch / runs.KEPT / f"{kept}.pt").write_bytes(
            (folder / runs.KEPT / f"{kept}.pt").read_bytes()
        )
    assert_same_end(folder, branch)
    assert contents(folder) == before


def test_a_branch_with_another_rate_and_length_differs_from_that_step_on(finished, tmp_path):
    folder, training = finished
    before, branch = contents(folder), tmp_path / "branch"
    command = ["resume", str(folder), "--from", "10", "--learning-rate", "0.001", "--steps", "30"]
    assert main([*command, "--judge", "0", "--out", str(branch)]) == 0
    config = json.loads((branch / "config.json").read_text(encoding="utf-8"))
    assert (config["learning_rate"], config["steps"]) == (0.001, 30)
    history = files.load(branch / runs.CHECKPOINT)["history"]
    assert len(history) == 30
    assert torch.equal(history[:11, 2], training.history["loss_d"][:11]), "before D's 11th step"
    assert (history[11:20, 2] != training.history["loss_d"][11:]).all()
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
        ("sample RUN --step 7 --out OUT.png", "no checkpoint of step 7.*kept: 5, 10, 15"),
        ("judge RUN --step 7", "no checkpoint of step 7.*kept: 5, 10, 15"),
        ("resume RUN --from 5", "--out"),
        ("resume RUN --learning-rate 0.1", "--out"),
        ("resume RUN --from 5 --out RUN", "exists and is left"),
        ("resume RUN --from 5 --learning-rate -1 --out OUT", "learning_rate is -1"),
        ("resume RUN --from 10 --steps 9 --out OUT", "steps is 9; .*10"),
    ],
)
def test_what_cannot_be_gone_on_with_gets_one_error(finished, tmp_path, capsys, command, words):
    names = {
        "RUN": str(finished[0]),
        "OUT": str(tmp_path / "new"),
        "OUT.png": str(tmp_path / "n.png"),
    }
    assert main([names.get(word, word) for word in command.split()]) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1 and re.search(words, said), said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("every", "count", "kept"), [(5, 0, []), (30, 3, []), (4, 2, [8, 12])])
def test_as_many_checkpoints_are_kept_as_were_asked_for(new_run, every, count, kept):
    training, folder = new_run("run", checkpoint_every=every, keep_checkpoints=count)
    complete(training, folder)
    assert sorted(int(path.stem) for path in folder.glob("checkpoints/*.pt")) == kept


# Other conditions


def test_another_environment_is_told_and_no_obstacle(finished, tmp_path):
    state, said = files.load(finished[0] / "checkpoint.pt"), []
    files.save(tmp_path / "checkpoint.pt", state)
    reopen(tmp_path, notice=said.append)
    assert said == [], "nothing has changed"
    files.save(tmp_path / "checkpoint.pt", state | {"environment": "PyTorch 1.0"})
    assert reopen(tmp_path, notice=said.append).step == 20
    assert len(said) == 1 and "PyTorch 1.0" in said[0]


def test_networks_of_ones_own_are_asked_for_and_resume_exactly(new_training, tmp_path):
    def networks():
        torch.manual_seed(0)
        generator, discriminator = Generator(16, 1, 100, 8), Discriminator(16, 1, 8, 0.2)
        discriminator.main[1] = nn.ReLU()
        return generator, discriminator

    plain = new_training()
    for name in ("whole", "part"):
        training = Training(plain.config, plain.images, *networks())
        folder = runs.create(training, tmp_path / name)
        if name == "whole":
            complete(training, folder)
    with pytest.raises(UserError, match="networks of its own"):
        reopen(folder)
    generator, discriminator = networks()
    complete(reopen(folder, generator=generator, discriminator=discriminator), folder)
    assert_same_end(tmp_path / "whole", folder)


# What one process, two of them in turn, or a callback may do to the last checkpoint


def test_a_run_that_has_become_nan_is_not_saved_when_it_is_stopped(new_run):
    training, folder = new_run("a", steps=60)

    def spoil_and_stop(report):
        if report.step == 25:
            with torch.no_grad():
                next(training.generator.parameters()).fill_(torch.nan)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Diverged):
        runs.complete(training, folder, spoil_and_stop)
    _, state = runs.load_checkpoint(folder / runs.CHECKPOINT)
    assert all(value.isfinite().all() for value in state["generator"].values())


def test_a_run_that_has_gone_on_is_not_set_back(new_run):
    training, folder = new_run("a", steps=20)
    runs.complete(training, folder, lambda report: None)
    stale = reopen(folder)
    complete(reopen(folder, steps=30), folder)
    with pytest.raises(UserError, match="has gone on since"):
        complete(stale, folder)
    assert runs.load_checkpoint(folder / runs.CHECKPOINT)[1]["step"] == 30


def test_a_new_length_alone_is_kept_and_so_is_what_a_callback_stops(new_run):
    training, folder = new_run("a", steps=60)
    assert runs.complete(training, folder, lambda report: True)["steps"] == 25
    complete(reopen(folder, steps=25), folder)
    config, state = runs.load_checkpoint(folder / runs.CHECKPOINT)
    assert (config.steps, state["step"]) == (25, 25)


def test_only_length_and_rate_may_change(finished):
    with pytest.raises(UserError, match="can't go on with another beta1"):
        reopen(finished[0], beta1=0.9)


def test_a_file_of_weights_has_no_earlier_steps(finished, tmp_path):
    with pytest.raises(UserError, match="G.pth is not a run folder"):
        runs.write_samples(finished[0] / "G.pth", tmp_path / "a.png", 4, step=5)
