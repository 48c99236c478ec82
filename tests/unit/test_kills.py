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
from dcgan_utils.config import Config

KILLS = int(os.environ.get("DCGAN_KILLS", "2"))


class Killed(BaseException):
    """As if the process had ended there; nothing catches it."""


def train_or_resume(config: Config, folder: Path) -> None:
    """Do what the commands do."""
    if folder.exists():
        training = several.reopen(folder)
    else:
        training = several.training_of(config)
        runs.create(training, folder)
    several.complete(training, folder)


def test_a_run_killed_before_any_of_its_files_is_replaced_ends_as_if_it_had_not_been(
    tmp_path, smoke, monkeypatch
):
    """Each file that a run writes, one after another, is the last one of a process."""
    monkeypatch.setattr(runs, "draw_pictures", lambda training: {"animation.png": b""})
    config = smoke(steps=4, checkpoint_every=2, average=0.9, frames=2, batch_size=8)
    replace, written, last = os.replace, [], 0

    def replace_until(source, target):
        written.append(target.name)
        if len(written) == last:
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_until)
    train_or_resume(config, tmp_path / "whole")
    counts, saved = Counter(written), set()
    assert counts["checkpoint.pt"] == 3, "at steps 0, 2 and 4: none is written twice"
    for number in range(1, counts.total() + 1):
        folder, last = tmp_path / str(number), number
        written.clear()
        with pytest.raises(Killed):
            train_or_resume(config, folder)
        if folder.exists():
            saved.add(files.load(folder / runs.CHECKPOINT)["step"])
        train_or_resume(config, folder)
        several.assert_same_end(tmp_path / "whole", folder)
    assert saved == {0, 2, 4}


@pytest.mark.slow
@pytest.mark.skipif(not several.FORKS, reason="Windows has no fork server and no SIGKILL")
def test_two_processes_are_killed_at_drawn_moments(tmp_path, smoke):
    """By kill -9, both at once; what one process does is a part of what these two do."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    work = several.join_and, train_or_resume, smoke(steps=25, average=0.9, checkpoint_every=1)

    def start(folder, seconds):
        """Return the exit status of the first process."""
        return several.Several(tmp_path / "out", *work, folder).wait(seconds, grace=0)[0]

    moments, kills, status, seconds = random.Random(0), 0, None, 120.0
    assert start(whole, seconds) == 0
    while status != 0 or kills < KILLS:  # the last run is left to end
        began = time.monotonic()
        status = start(killed, moments.uniform(0, seconds) if kills < KILLS else 120)
        if status == 0:
            seconds = time.monotonic() - began
            several.assert_same_end(whole, killed)
            shutil.rmtree(killed)
        else:
            assert status == -signal.SIGKILL
            kills += 1
