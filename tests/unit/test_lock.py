"""Two users of one folder: the second is told, nothing is lost, and the dead hold nothing."""

import subprocess
import sys

import pytest
from several import FORKS, complete, reopen, train_or_resume, wait_for, warm_context

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError
from dcgan_utils.training import Training

TRAIN = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "smoke", "--data", "embedded"]


@pytest.mark.skipif(not FORKS, reason="Windows has no fork server")
def test_a_run_is_trained_by_one_process_however_its_folder_is_spelled(
    tmp_path, monkeypatch, capsys
):
    """Also by a link, or from inside it; once the first is killed, the folder is free."""
    folder = tmp_path / "run"
    (tmp_path / "link").symlink_to(folder)
    first = warm_context().Process(target=train_or_resume, args=(folder,), kwargs={"steps": 10**6})
    first.start()
    try:
        wait_for(folder / "metrics.csv", first.is_alive)
        monkeypatch.setattr(Training, "run", lambda *given: pytest.fail("two train in it"))
        for place, spelling in ((tmp_path, "run"), (tmp_path, "link"), (folder, ".")):
            monkeypatch.chdir(place)
            assert main(["resume", spelling, "--judge", "0"]) == 2
            said = capsys.readouterr().err
            assert said.count("error: ") == 1 and f"{spelling} is in use" in said, said
        assert first.is_alive(), "the first goes on"
    finally:
        first.kill()
        first.join()
    monkeypatch.undo()
    step = files.load(folder / runs.CHECKPOINT)["step"]
    training = reopen(folder, steps=step + 2)
    assert complete(training, folder)["steps"] == step + 2


def test_what_is_being_written_by_another_is_not_swept_away(tmp_path, new_training):
    training, other = new_training(steps=5), new_training(steps=5)
    folder = runs.create(training, tmp_path / "run")
    being_written = folder / ".checkpoint.pt.77.tmp"

    def meanwhile(report):
        being_written.write_text("half")
        with pytest.raises(UserError, match="in use"):
            complete(other, folder)
        assert being_written.exists()

    runs.complete(training, folder, meanwhile)


@pytest.mark.slow
def test_runs_started_at_the_same_moment_get_folders_of_their_own(tmp_path):
    command = [*TRAIN, "--steps", "2", "--judge", "0"]
    both = [
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"smoke-1", "smoke-2"}
