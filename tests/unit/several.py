"""Start processes that join, as torchrun does it, but from a server that has imported all.

What a process returns, or the error that ends it, comes back in a file; so does what it prints.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dcgan_utils import device, files, runs
from dcgan_utils.data import load_images
from dcgan_utils.training import Training

HERE = str(Path(__file__).parent)
LABELED = {"conditional": True, "wrong_pairs": True}  # settings
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
FILES = {
    *(".lock", "config.json", "metrics.csv", "summary.json", "checkpoint.pt", "checkpoints"),
    *("G.pth", "D.pth", "losses.png", "scores.png", "animation.png", "filmstrip.png"),
    "real_beside_fake.png",
}


def training_of(config):
    """Return a run in memory."""
    return Training(config, load_images(config))


def complete(training, folder: Path) -> dict:
    """Train a run in its folder to its end, without a word."""
    return runs.complete(training, folder, lambda report: None)


def reopen(folder: Path, **options) -> Training:
    """Return a run as of its last checkpoint."""
    return runs.load_training(runs.checkpoint_of(folder), **options)


def wait_for(path: Path, is_alive: Callable[[], object], seconds: float = 120) -> None:
    """Wait until a file is there, while what makes it is alive."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert is_alive() and time.monotonic() < end
        time.sleep(0.01)


def raise_in_step(training: Training, step: int, *numbers: int) -> None:
    """Send this process signals in the middle of a step, between D's part and G's."""
    plain = training.generator.forward

    def forward(*given):
        if training.step == step and training.generator.training:
            training.generator.forward = plain
            for number in numbers:
                os.kill(os.getpid(), number)
        return plain(*given)

    training.generator.forward = forward


def assert_identical(a, b, where="state"):
    """Compare nested dicts, lists and tensors bit by bit."""
    if isinstance(a, (list, tuple)):
        a, b = dict(enumerate(a)), dict(enumerate(b))
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_identical(a[key], b[key], f"{where}[{key!r}]")
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, where


def state_of(training: Training) -> dict:
    """Return all that the rest of a run depends on, but for the clock."""
    return without_clock(training.state_dict())


def without_clock(state: dict) -> dict:
    """Return a checkpoint's content with its times set to 0; NaN becomes a number."""
    history = state["history"].nan_to_num(-99.0)
    history[:, 1] = 0
    return {**state, "seconds": 0, "history": history}


def assert_same_end(first: Path, second: Path) -> None:
    """Compare all that a run ends with, kept checkpoints included, but for the clock."""
    a, b = ({path.relative_to(run) for path in run.rglob("*")} for run in (first, second))
    assert a == b
    for name in a:
        if name.suffix == ".pt":
            states = (without_clock(files.load(run / name)) for run in (first, second))
            assert_identical(*states, str(name))
    for name in ("G.pth", "D.pth", "config.json", "animation.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def warm_context() -> multiprocessing.context.ForkServerContext:
    """Return a context whose processes have all imports and the digits when they begin.

    The server finds `warm` only on Python's own path, whatever pytest has added to it here.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["warm"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", HERE, prepend=os.pathsep)
        multiprocessing.forkserver.ensure_running()
    return context


def _act(function, arguments, environment, out: Path) -> None:
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the background ignores it
    torch.set_num_threads(1)
    for name in ("stdout", "stderr"):
        file = open(out.with_suffix(f".{name}"), "w", buffering=1, encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    try:
        torch.save(function(*arguments), out)
    except Exception:
        traceback.print_exc()
        raise


class Several:
    """Two processes that have been started, each to call one function.

    What it returns must be tensors and plain values; it is kept in a folder, as what they print.
    """

    def __init__(self, folder: Path, function, *arguments):
        context = warm_context()
        folder.mkdir(exist_ok=True)
        self.files = [folder / f"{rank}.pt" for rank in range(2)]
        # As torchrun does, whose own process holds what they tell one another.
        self.store = torch.distributed.TCPStore(
            "127.0.0.1", 0, is_master=True, wait_for_workers=False
        )
        self.processes = []
        for rank, file in enumerate(self.files):
            environment = {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "TORCHELASTIC_USE_AGENT_STORE": "True",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(self.store.port),
            }
            work = (function, arguments, environment, file)
            self.processes.append(context.Process(target=_act, args=work))
            self.processes[-1].start()

    def wait(self, seconds: float = 60, grace: float = 5) -> list[int | None]:
        """Wait for the first one, then a little for each; kill what is left; return exit codes."""
        self.processes[0].join(seconds)
        for process in self.processes:
            process.join(grace)
            process.kill()
            process.join()
        return [process.exitcode for process in self.processes]

    def printed(self, rank: int, name: str = "stderr") -> str:
        """Return what one has printed."""
        return self.files[rank].with_suffix(f".{name}").read_text(encoding="utf-8")

    def results(self) -> list:
        """Return what each has returned, once both have ended well."""
        codes = self.wait()
        assert codes == [0, 0], self.printed(0) + self.printed(1)
        return [torch.load(file, weights_only=True) for file in self.files]


def join_and(function, *arguments):
    """Call a function among the processes that have joined."""
    with device.joined():
        return function(*arguments)
