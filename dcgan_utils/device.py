"""What a run computes on: the device, the number format that is fast there, several processes."""

import contextlib
import dataclasses
import datetime
import faulthandler
import functools
import gc
import importlib
import multiprocessing
import os
import platform
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from .config import Config, UserError


def decide_device(config: Config) -> Config:
    """Return the settings with the device, precision and threads in use; or `UserError`."""
    device, count = choose_device(config.device), world_size()
    if config.batch_size % count:
        batch = f"batch_size is {config.batch_size}, but there are {count} processes"
        raise UserError(f"{batch}; allowed: a multiple of that, so that all take equal shares.")
    local, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if count > 1 and device.type != "cpu" and (str(device) != "cuda" or local >= there):
        lacking = f"device is {str(device)!r}, but process {local + 1} here needs a GPU of its own"
        raise UserError(f"{lacking}; allowed: cuda, for {there} processes here at most, or cpu.")
    precision = choose_precision(config.precision, device)
    # More than one wait for each other hundreds of times a step, and for a busy neighbor each time.
    threads = config.threads or (1 if config.image_size <= 32 else torch.get_num_threads())
    return dataclasses.replace(config, device=str(device), precision=precision, threads=threads)


def choose_device(name: str) -> torch.device:
    """Return the device that a setting means; raise `UserError` if it is not here.

    "auto" is CUDA, else Apple's MPS, else the CPU; others are PyTorch devices such as "cuda:1".
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return torch.device(found.type if found and found.type in ("cuda", "mps") else "cpu")
    present = {"cpu": 1} | ({found.type: torch.accelerator.device_count()} if found else {})
    known = {f"{kind}:{index}" for kind, count in present.items() for index in range(count)}
    if name not in known | {*present}:
        raise UserError(f"There is no device {name!r} here; there are: {', '.join(present)}, auto.")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> Literal["float32", "bf16"]:
    """Return "bf16" or "float32"; raise `UserError` if bf16 is asked for and would crash here.

    "auto" takes bf16 only where the hardware multiplies it natively: elsewhere it is emulated, and
    slower than float32.
    """
    if name == "auto":
        if device.type == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            reported = cpu_capabilities() if device.type == "cpu" else {}
            fast = (reported.get("avx512_bf16") or reported.get("amx_bf16")) and runs_bf16()
        return "bf16" if fast else "float32"
    if name == "bf16" and device.type == "cpu" and not runs_bf16():
        raise UserError(
            "precision is 'bf16', but this processor stops programs that use it: it reports AMX "
            "instructions and does not run them, as some virtual machines do. Choose float32."
        )
    return "bf16" if name == "bf16" else "float32"


def cpu_capabilities() -> dict:
    """Return what PyTorch knows of the processor; before version 2.12 or so, nothing."""
    return getattr(torch.cpu, "get_capabilities", dict)()


@functools.cache
def runs_bf16() -> bool:
    """Say whether a process survives bf16: some virtual machines report AMX and kill its users."""
    if not cpu_capabilities().get("amx_bf16"):
        return True
    forks = "fork" in multiprocessing.get_all_start_methods()  # in milliseconds; else 2 seconds
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    process = context.Process(target=_multiply_in_bf16)
    with warnings.catch_warnings():  # Python 3.12 warns of forks beside threads: one is safe here,
        warnings.simplefilter("ignore", DeprecationWarning)  # as in DataLoader's workers
        process.start()
    process.join(timeout=20)
    process.kill()
    return process.exitcode == 0


def _multiply_in_bf16() -> None:
    faulthandler.disable()  # a crash is an answer here, nothing to report
    torch.set_num_threads(1)  # the parent's threads are not in a fork
    a = torch.ones(64, 64, dtype=torch.bfloat16)
    a @ a


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which convolutions compute in `precision`; it keeps casts of weights."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout in which the device's convolutions are fast."""
    gains = device.type == "cuda" or (device.type == "cpu" and torch.backends.mkldnn.is_available())
    return torch.channels_last if gains else torch.contiguous_format


def device_name(device: torch.device) -> str:
    """Return the device with its hardware's name, such as "cuda (NVIDIA H100)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"cpu ({cpu_capabilities().get('cpu_name', platform.machine())})"
    return device.type


def environment(config: Config) -> str:
    """Return what the last bits of a result depend on, besides data, seed and other settings."""
    there = f"{device_name(torch.device(config.device))}, {config.threads} thread(s)"
    return f"PyTorch {torch.__version__}, {there}, {world_size()} process(es)"


# Several processes, started by torchrun. Each takes its share of every batch, and all step along
# the mean of their gradients, which PyTorch's DistributedDataParallel (DDP) computes. All draw the
# same random numbers, for whole batches; batch norm stays within a share. The first one writes.


def world_size() -> int:
    """Return how many processes train together; 1 if this one has joined no others."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return which of the processes this is, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the processes that `torchrun` has started, if it has; `UserError` if one is lost."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    # DDP imports it, and its functions' defaults would hold a group that was there before it.
    importlib.import_module("torch.distributed.nn.functional")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if local < torch.cuda.device_count():
        torch.cuda.set_device(local)  # what "cuda" then means here
    dist.init_process_group(timeout=datetime.timedelta(minutes=5))  # of silence
    gone = False
    try:
        yield
        on_any_process(False)  # none leaves while the first one still writes
    except KeyboardInterrupt:  # which all have noticed
        on_any_process(False)
        raise
    except RuntimeError as error:
        gone = isinstance(error, dist.DistError) or "gloo" in str(error).lower()
        if not gone:
            raise
        raise UserError("Another process has ended; resume from the last checkpoint.") from error
    finally:
        if not gone:  # or the group can't be taken down together any more
            dist.destroy_process_group()
            gc.collect()  # what is left of DDP: a thread that outlives Python can abort the process


@contextlib.contextmanager
def first_process_first() -> Iterator[None]:
    """Let the first process do something, such as a download, before the others begin it."""
    if world_size() == 1:
        yield
        return
    patient: Any = dist.new_group(backend="gloo", timeout=datetime.timedelta(days=1))
    if rank() > 0:
        dist.barrier(patient)
    yield
    if rank() == 0:
        dist.barrier(patient)


def averaging(network: nn.Module) -> nn.Module:
    """Return a network whose gradients become the mean over the processes as it goes backward."""
    if world_size() == 1:
        return network
    # Of a layer with one channel, whose layout is two layouts at once; nothing is slower.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    # PyTorch can't copy statistics before D's second forward pass. Newer versions rename this.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(network, broadcast_buffers=False)


def mean_over_processes(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the mean of each of some scalars over the processes."""
    if world_size() == 1:
        return values
    sums = torch.stack([*values.values()])
    dist.all_reduce(sums)
    return dict(zip(values, sums / world_size()))


def on_any_process(here: bool) -> bool:
    """Return whether something is so on one process at least, without waiting for a GPU."""
    if world_size() == 1:
        return here
    flag = torch.tensor([float(here)])
    dist.all_reduce(flag)
    return bool(flag)
