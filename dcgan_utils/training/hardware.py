"""What the machine can do: the device to train on, and the number format that is fast there."""

import faulthandler
import functools
import multiprocessing
import platform
import warnings
from typing import Literal

import torch

from ..config import UserError
from .processes import count_processes


def choose_device(name: str) -> torch.device:
    """Return the device that a setting means.

    Parameters
    ----------
    name
        "auto" for CUDA, else Apple's MPS, else the CPU; or a PyTorch device such as "cuda:1".

    Raises
    ------
    UserError
        If there is no such device here.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    present = ["cpu"] + ([found.type] if found else [])
    if name == "auto":
        return torch.device(found.type if found and found.type in ("cuda", "mps") else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    count = torch.accelerator.device_count() if found else 0
    if device is None or device.type not in present or (device.index or 0) >= max(count, 1):
        raise UserError(
            f"There is no device {name!r} here; there are: {', '.join(present)}, or auto."
        )
    return device


def choose_precision(name: str, device: torch.device) -> Literal["float32", "bf16"]:
    """Return "bf16" or "float32".

    "auto" takes bf16 only where the hardware multiplies it natively: elsewhere it is emulated, and
    slower than float32.

    Parameters
    ----------
    name
        "auto", "bf16" or "float32".
    device
        Where the run computes.

    Raises
    ------
    UserError
        If bf16 is asked for by name and this processor would crash on it.
    """
    if name == "float32" or (name == "auto" and not _reports_bf16(device)):
        return "float32"
    if device.type == "cpu" and not runs_bf16():
        if name == "bf16":
            raise UserError(
                "precision is 'bf16', but this processor stops programs that use it: it reports "
                "AMX instructions and does not run them, as some virtual machines do. Choose "
                "float32."
            )
        return "float32"
    return "bf16"


def _reports_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    reported = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(reported.get("avx512_bf16") or reported.get("amx_bf16"))


@functools.cache
def runs_bf16() -> bool:
    """Multiply two matrices in a process of its own, if the CPU reports AMX; say if it survived.

    Some virtual machines report AMX and stop a program that uses it as an illegal instruction. No
    exception can be caught then, so another process has to find out. Where the system can fork,
    this takes milliseconds; elsewhere PyTorch is imported once more, in about 2 seconds.
    """
    if not torch.cpu.get_capabilities().get("amx_bf16"):
        return True
    forks = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork") if forks else multiprocessing.get_context("spawn")
    process = context.Process(target=multiply_in_bf16)
    with warnings.catch_warnings():  # Python 3.12 warns of forks beside threads: one is safe here,
        warnings.simplefilter("ignore", DeprecationWarning)  # as in DataLoader's workers
        process.start()
    process.join(timeout=20)
    process.kill()
    return process.exitcode == 0


def multiply_in_bf16() -> None:
    """Multiply two small matrices in bfloat16, or be stopped by the processor."""
    faulthandler.disable()  # a crash is an answer here, nothing to report
    torch.set_num_threads(1)  # the parent's threads are not in a fork
    a = torch.ones(64, 64, dtype=torch.bfloat16)
    a @ a


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which convolutions compute in `precision`.

    Its casts of the weights are kept until the context ends, so it must not span an optimizer step.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def require_compiler(device: torch.device) -> None:
    """Compile a trifle, so that a compiler that is not there is noticed before training.

    Raises
    ------
    UserError
        If `torch.compile` does not work on this machine.
    """
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(8, device=device))
    except Exception as error:  # of PyTorch's compiler or of the system's, each with its own kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"compile is True, but PyTorch can't compile here ({reason}). Install what it names, "
            f"or leave compile out."
        ) from error


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout in which the device's convolutions are fast."""
    gains = device.type == "cuda" or (device.type == "cpu" and torch.backends.mkldnn.is_available())
    return torch.channels_last if gains else torch.contiguous_format


def device_name(device: torch.device) -> str:
    """Return the device with its hardware's name, such as "cuda (NVIDIA H100)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        name = torch.cpu.get_capabilities().get("cpu_name", platform.machine())
        return f"cpu ({name}, {torch.get_num_threads()} threads)"
    return device.type


def environment(device: torch.device) -> dict[str, str]:
    """Return what the last bits of a result depend on, besides settings, data and seed."""
    return {
        "PyTorch": str(torch.__version__),
        "device": device_name(device),
        "processes": str(count_processes()),
    }
