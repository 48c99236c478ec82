"""What resuming can do: extend a run, mend its settings, tell what is different."""

import json

import pytest
import torch
from PIL import Image
from test_runs import assert_same_end

from dcgan_utils import files, runs
from dcgan_utils.config import UserError
from dcgan_utils.runs.checkpoints import save_training


def complete(training, folder):
    return runs.complete(training, folder, lambda report: None)


def test_a_run_whose_rate_falls_resumes_exactly_and_is_not_extended(tmp_path, smoke):
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    complete(runs.create(smoke(steps=20, decay=0.5), whole), whole)
    training = runs.create(smoke(steps=20, decay=0.5), halted)
    training.run(lambda report: None, steps=15)
    save_training(halted / runs.CHECKPOINT, training)
    complete(runs.reopen(halted), halted)
    for name in ("G.pth", "D.pth"):
        assert (halted / name).read_bytes() == (whole / name).read_bytes()
    with pytest.raises(UserError, match="decay is 0.5.*Start it anew with --steps 30"):
        runs.reopen(halted, steps=30)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_finished_run_is_extended_as_if_it_had_been_planned_that_long(tmp_path, smoke, average):
    short, long = tmp_path / "short", tmp_path / "long"
    complete(runs.create(smoke(steps=8, average=average), short), short)
    complete(runs.create(smoke(steps=20, average=average), long), long)
    extended = runs.reopen(short, steps=20)
    assert (extended.step, extended.total) == (8, 20)
    complete(extended, short)
    for name in ("G.pth", "D.pth"):
        assert (short / name).read_bytes() == (long / name).read_bytes()
    a, b = (files.load(folder / runs.CHECKPOINT) for folder in (short, long))
    assert torch.equal(a["history"][:, 2:], b["history"][:, 2:])
    assert torch.equal(a["random"], b["random"])
    assert json.loads((short / "config.json").read_text(encoding="utf-8"))["steps"] == 20
    with pytest.raises(UserError, match="steps is 19.*taken 20 already"):
        runs.reopen(short, steps=19)


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_compiled_run_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path, smoke, average):
    """Samples are drawn in other batches than training's: compiled code must not depend on which
    came first, as a resumed run draws its first later."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(8))
    except Exception as error:
        pytest.skip(f"nothing can be compiled here: {error}")
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder, until in ((whole, 20), (part, 5)):
        torch.compiler.reset()  # as in a process of its own
        training = runs.create(smoke(average=average, compile=True), folder)
        training.run(steps=until)
        runs.save_training(folder / runs.CHECKPOINT, training)
    torch.compiler.reset()
    resumed = runs.reopen(part)
    assert resumed.step == 5
    complete(resumed, part)
    complete(runs.reopen(whole), whole)
    assert_same_end(whole, part)


def test_an_extended_run_keeps_its_frames_and_goes_on_with_those_of_the_longer_plan(
    tmp_path, smoke
):
    short, long = tmp_path / "short", tmp_path / "long"
    complete(runs.create(smoke(steps=8, frames=5, record_every=5), short), short)
    before = files.load(short / runs.CHECKPOINT)["frames"]
    complete(runs.create(smoke(steps=20, frames=5, record_every=5), long), long)
    complete(runs.reopen(short, steps=20), short)
    a, b = (files.load(folder / runs.CHECKPOINT) for folder in (short, long))
    assert list(before) == [0, 1, 4, 8] and list(b["frames"]) == [0, 1, 4, 10, 20]
    assert list(a["frames"]) == [0, 1, 4, 8, 10, 20]
    for step, frame in a["frames"].items():
        assert torch.equal(frame, before[step] if step <= 8 else b["frames"][step])
    assert a["history"][:, 0].tolist() == [5, 8, 10, 15, 20], "and its rows of metrics"
    with Image.open(short / "animation.png") as animation:
        assert animation.n_frames == 6 + 1  # and the still for old viewers


def test_another_environment_is_told_and_no_obstacle(finished, tmp_path, monkeypatch):
    state, said = files.load(finished[0] / "checkpoint.pt"), []
    files.save(tmp_path / "checkpoint.pt", state)
    runs.reopen(tmp_path, said.append)
    assert said == [], "nothing has changed"
    state["environment"]["PyTorch"] = "1.0"
    files.save(tmp_path / "checkpoint.pt", state)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert runs.reopen(tmp_path, said.append).step == 20
    (notice,) = said
    assert "PyTorch 1.0 then" in notice and "77 threads" in notice and "last bits" in notice


def test_a_lost_config_is_written_anew(finished, tmp_path):
    folder, _ = finished
    for name in ("checkpoint.pt", "metrics.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "config.json").write_text("[]")
    runs.reopen(tmp_path)
    assert (tmp_path / "config.json").read_bytes() == (folder / "config.json").read_bytes()
