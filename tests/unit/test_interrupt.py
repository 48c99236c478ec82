"""Signals: a run ends between two steps, keeps what it has, and goes on as if nothing had been."""

import signal

import pytest
from several import assert_identical, raise_in_step, state_of

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
