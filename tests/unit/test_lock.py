"""Two users of one folder: the second is told, nothing is lost, and the dead hold nothing."""

import os
import signal
import subprocess
import sys

import pytest

from dcgan_utils import files, runs
from dcgan_utils.config import UserError

TRAIN = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "smoke", "--data", "embedded"]
HOLDS = """
import sys
from pathlib import Path
from dcgan_utils import runs
with runs.working_in(Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that works in tmp_path/run until it is killed."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"holds"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_in_use_is_refused_with_its_users_name(tmp_path, smoke, holder):
    with pytest.raises(runs.InUse, match=f"in use by process {holder.pid}"):
        runs.create(smoke(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_in_use_is_neither_reopened_nor_cleaned(tmp_path, smoke, holder):
    runs.create(smoke(), tmp_path / "other")
    (tmp_path / "other").rename(tmp_path / "run")
    living = tmp_path / "run" / f".checkpoint.pt.{holder.pid}.tmp"
    living.write_text("being written")
    with pytest.raises(runs.InUse):
        runs.reopen(tmp_path / "run")
    assert living.exists()


def test_the_dead_hold_nothing(tmp_path, smoke, holder):
    left = tmp_path / f".run.{holder.pid}.tmp"
    left.mkdir()
    holder.kill()
    holder.wait()
    training = runs.create(smoke(steps=2), tmp_path / "run")
    assert not left.exists()
    dead = tmp_path / "run" / f".G.pth.{holder.pid}.tmp"
    dead.write_text("half")
    (tmp_path / "run" / ".x.tmp").mkdir()
    runs.reopen(tmp_path / "run")
    assert not dead.exists() and (tmp_path / "run" / ".x.tmp").exists()
    runs.complete(training, tmp_path / "run", lambda report: None)
    assert not list(tmp_path.glob(".*.lock"))


def test_a_living_process_keeps_its_unfinished_folder(tmp_path, smoke):
    living = tmp_path / f".run.{os.getppid()}.tmp"
    living.mkdir()
    runs.create(smoke(), tmp_path / "run")
    assert living.exists()


def test_a_dangling_link_is_not_written_through(tmp_path, smoke):
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="exists and is left"):
        runs.create(smoke(), tmp_path / "run")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
def test_runs_started_at_the_same_moment_get_folders_of_their_own(tmp_path):
    processes = [
        subprocess.Popen([*TRAIN, "--judge", "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "smoke-1",
        "smoke-2",
        "smoke-3",
    }


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_resume_while_the_run_is_alive(tmp_path):
    options = ["--steps", "100000", "--checkpoint-every", "1", "--out", "r"]
    alive = subprocess.Popen([*TRAIN, *options], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    alive.stdout.readline()
    while not (tmp_path / "r" / "metrics.csv").exists():
        assert alive.poll() is None
    command = [sys.executable, "-m", "dcgan_utils", "resume", "r"]
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 2 and f"in use by process {alive.pid}" in second.stderr
    assert alive.poll() is None, "the first goes on"
    alive.kill()
    alive.communicate()
    before = files.load(tmp_path / "r" / runs.CHECKPOINT)["step"]
    assert runs.reopen(tmp_path / "r").step == before
