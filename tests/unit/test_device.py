"""What a run computes on: the device, and the number format that is fast there."""

import contextlib
import faulthandler
import os
import signal

import pytest
import torch
from several import LABELED
from torch.overrides import TorchFunctionMode

from dcgan_utils import device, training
from dcgan_utils.config import UserError
from dcgan_utils.data import load_images
from dcgan_utils.device import choose_device, choose_precision, decide_device
from dcgan_utils.training import Training


@pytest.mark.parametrize(
    ("kind", "auto"), [("cuda", "cuda"), ("mps", "mps"), ("xpu", "cpu"), (None, "cpu")]
)
def test_auto_is_an_accelerator_that_the_course_knows(monkeypatch, kind, auto):
    found = kind and torch.device(kind)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: kind is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: found)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device(auto)
    assert choose_device("cpu") == torch.device("cpu")
    if kind:
        assert choose_device(f"{kind}:1") == torch.device(kind, 1)
    for name in ("tpu", "cuda:99", "meta", "gpu", f"{kind}:2"):
        with pytest.raises(UserError, match=f"'{name}'.*cpu"):
            choose_device(name)


@pytest.mark.parametrize(
    ("name", "local", "allowed"),
    [("cuda", 1, True), ("cuda", 2, False), ("cuda:0", 0, False), ("cpu", 5, True)],
)
def test_each_of_several_processes_needs_a_gpu_of_its_own(monkeypatch, smoke, name, local, allowed):
    """Four on a machine with two GPUs; alone, a process may take the one that is named."""
    monkeypatch.setattr(device, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", str(local))
    config = smoke(device=name)
    assert decide_device(config).device == name
    monkeypatch.setattr(device, "world_size", lambda: 4)
    with pytest.raises(UserError, match="batch_size is 33.*4 processes"):
        decide_device(smoke(device=name, batch_size=33))
    if allowed:
        assert decide_device(config).device == name
    else:
        with pytest.raises(UserError, match=f"device is '{name}'.*allowed: cuda, for 2 .*cpu"):
            decide_device(config)


class Random(torch.Generator):
    """A generator on the CPU that says it is where it was asked for."""

    def __new__(cls, device="cpu"):
        random = super().__new__(cls, "cpu")
        random.asked = torch.device(device)
        return random

    device = property(lambda self: self.asked)


class SameDevice(TorchFunctionMode):
    """Whatever is drawn lies where its generator is, as an accelerator demands."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result, random = function(*args, **(kwargs or {})), (kwargs or {}).get("generator")
        assert random is None or random.device == result.device, function
        return result


def test_a_step_mixes_no_devices_and_waits_for_none(smoke, monkeypatch):
    """PyTorch's "meta" device computes shapes alone, and refuses other tensors, and to be read."""
    monkeypatch.setattr(torch, "Generator", Random)
    monkeypatch.setattr(device, "decide_device", lambda config: config)
    # neither of which knows "meta"
    monkeypatch.setattr(training, "autocast", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(
        training, "Adam", lambda weights, *options, fused: torch.optim.Adam(weights, *options)
    )
    config = smoke(device="meta", spectral_norm=True, average=0.9, **LABELED)
    images = load_images(config)
    with SameDevice():
        run = Training(config, images)
        for _ in range(2):
            values, real, fake = run.train_step()
    everything = [*values.values(), real, fake, run.fixed_latents, *run.average.parameters()]
    assert {tensor.device.type for tensor in everything} == {"meta"}


@pytest.fixture
def processor(monkeypatch):
    """A function that sets what the processor reports; whether bf16 runs on it is asked anew."""

    def reports(**capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        device.runs_bf16.cache_clear()

    yield reports
    device.runs_bf16.cache_clear()


def test_precision_follows_the_hardware(processor):
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == "float32"
    processor(avx2=True)
    assert (choose_precision("auto", cpu), choose_precision("bf16", cpu)) == ("float32", "bf16")
    processor(avx512_bf16=True)
    assert choose_precision("auto", cpu) == "bf16"
    assert choose_precision("auto", torch.device("mps")) == "float32"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows cannot fork")
@pytest.mark.parametrize("runs", [True, False])
def test_bf16_where_amx_is_reported(processor, monkeypatch, runs):
    """Some virtual machines stop a program that uses it."""

    def multiply():
        if not runs:
            faulthandler.disable()  # or pytest prints where, over many lines
            os.kill(os.getpid(), signal.SIGILL)

    processor(amx_bf16=True)
    monkeypatch.setattr(device, "_multiply_in_bf16", multiply)
    assert choose_precision("auto", torch.device("cpu")) == ("bf16" if runs else "float32")
    if not runs:
        with pytest.raises(UserError, match="AMX"):
            choose_precision("bf16", torch.device("cpu"))


@pytest.mark.skipif(not device.runs_bf16(), reason="this processor does not run bf16")
def test_bf16_trains_as_float32_does(new_training):
    """At a rate at which weights that are cast before D's step, not after it, would show."""
    numbers = []
    for precision in ("float32", "bf16"):
        run = new_training(device="cpu", learning_rate=0.01, precision=precision)
        steps = [torch.stack([*run.train_step()[0].values()]) for _ in range(3)]
        numbers.append(torch.stack(steps))
    float32, bf16 = numbers  # (steps, numbers)
    assert not torch.equal(float32, bf16), "it did compute in another precision"
    torch.testing.assert_close(bf16, float32, rtol=0, atol=0.08)
    change = float32[:, 4] - float32[:, 3]  # of D(G(z)), by D's step
    assert change.abs().max() > 2 * 0.08
