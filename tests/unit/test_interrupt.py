"""Signals: a run ends between two steps, keeps what it has, and goes on as if nothing had been."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from dcgan_utils import files, runs
from dcgan_utils.training import StoppedBetweenSteps

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has other signals")


def raise_in_step(training, step, number=signal.SIGINT):
    """Send this process a signal in the middle of a step, between D's part and G's."""
    plain, original = training.generator.forward, training.train_step

    def forward(*given):
        if training.step == step and training.generator.training:
            training.generator.forward = plain
            os.kill(os.getpid(), number)
        return plain(*given)

    training.generator.forward = forward
    return original


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_step_lets_the_step_be_finished(new_training, number):
    stopped, whole = new_training(steps=12), new_training(steps=12)
    raise_in_step(stopped, 7, number)
    with pytest.raises(StoppedBetweenSteps, match="after step 8 of 12") as told:
        stopped.run()
    shown = "\n".join(told.value._render_traceback_())  # all that a notebook shows
    assert "step 8 of 12" in shown and "run this cell again" in shown and len(shown) < 300
    assert stopped.step == 8 and len(stopped.history) == 8
    assert stopped.run() is True and whole.run() is True
    for name in ("generator", "discriminator"):
        ours, theirs = getattr(stopped, name), getattr(whole, name)
        assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))
    assert torch.equal(stopped.history.rows[:, 2:], whole.history.rows[:, 2:])


def test_usual_handlers_are_back_after_a_run(new_training):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    new_training(steps=1).run()
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_a_run_in_another_thread_works_without_signals(new_training):
    training = new_training(steps=2)
    thread = threading.Thread(target=training.run)
    thread.start()
    thread.join()
    assert training.step == 2


def test_a_stopped_run_saves_this_moment(tmp_path, smoke):
    config = smoke(steps=12, checkpoint_every=5)
    training = runs.create(config, tmp_path / "run")
    raise_in_step(training, 7)
    with pytest.raises(StoppedBetweenSteps):
        runs.complete(training, tmp_path / "run", lambda report: None)
    assert files.load(tmp_path / "run" / runs.CHECKPOINT)["step"] == 8
    assert runs.complete(runs.reopen(tmp_path / "run"), tmp_path / "run", lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_go_on(tmp_path, number):
    command = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "smoke", "--out"]
    options = ["my run", "--data", "embedded", "--steps", "100000", "--epochs", "1000"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "Training on" in process.stdout.readline()
    while (tmp_path / "my run" / "metrics.csv").exists() is False:
        assert process.poll() is None
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    assert "To go on: python -m dcgan_utils resume 'my run'" in said
