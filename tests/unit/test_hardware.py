"""What the machine can do: the device, and the number format that is fast there."""

import faulthandler
import os
import signal

import pytest
import torch

from dcgan_utils.config import UserError
from dcgan_utils.training import hardware
from dcgan_utils.training.hardware import choose_device, choose_precision


def test_a_device_that_is_not_there_is_refused():
    for name in ("tpu", "cuda:99", "meta", "gpu"):
        with pytest.raises(UserError, match=f"'{name}'.*cpu"):
            choose_device(name)


@pytest.fixture
def processor(monkeypatch):
    """A function that sets what the processor reports; whether bf16 runs on it is asked anew."""

    def reports(**capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        hardware.runs_bf16.cache_clear()

    yield reports
    hardware.runs_bf16.cache_clear()


def test_precision_follows_the_hardware(processor):
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == "float32"
    processor(avx2=True)
    assert choose_precision("auto", cpu) == "float32"
    assert choose_precision("bf16", cpu) == "bf16"
    processor(avx512_bf16=True)
    assert choose_precision("auto", cpu) == "bf16"
    assert choose_precision("auto", torch.device("mps")) == "float32"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows cannot fork")
def test_bf16_where_amx_is_reported_but_does_not_run(processor, monkeypatch):
    def crash():
        faulthandler.disable()  # or pytest prints where, over many lines
        os.kill(os.getpid(), signal.SIGILL)

    processor(amx_bf16=True)
    monkeypatch.setattr(hardware, "multiply_in_bf16", crash)
    assert choose_precision("auto", torch.device("cpu")) == "float32"
    with pytest.raises(UserError, match="AMX"):
        choose_precision("bf16", torch.device("cpu"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows cannot fork")
def test_bf16_where_amx_runs(processor, monkeypatch):
    processor(amx_bf16=True)
    monkeypatch.setattr(hardware, "multiply_in_bf16", lambda: None)
    assert choose_precision("auto", torch.device("cpu")) == "bf16"
