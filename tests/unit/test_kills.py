"""kill -9 at drawn moments: every run ends bit by bit as one that nobody killed.

`DCGAN_KILLS=50 pytest -s tests/unit/test_kills.py` kills fifty times and prints what it hit.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from several import FORKS, warm_context
from test_runs import FILES, assert_same_end

from dcgan_utils import files, runs
from dcgan_utils.config import preset

KILLS = int(os.environ.get("DCGAN_KILLS", "5"))
STEPS = 200


def train_or_resume(folder: Path) -> None:
    """Do what the commands do, with a checkpoint at every step."""
    config = preset("smoke", data="embedded", steps=STEPS, checkpoint_every=1, average=0.9)
    training = runs.reopen(folder) if folder.exists() else runs.create(config, folder)
    runs.complete(training, folder, lambda report: None)


def in_a_process(folder: Path, seconds: float | None = None) -> int:
    """Train in a process of its own, killed after some seconds; return its exit status."""
    process = warm_context().Process(target=train_or_resume, args=(folder,))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def what_is_there(folder: Path) -> str:
    """Return where a kill has left a run."""
    if not folder.exists():
        return "before the folder"
    step = files.load(folder / runs.CHECKPOINT)["step"]
    return "in its results" if step == STEPS else "on the way" if step else "at its beginning"


def assert_as_whole(killed: Path, whole: Path) -> None:
    """And nothing is left of those that were killed, inside or beside it."""
    assert_same_end(whole, killed)
    assert {path.name for path in killed.iterdir()} == FILES
    assert {path.name for path in whole.parent.iterdir()} == {whole.name, killed.name}


@pytest.mark.slow
@pytest.mark.skipif(not FORKS, reason="Windows has no SIGKILL")
def test_kill_minus_nine_at_drawn_moments(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert in_a_process(tmp_path / "warm-up") == 0
    shutil.rmtree(tmp_path / "warm-up")
    began = time.monotonic()
    assert in_a_process(whole) == 0
    shortest, moments = time.monotonic() - began, random.Random(0)
    hit, ended = Counter(), 0
    while hit.total() < KILLS or not ended or killed.exists():  # the last run is left to end
        limit = moments.uniform(0, shortest) if hit.total() < KILLS else None
        afresh, began = not killed.exists(), time.monotonic()
        status = in_a_process(killed, limit)
        assert status in (0, -signal.SIGKILL)
        if status == 0:
            shortest = min(shortest, time.monotonic() - began) if afresh else shortest
            assert_as_whole(killed, whole)
            shutil.rmtree(killed)
            ended += 1
        else:
            hit[what_is_there(killed)] += 1
    print(f"{hit.total()} kills ({dict(hit)}); {ended} runs ended as the one that nobody killed")
