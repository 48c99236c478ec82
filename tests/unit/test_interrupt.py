"""Signals: a run ends between two steps, keeps what it has, and goes on as if nothing had been."""

import signal
import subprocess
import sys

import pytest
from several import assert_identical, complete, raise_in_step, reopen, state_of, wait_for

from dcgan_utils import files, runs
from dcgan_utils.training import StoppedBetweenSteps

if not hasattr(signal, "SIGKILL"):
    pytest.skip("Windows has other signals", allow_module_level=True)

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.fixture(autouse=True)
def heeded():
    """Heed all signals, as at a terminal: in the background and below `nohup` some are ignored."""
    handle = signal.signal  # which a test may replace
    usual = [handle(number, signal.default_int_handler) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, usual):
        handle(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
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
    assert_identical(state_of(stopped), state_of(whole))


def test_a_second_signal_stops_at_once(new_training):
    training = new_training(steps=12)
    raise_in_step(training, 7, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as told:
        training.run()
    assert told.type is KeyboardInterrupt and training.step == 7


def test_a_signal_that_is_ignored_or_handled_outside_python_is_left(new_training, monkeypatch):
    """As below `nohup`, or in a program that embeds Python; `getsignal` then answers None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    training = new_training(steps=4)
    raise_in_step(training, 2, signal.SIGINT)
    assert training.run() is True
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *given: pytest.fail("it was replaced"))
    assert new_training(steps=2).run() is True


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
