"""Start several processes that join, as torchrun does it, but from a server that has imported all.

What a process returns, or the error that ends it, comes back in a file; so does what it prints.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import sys
import traceback
from pathlib import Path

import pytest
import torch

from dcgan_utils.training import joined

HERE = str(Path(__file__).parent)
FORKS = "forkserver" in multiprocessing.get_all_start_methods()


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


def environment_of(rank: int, count: int, port: int, held: bool) -> dict[str, str]:
    """Return what torchrun tells a process on a single machine."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "TORCHELASTIC_USE_AGENT_STORE": str(held),
        "TORCHELASTIC_RESTART_COUNT": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _act(function, arguments, environment, out: Path) -> None:
    os.environ.update(environment)
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
    """Processes that have been started, each to call one function.

    Parameters
    ----------
    folder
        Where what they return and print is kept.
    function, arguments
        What each calls; what it returns must be tensors and plain values.
    count, started
        How many processes are said to be there, and how many of them are started; by default all.
    port
        Where the first of them opens the others' meeting place; by default it is open already.
    """

    def __init__(
        self,
        folder: Path,
        function,
        *arguments,
        count: int = 2,
        started: int | None = None,
        port: int | None = None,
    ):
        context = warm_context()
        folder.mkdir(exist_ok=True)
        self.files = [folder / f"{rank}.pt" for rank in range(started or count)]
        self.store = None
        if port is None:  # as torchrun does, whose own process holds what the others say
            self.store = torch.distributed.TCPStore(
                "127.0.0.1", 0, is_master=True, wait_for_workers=False
            )
            port = self.store.port
        self.processes = [
            context.Process(
                target=_act,
                args=(
                    function,
                    arguments,
                    environment_of(rank, count, port, self.store is not None),
                    file,
                ),
            )
            for rank, file in enumerate(self.files)
        ]
        for process in self.processes:
            process.start()

    def wait(self, seconds: float | None = 60) -> list[int | None]:
        """Wait until all have ended, at most so long each; return their exit codes."""
        for process in self.processes:
            process.join(seconds)
        return [process.exitcode for process in self.processes]

    def kill(self) -> None:
        """Kill all, and wait for their end."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    def printed(self, rank: int, name: str = "stderr") -> str:
        """Return what one has printed."""
        return self.files[rank].with_suffix(f".{name}").read_text(encoding="utf-8")

    def results(self) -> list:
        """Return what each has returned, once all have ended well."""
        codes = self.wait()
        said = "\n".join(self.printed(rank) for rank in range(len(self.files)))
        assert codes == [0] * len(codes), said
        return [torch.load(file, weights_only=True) for file in self.files]


def join_and(function, *arguments):
    """Call a function among the processes that have joined."""
    with joined():
        return function(*arguments)
