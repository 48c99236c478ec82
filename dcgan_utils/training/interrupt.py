"""Ctrl-C and a termination signal: a run ends between two steps, never inside one."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class StoppedBetweenSteps(KeyboardInterrupt):
    """A signal asked the run to stop; its state is that after a whole step, and can be saved.

    In a notebook it is an error, so that the cells below are not run, but without a traceback.
    """

    def __init__(self, step: int, total: int):
        super().__init__(f"Stopped after step {step:,} of {total:,}, between two steps.")

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows in place of a traceback."""
        return [
            str(self),
            "To go on from there, run this cell again. To begin anew, first run the cell with",
            "`Training(...)` and the cells between. The cells below have not been run.",
        ]


@contextlib.contextmanager
def signals_wait() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C or SIGTERM only be noted; yield a function that says if one has come.

    A second one has its usual effect at once. Outside of the main thread, which alone gets
    signals, nothing is changed.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    usual = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for name, handler in usual.items():
            signal.signal(name, handler)

    def note(number: int, frame: object) -> None:
        noted.append(number)
        restore()

    for name, handler in usual.items():
        if callable(handler) or handler == signal.SIG_DFL:  # what is ignored stays ignored
            signal.signal(name, note)
    try:
        yield lambda: bool(noted)
    finally:
        restore()
