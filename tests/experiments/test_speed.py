"""The study of speed: both programs do the same work, and its arithmetic and tables are right."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

from dcgan_utils.config import preset
from experiments import harness, store
from experiments.studies import speed
from experiments.studies.tutorials import Tutorial

SMALL = preset("smoke", data="embedded", batch_size=4, device="cpu")  # 16x16, width 8
REAL = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def few(monkeypatch):
    """Let both programs train on a few small images, for as short a time as can be."""
    monkeypatch.setattr(speed, "digits", lambda *_: TensorDataset(REAL, torch.zeros(4)))
    monkeypatch.setattr(speed, "SETTINGS", dict.fromkeys(speed.SETTINGS, SMALL))
    monkeypatch.setattr(speed, "preset", lambda *_, **__: SMALL)
    for name, value in {"SECONDS": 0, "SIZE": 64, "JUDGED": 1000}.items():
        monkeypatch.setattr(speed, name, value)


def test_the_tutorials_loss_is_that_of_logits_and_a_step_changes_both_networks():
    program = Tutorial(TensorDataset(REAL, torch.zeros(4)), SMALL)
    networks = torch.nn.ModuleList([program.netG, program.netD])
    before = {name: p.clone() for name, p in networks.named_parameters()}
    logits = program.netD[0](REAL).detach()
    expected = F.binary_cross_entropy_with_logits(logits, torch.ones(4))
    loss_real, loss_d, loss_g, d_x, d_fake, d_fake_after = program.step(REAL)
    assert loss_real == pytest.approx(expected.item(), rel=1e-5)
    assert d_x == pytest.approx(torch.sigmoid(logits).mean().item(), rel=1e-5)
    assert loss_d > loss_real and d_fake_after != d_fake
    assert loss_g >= -math.log(d_fake_after), "Jensen: the mean of -log is above -log of the mean"
    assert not [n for n, p in networks.named_parameters() if torch.equal(p, before[n])]


def test_the_work_of_a_step_is_what_a_hand_counts(few):
    """Multiply-adds for one image of 16x16 with width 8.

    G, layer by layer, inputs x kernel x outputs: 100 x 16 x 16 + 16 x 16 (4x4) x 16 x 8 +
    64 (8x8) x 8 x 16 x 1. D: 64 x 1 x 16 x 8 + 16 x 8 x 16 x 16 + 1 x 16 x 16 x 1.
    """
    g_first, g = 25_600, 25_600 + 32_768 + 8_192
    d_first, d = 8_192, 8_192 + 32_768 + 256
    forward = g + 3 * d  # D sees real images, and fake ones twice
    d_step = 2 * (d + d - d_first)  # weights, and inputs but the image, for both batches
    g_step = d + g + g - g_first  # D's inputs; G's weights, and inputs but z
    ours = 2 * (forward + d_step + g_step) / 1e9
    theirs = ours + 2 * d / 1e9  # and D's weights in G's step
    assert speed.time_training("course", SMALL)["gflop"] == pytest.approx(ours, rel=1e-9)
    assert speed.time_training("tutorial", SMALL)["gflop"] == pytest.approx(theirs, rel=1e-9)


def test_the_pace_counts_the_timed_steps_only(monkeypatch):
    """A training whose first call takes 9 s, and then each step 0.5 s."""
    clock, asked = [0.0], []

    def run(steps):
        asked.append(steps)
        clock[0] += 0.5 * steps if len(asked) > 1 else 9.0

    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(speed, "SECONDS", 20)
    assert speed.steps_per_second(run) == 2
    assert asked == [2, 2, 40]


@pytest.mark.slow
def test_each_part_fills_its_lines_of_the_tables(few, run, monkeypatch):
    """Two turns of each, one of the start."""
    monkeypatch.setattr(speed, "in_fresh_process", lambda function, *given: function(*given))
    monkeypatch.setattr(speed, "START", [*speed.START, "--data", "embedded", "--width", "8"])
    plan = [k for k in speed.PLAN if k["run"] in ("0" if k["part"] == "startup" else "01")]
    monkeypatch.setattr(speed, "STUDY", dataclasses.replace(speed.STUDY, plan=plan))
    for part in ("startup", "digits", "speed-mnist64"):
        assert not speed.tables()["bench_speed"]
        rows = run("speed", "--only", part)
    tables = speed.tables()
    assert "| the first step, the program's start included | 1 | " in tables["bench_waits"]
    assert "| a distance of 10 | 0 | - |" in tables["bench_waits"]
    rows = store.select(rows, measure="images_per_second")
    theirs, ours = (store.numbers(store.select(rows, program=p), "value") for p in speed.PROGRAMS)
    course = tables["bench_speed"].splitlines()[-1]
    assert course.startswith("| 16×16, width 8, batch 4 | course | ")
    assert f" to {max(ours[0] / theirs[0], ours[1] / theirs[1]):.2f})" in course


@pytest.mark.slow
def test_a_fresh_process_has_as_many_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 2)
    try:
        assert harness.in_fresh_process(torch.get_num_threads) == before + 2
    finally:
        torch.set_num_threads(before)
