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
from several import FORKS, Several, assert_same_end, join_and, train_or_resume, warm_context

from dcgan_utils import files, runs

KILLS = int(os.environ.get("DCGAN_KILLS", "2"))
STEPS = 40
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FORKS, reason="Windows has no fork server and no SIGKILL"),
]


def alone(folder: Path, out: Path, seconds: float) -> int:
    """Train or resume in a process that is killed after some seconds; return its exit status."""
    changes = {"steps": STEPS, "average": 0.9}
    process = warm_context().Process(target=train_or_resume, args=(folder,), kwargs=changes)
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def together(folder: Path, out: Path, seconds: float) -> int:
    """Do the same in two processes; return the first one's exit status."""
    return Several(out, join_and, train_two, folder).kill(seconds)[0]


def train_two(folder: Path) -> None:
    train_or_resume(folder, steps=STEPS, average=0.9)


@pytest.mark.parametrize("train", [alone, together])
def test_kill_minus_nine_at_drawn_moments(tmp_path, train):
    whole, killed, out = tmp_path / "whole", tmp_path / "killed", tmp_path / "out"
    assert alone(tmp_path / "warm-up", out, 120) == 0
    began = time.monotonic()
    assert train(whole, out, 120) == 0
    seconds, moments = time.monotonic() - began, random.Random(0)
    hit, ended = Counter(), 0
    while hit.total() < KILLS or not ended or killed.exists():  # the last run is left to end
        status = train(killed, out, moments.uniform(0, seconds) if hit.total() < KILLS else 120)
        assert status in (0, -signal.SIGKILL)
        if status == 0:
            assert_same_end(whole, killed)
            shutil.rmtree(killed)
            ended += 1
        elif killed.exists():
            step = files.load(killed / runs.CHECKPOINT)["step"]
            hit["in its results" if step == STEPS else "on the way" if step else "at step 0"] += 1
        else:
            hit["before the folder"] += 1
    print(f"{hit.total()} kills ({dict(hit)}); {ended} runs ended as the one that nobody killed")
