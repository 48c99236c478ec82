"""Signals: a run ends between two steps, keeps what it has, and goes on as if nothing had been."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import torch
from several import complete, reopen, wait_for

from dcgan_utils import files, runs
from dcgan_utils.training import StoppedBetweenSteps

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has other signals")


def raise_in_step(training, step, *numbers):
    """Send this process signals in the middle of a step, between D's part and G's."""
    plain = training.generator.forward

    def forward(*given):
        if training.step == step and training.generator.training:
            training.generator.forward = plain
            for number in numbers:
                os.kill(os.getpid(), number)
        return plain(*given)

    training.generator.forward = forward


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_step_lets_the_step_be_finished(new_training, number):
    stopped, whole = new_training(steps=12), new_training(steps=12)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    raise_in_step(stopped, 7, number)
    with pytest.raises(StoppedBetweenSteps, match="after step 8 of 12") as told:
        stopped.run()
    assert "step 8 of 12" in told.value._render_traceback_()[0]  # all that a notebook shows
    assert stopped.step == 8 and len(stopped.history) == 8
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    assert stopped.run() is True and whole.run() is True
    for name in ("generator", "discriminator"):
        ours, theirs = getattr(stopped, name), getattr(whole, name)
        assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))
    assert torch.equal(stopped.history.rows[:, 2:], whole.history.rows[:, 2:])


def test_a_second_signal_stops_at_once(new_training):
    training = new_training(steps=12)
    raise_in_step(training, 7, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as told:
        training.run()
    assert told.type is KeyboardInterrupt and training.step == 7


def test_a_signal_that_is_ignored_or_handled_outside_python_is_left(new_training, monkeypatch):
    """As below `nohup`, or in a program that embeds Python; `getsignal` then answers None."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        training = new_training(steps=4)
        raise_in_step(training, 2, signal.SIGINT)
        assert training.run() is True
    finally:
        signal.signal(signal.SIGINT, usual)
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *given: pytest.fail("it was replaced"))
    assert new_training(steps=2).run() is True


def test_a_run_in_another_thread_works_without_signals(new_training):
    training = new_training(steps=2)
    thread = threading.Thread(target=training.run)
    thread.start()
    thread.join()
    assert training.step == 2


def test_a_stopped_run_saves_this_moment(tmp_path, new_training):
    training = new_training(steps=12)
    folder = runs.create(training, tmp_path / "run")
    raise_in_step(training, 7, signal.SIGINT)
    with pytest.raises(StoppedBetweenSteps):
        complete(training, folder)
    assert files.load(folder / runs.CHECKPOINT)["step"] == 8
    assert not (folder / "summary.json").exists(), "it is not finished"
    assert reopen(folder).step == 8


@pytest.mark.slow
def test_the_command_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "smoke", "--out"]
    command += ["my run", "--data", "embedded", "--steps", "100000"]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=tmp_path, **pipes, text=True)
    wait_for(tmp_path / "my run" / "metrics.csv", lambda: process.poll() is None)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    step = files.load(tmp_path / "my run" / runs.CHECKPOINT)["step"]
    assert f"Stopped at step {step}." in said and "dcgan_utils resume 'my run'" in said
