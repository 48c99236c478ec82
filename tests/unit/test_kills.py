"""kill -9: a run that is killed at any moment and resumed ends bit by bit as one that is not.

`DCGAN_KILLS=50 pytest tests/unit/test_kills.py` kills fifty times.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import several

from dcgan_utils import files, runs

KILLS = int(os.environ.get("DCGAN_KILLS", "2"))
STEPS = 25


class Killed(BaseException):
    """As if the process had ended there; nothing catches it."""


def test_a_run_killed_before_any_of_its_files_is_replaced_ends_as_if_it_had_not_been(
    tmp_path, new_training, monkeypatch
):
    """Each file that a run writes, one after another, is the last one of a process."""
    monkeypatch.setattr(runs, "draw_pictures", lambda training: {"animation.png": b""})
    changes = {"steps": 4, "checkpoint_every": 2, "average": 0.9, "frames": 2, "batch_size": 8}
    replace, written, last = os.replace, [], 0

    def replace_until(source, target):
        written.append(target.name)
        if len(written) == last:
            raise Killed
        replace(source, target)

    def train(folder):
        if folder.exists():
            training = several.reopen(folder)
        else:
            training = new_training(**changes)
            runs.create(training, folder)
        several.complete(training, folder)

    monkeypatch.setattr(os, "replace", replace_until)
    train(tmp_path / "whole")
    counts, saved = Counter(written), set()
    assert counts["checkpoint.pt"] == 3, "at steps 0, 2 and 4: none is written twice"
    for number in range(1, counts.total() + 1):
        folder, last = tmp_path / str(number), number
        written.clear()
        with pytest.raises(Killed):
            train(folder)
        if folder.exists():
            saved.add(files.load(folder / runs.CHECKPOINT)["step"])
        train(folder)
        several.assert_same_end(tmp_path / "whole", folder)
    assert saved == {0, 2, 4}


def alone(folder: Path, out: Path, seconds: float) -> int:
    """Train or resume in a process that is killed after some seconds; return its exit status."""
    process = several.warm_context().Process(target=train, args=(folder,))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def together(folder: Path, out: Path, seconds: float) -> int:
    """Do the same in two processes; return the first one's exit status."""
    return several.Several(out, several.join_and, train, folder).wait(seconds, grace=0)[0]


def train(folder: Path) -> None:
    several.train_or_resume(folder, steps=STEPS, average=0.9)


@pytest.mark.slow
@pytest.mark.skipif(not several.FORKS, reason="Windows has no fork server and no SIGKILL")
@pytest.mark.parametrize("start", [alone, together])
def test_kill_minus_nine_at_drawn_moments(tmp_path, start):
    whole, killed, out = tmp_path / "whole", tmp_path / "killed", tmp_path / "out"
    moments, kills, status, seconds = random.Random(0), 0, None, 120.0
    assert start(whole, out, seconds) == 0
    while status != 0 or kills < KILLS:  # the last run is left to end
        began = time.monotonic()
        status = start(killed, out, moments.uniform(0, seconds) if kills < KILLS else 120)
        if status == 0:
            seconds = time.monotonic() - began
            several.assert_same_end(whole, killed)
            shutil.rmtree(killed)
        else:
            assert status == -signal.SIGKILL
            kills += 1
