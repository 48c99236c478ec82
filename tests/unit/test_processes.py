"""One run by several processes: what they compute, and how they begin, stop and fail together."""

import contextlib
import copy
import dataclasses
import functools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch
from several import FORKS, Several, join_and
from test_runs import FILES, assert_identical, assert_same_end
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError, preset
from dcgan_utils.data import load_images
from dcgan_utils.losses import OBJECTIVES, non_saturating
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import (
    Diverged,
    StoppedBetweenSteps,
    Training,
    choose_precision,
    discriminator_step,
    processes,
)
from dcgan_utils.training.average import Average
from dcgan_utils.training.processes import with_synced_batch_norm

pytestmark = pytest.mark.skipif(not FORKS, reason="Windows has no fork server and no SIGKILL")
KILLS = int(os.environ.get("DCGAN_KILLS", "20"))


def settings(**changes):
    return preset("smoke", **{"data": "embedded", "steps": 30, "average": 0.9, **changes})


def training_of(config):
    return Training(config, load_images(config))


# What they compute


class Counted(DistributedDataParallel):
    """DDP that counts the numbers that it sends."""

    numbers: Counter = Counter()

    def __init__(self, network, **options):
        super().__init__(network, **options)
        self.register_comm_hook(None, self.send)

    def send(self, state, bucket):
        Counted.numbers[type(self.module).__name__] += bucket.buffer().numel()
        return allreduce_hook(None, bucket)


class SyncedBatchNorm(nn.BatchNorm2d):
    """What `nn.SyncBatchNorm` computes in training, on a CPU, where PyTorch has none."""

    def forward(self, images):
        own = torch.cat([images.sum((0, 2, 3)), images.new_tensor([images[:, 0].numel()])])
        total, count = all_reduce(own).split([images.shape[1], 1])
        centered = images - (total / count)[:, None, None]
        variance = all_reduce(centered.square().sum((0, 2, 3))) / count
        scale = self.weight / (variance + self.eps).sqrt()
        return centered * scale[:, None, None] + self.bias[:, None, None]


def steps_of(config, count, synced=False, turns=1):
    """Take steps on one of several processes, or alone; return all that can be compared."""
    OBJECTIVES["turns"] = lambda c: dataclasses.replace(non_saturating(c), steps_of_d=turns)
    training, seen = training_of(config), []
    if synced:
        for module in [*training.generator.modules(), *training.discriminator.modules()]:
            if isinstance(module, nn.BatchNorm2d):
                module.__class__ = SyncedBatchNorm
    shown, processes.DistributedDataParallel = training.batches.batch, Counted
    training.batches.batch = lambda number: seen.append(shown(number)) or seen[-1]
    training.run(steps=count)
    return {
        **training.state_dict(),
        "gradients of D": [p.grad for p in training.discriminator.parameters()],
        "gradients of G": [p.grad for p in training.generator.parameters()],
        "seen": torch.stack([images[training.processes.share] for images, _ in seen]),
        "sent": dict(Counted.numbers),
    }


def by_hand(config, count, number_of_processes):
    """Take the same steps in one process: shares one after another, and gradients averaged.

    Nothing of several processes is used here, nor the two steps of the course: each share has a
    copy of both networks, whose gradients are replaced by the weighted mean of all.
    """
    alone, size = training_of(config), config.batch_size
    ends = [rank * size // number_of_processes for rank in range(number_of_processes + 1)]
    shares = [slice(*pair) for pair in zip(ends, ends[1:])]
    weights = [(share.stop - share.start) / size for share in shares]
    pairs = [copy.deepcopy((alone.generator, alone.discriminator)) for _ in shares]

    def adam(network):
        return torch.optim.Adam(
            network.parameters(), config.learning_rate, (config.beta1, config.beta2), fused=True
        )

    optimizers = [[adam(network) for network in pair] for pair in pairs]
    average, objective, rows = Average(pairs[0][0], config.average), alone.objective, []

    def step(which, losses):
        networks = [pair[which] for pair in pairs]
        gradients = [
            torch.autograd.grad(loss, list(network.parameters()))
            for loss, network in zip(losses, networks)
        ]
        for network, optimizer in zip(networks, [pair[which] for pair in optimizers]):
            for parameter, *parts in zip(network.parameters(), *gradients):
                parameter.grad = sum(w * part for w, part in zip(weights, parts))
            optimizer.step()

    def score(outputs):
        return objective.score(outputs.detach()).mean()

    for number in range(count):
        for turn in range(objective.steps_of_d):
            real, _ = alone.batches.batch(number * objective.steps_of_d + turn)
            z = draw_latents(size, config.latent_size, config.latent, alone.random)
            fakes = [g(z[share]) for (g, _), share in zip(pairs, shares)]
            says = [
                (d(real[share]), d(fake.detach()))
                for (_, d), share, fake in zip(pairs, shares, fakes)
            ]
            losses_d = [objective.discriminator_loss(*pair) for pair in says]
            step(1, losses_d)
        after = [d(fake) for (_, d), fake in zip(pairs, fakes)]
        losses_g = [objective.generator_loss(outputs) for outputs in after]
        step(0, losses_g)
        average.update(number)
        values = [
            torch.stack([d, g, score(of_real), score(of_fake), score(outputs)])
            for d, g, (of_real, of_fake), outputs in zip(losses_d, losses_g, says, after)
        ]
        rows.append(sum(w * value.detach() for w, value in zip(weights, values)))
    return {
        "networks": [[network.state_dict() for network in pair] for pair in pairs],
        "averaged": average.state_dict(),
        "random": alone.random.get_state(),
        "history": torch.stack(rows).double(),
    }


def assert_close(ours, theirs):
    assert list(ours) == list(theirs)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


CASES = {
    "halves": ({}, 2),
    "uneven": ({"batch_size": 33}, 2),
    "thirds": ({"latent": "uniform", "real_label": 0.9}, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_the_steps_are_those_of_one_process_that_averages_over_the_shares(tmp_path, case):
    changes, count = CASES[case]
    config = settings(learning_rate=0.002, **changes)
    found = Several(tmp_path / "all", join_and, steps_of, config, 6, count=count).results()
    expected = by_hand(config, 6, count)
    for state, networks in zip(found, expected["networks"]):
        for name, theirs in zip(("generator", "discriminator"), networks):
            assert_close(state[name], theirs)  # running statistics included: each has its own
        torch.testing.assert_close(state["history"][:, 2:], expected["history"], rtol=0, atol=1e-5)
        assert torch.equal(state["random"], expected["random"])
        assert_identical(state["optimizers"], found[0]["optimizers"])
        assert_identical(state["gradients of D"], found[0]["gradients of D"])
        for name, _ in training_of(config).generator.named_parameters():
            assert torch.equal(state["generator"][name], found[0]["generator"][name])
    assert_close(found[0]["averaged"], expected["averaged"])
    assert all(state["averaged"] is None for state in found[1:]), "the average is kept once"
    assert [bool(state["frames"]) for state in found] == [True] + [False] * (count - 1)


def test_together_they_see_the_images_of_one_process(tmp_path):
    config = settings(batch_size=33)
    found = Several(tmp_path / "all", join_and, steps_of, config, 6).results()
    alone = steps_of(config, 6)
    assert [state["seen"].shape[1] for state in found] == [16, 17]
    assert torch.equal(torch.cat([state["seen"] for state in found], dim=1), alone["seen"])
    for state in found:
        assert torch.equal(state["random"], alone["random"])
        assert torch.equal(state["fixed_latents"], alone["fixed_latents"])


def test_a_report_looks_at_the_whole_batch(tmp_path):
    """Else near copies and their warning would depend on the number of processes."""
    config = settings(batch_size=33)
    found = Several(tmp_path / "all", join_and, report_of, config).results()
    alone = report_of(config)
    assert_identical(found[0], found[1])
    torch.testing.assert_close(found[0]["real"], alone["real"], rtol=0, atol=1e-5)
    assert abs(found[0]["fake"][1] / alone["fake"][1] - 1) < 0.2, "the nearest of 33"


def report_of(config):
    reports = []
    training_of(config).run(reports.append, steps=25)
    report = reports[-1]
    return {
        "real": torch.tensor(report.real),
        "fake": torch.tensor(report.fake),
        "metrics": torch.tensor(list(report.metrics.values())),
    }


# The discriminator, which is used three times a step


@pytest.mark.parametrize("turns", [1, 3])
def test_gradients_are_sent_once_for_each_step_of_a_network(tmp_path, turns):
    """So none of D's in G's step."""
    config = settings(objective="turns")
    found = Several(tmp_path / "all", join_and, steps_of, config, 4, False, turns).results()
    training = training_of(settings())
    g, d = (
        sum(parameter.numel() for parameter in network.parameters())
        for network in (training.generator, training.discriminator)
    )
    for state in found:
        assert state["sent"] == {"Generator": 4 * g, "Discriminator": 4 * turns * d}
        assert_identical(state["gradients of D"], found[0]["gradients of D"])


def ddp_as_it_comes(config, fixed):
    """Take D's step with DDP's defaults; return what PyTorch says, with or without its own fix."""
    training = training_of(config)
    if not fixed:
        torch.autograd._unsafe_preserve_version_counter = lambda tensors: contextlib.nullcontext()
    real, _ = training.batches.batch(0)
    wrapped = DistributedDataParallel(training.discriminator)
    try:
        optimizer = training.optimizers["discriminator"]
        discriminator_step(wrapped, optimizer, real, real.flip(0))
    except RuntimeError as error:
        return str(error)
    return ""


def test_with_ddp_as_it_comes_d_could_not_go_backward(tmp_path):
    """It copies running statistics to all before each forward pass: pytorch issues 22095, 66504,
    175024. PyTorch 2.15 lets it pass by hiding the copy from autograd; without that, D stops."""
    for fixed in (True, False):
        several = Several(tmp_path / str(fixed), join_and, ddp_as_it_comes, settings(), fixed)
        for said in several.results():
            assert ("modified by an inplace operation" in said) != fixed


# Batch norm


@pytest.mark.parametrize("batch_size", [32, 33])
def test_only_batch_norm_over_all_processes_is_that_of_one(tmp_path, batch_size):
    """With statistics of the whole batch, two processes compute what one does; else not."""
    config = settings(batch_size=batch_size)
    alone = steps_of(config, 1)
    for synced in (True, False):
        found = Several(tmp_path / str(synced), join_and, steps_of, config, 1, synced).results()
        for name in ("gradients of D", "gradients of G"):
            ours, theirs = (
                torch.cat([gradient.flatten() for gradient in state[name]])
                for state in (found[0], alone)
            )
            apart = (ours - theirs).norm() / theirs.norm()
            assert apart < 1e-3 if synced else apart > 0.01, (synced, name, apart)


def synced_or_refused(config):
    """Return what becomes of the networks where there is CUDA, and what is said where not."""
    network = with_synced_batch_norm(training_of(config).generator, torch.device("cuda"))
    kinds = [type(module).__name__ for module in network.modules() if hasattr(module, "eps")]
    with pytest.raises(UserError) as told:
        training_of(dataclasses.replace(config, sync_batch_norm=True))
    return {"kinds": kinds, "names": list(network.state_dict()), "said": str(told.value)}


def test_synced_batch_norm_is_pytorchs_and_refused_without_cuda(tmp_path):
    for found in Several(tmp_path / "all", join_and, synced_or_refused, settings()).results():
        assert found["kinds"] == ["SyncBatchNorm"] * 2
        assert found["names"] == list(training_of(settings()).generator.state_dict())
        assert re.search("sync_batch_norm is True.*needs CUDA.*device is cpu", found["said"])


# Runs in folders


def train_or_resume(folder, **changes):
    """Do what the commands do, on one of several processes."""
    config = settings(checkpoint_every=1, **changes)

    def make():
        there = folder.exists()
        return runs.reopen(folder) if there else runs.create(config, folder), folder

    training, _ = runs.together(make, config.device)
    runs.complete(training, folder, lambda report: None)
    return {"step": training.step}


def train(out, folder, seconds=60, count=2, **changes):
    """Train on several processes, killed after some seconds; return their exit codes."""
    join = functools.partial(train_or_resume, folder, **changes)
    several = Several(out, join_and, join, count=count)
    codes = several.wait(seconds)
    several.kill()
    return several, codes


def test_one_process_writes_and_a_run_that_was_stopped_resumes_exactly(tmp_path):
    whole, stopped = tmp_path / "runs/whole", tmp_path / "runs/stopped"
    assert train(tmp_path / "out", whole)[1] == [0, 0]
    assert {path.name for path in whole.iterdir()} == FILES
    assert [path.name for path in whole.parent.iterdir()] == ["whole"], "no lock is left"
    state = files.load(whole / runs.CHECKPOINT)
    assert state["environment"]["processes"] == "2" and list(state["frames"])[-1] == 30
    assert json.loads((whole / "summary.json").read_text(encoding="utf-8"))["processes"] == 2
    Several(tmp_path / "out", join_and, steps_and_save, stopped, 12).results()
    assert files.load(stopped / runs.CHECKPOINT)["step"] == 12
    assert train(tmp_path / "out", stopped)[1] == [0, 0]
    assert_same_end(whole, stopped)


def steps_and_save(folder, count):
    """Take some steps of a new run, and save."""
    make = functools.partial(runs.create, settings(checkpoint_every=1), folder)
    training, _ = runs.together(lambda: (make(), folder))
    training.run(steps=count)
    if training.processes.first:
        runs.save_training(folder / runs.CHECKPOINT, training)


def test_resume_with_another_number_says_what_changes(tmp_path):
    folder, said = tmp_path / "run", []
    Several(tmp_path / "out", join_and, steps_and_save, folder, 12).results()
    training = runs.reopen(folder, said.append)
    (notice,) = said
    assert "processes 2 then, 1 now" in notice
    assert "batch norm now normalizes over 32 images at a time, before over 16" in notice
    runs.complete(training, folder, lambda report: None)
    said.clear()
    runs.reopen(folder, said.append)
    assert not said, "the run is now one of one process"


def test_a_checkpoint_from_before_several_processes_resumes_without_a_word(finished, tmp_path):
    state, said = files.load(finished[0] / "checkpoint.pt"), []
    del state["environment"]["processes"]
    files.save(tmp_path / "checkpoint.pt", state)
    runs.reopen(tmp_path, said.append)
    assert not said


def stop_on_one(folder, who, number):
    """Train; one of the processes gets a signal in its eighth step."""
    make = functools.partial(runs.create, settings(steps=1000), folder)
    training, _ = runs.together(lambda: (make(), folder))
    plain = training.generator.forward

    def forward(*given):
        if training.step == 7 and training.generator.training and training.processes.rank == who:
            training.generator.forward = plain
            os.kill(os.getpid(), number)
        return plain(*given)

    training.generator.forward = forward
    with pytest.raises(StoppedBetweenSteps) as told:
        runs.complete(training, folder, lambda report: None)
    return {"said": str(told.value)}


@pytest.mark.parametrize("who", [0, 1])
def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path, who):
    folder = tmp_path / "run"
    stop = functools.partial(stop_on_one, folder, who, signal.SIGINT)
    for state in Several(tmp_path / "out", join_and, stop).results():
        assert "after step 8 of 1,000" in state["said"]
    assert files.load(folder / runs.CHECKPOINT)["step"] == 8


def stop_by_the_first(config):
    """Train until the first process's report says that it is enough."""
    training = training_of(config)
    done = training.run(lambda report: training.processes.first, steps=60)
    return {"done": done, "step": training.step}


def test_what_the_first_process_decides_all_do(tmp_path):
    several = Several(tmp_path / "all", join_and, stop_by_the_first, settings(steps=100))
    assert several.results() == [{"done": False, "step": 25}] * 2


def diverge_on_one(config):
    """Put a NaN into the running statistics of the second process alone."""
    training = training_of(config)
    training.run(steps=1)  # at first DDP makes them equal
    if training.processes.rank == 1:
        training.generator.main[1].running_var.fill_(float("nan"))
    with pytest.raises(Diverged):
        training.run()
    return {"step": training.step}


def test_all_processes_see_that_one_has_diverged(tmp_path):
    config = settings(checkpoint_every=5)
    several = Several(tmp_path / "all", join_and, diverge_on_one, config)
    assert several.results() == [{"step": 5}] * 2


# What ends them


@pytest.mark.slow
def test_kill_minus_nine_of_all_at_drawn_moments(tmp_path):
    whole, killed = tmp_path / "runs/whole", tmp_path / "runs/killed"
    assert train(tmp_path / "out", tmp_path / "warm-up", steps=80)[1] == [0, 0]
    began = time.monotonic()
    assert train(tmp_path / "out", whole, steps=80)[1] == [0, 0]
    seconds, moments = time.monotonic() - began, random.Random(0)
    hit, ended = Counter(), 0
    while hit.total() < KILLS or not ended or killed.exists():
        limit = moments.uniform(0, seconds) if hit.total() < KILLS else None
        join = functools.partial(train_or_resume, killed, steps=80)
        several = Several(tmp_path / "out", join_and, join)
        several.processes[0].join(limit)
        several.kill()
        codes = [process.exitcode for process in several.processes]
        if codes[0] == 0:
            assert_same_end(whole, killed)
            assert {path.name for path in killed.iterdir()} == FILES
            assert {path.name for path in whole.parent.iterdir()} == {"whole", "killed"}
            shutil.rmtree(killed)
            ended += 1
        else:
            assert codes[0] == -signal.SIGKILL, several.printed(0)
            step = files.load(killed / runs.CHECKPOINT)["step"] if killed.exists() else None
            hit["before the folder" if step is None else f"from step {step // 20 * 20}"] += 1
    print(f"{hit.total()} kills of both ({dict(hit)}); {ended} runs ended as the one left alone")


@pytest.mark.parametrize("who", [0, 1, 2])
def test_a_process_that_dies_takes_the_others_down_with_one_line(tmp_path, who):
    folder = tmp_path / "run"
    command = ["train", "--preset", "smoke", "--data", "embedded", "--steps", "100000"]
    command += ["--checkpoint-every", "1", "--judge", "0", "--out", str(folder)]
    several = Several(tmp_path / "out", run_command, command, count=3)
    while not (folder / "metrics.csv").exists():
        assert all(process.is_alive() for process in several.processes)
    several.processes[who].kill()
    began = time.monotonic()
    codes = several.wait(20)
    assert time.monotonic() - began < 10
    assert codes == [-signal.SIGKILL if rank == who else 2 for rank in range(3)]
    lines = "".join(several.printed(rank) for rank in range(3)).splitlines()
    errors = [line for line in lines if not re.match(r"step \d+/|\[rank\d\]|\[W|Warning", line)]
    assert len(errors) == 1 and errors[0].startswith("error: One of the 3 processes has ended")
    assert (
        f"To go on: torchrun --standalone --nproc-per-node=3 -m dcgan_utils resume {folder}"
        in (errors[0])
    )
    assert "".join(several.printed(rank, "stdout") for rank in range(3)).count("\n") == 1
    step = files.load(folder / runs.CHECKPOINT)["step"]
    assert step > 0 and runs.reopen(folder, lambda notice: None).step == step


def run_command(command):
    """Run a command as `python -m dcgan_utils` does, exit code included."""
    sys.exit(main(command))


SMOKE = ["train", "--preset", "smoke", "--data", "embedded"]
REFUSED = {
    "a batch of one": (["--batch-size", "1"], "batch_size is 1, but there are 2 processes"),
    "no GPU": (["--device", "cuda"], "There is no device 'cuda' here"),
    "synced": (["--sync-batch-norm", "True"], "sync_batch_norm is True.*needs CUDA"),
    "a wrong word": (["--seed", "abc"], "seed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_refused_in_one_line_before_anything_is_made(tmp_path, case):
    options, said = REFUSED[case]
    if case == "no GPU" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    command = [*SMOKE, *options, "--out", str(tmp_path / "run")]
    several = Several(tmp_path / "out", run_command, command)
    assert several.wait() == [2, 2]
    assert re.fullmatch(rf"error: [^\n]*{said}[^\n]*\n", several.printed(0))
    assert several.printed(1) == "" and not (tmp_path / "run").exists()


def test_a_process_without_a_gpu_of_its_own_is_named(monkeypatch):
    monkeypatch.setattr(processes, "are_several", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for local in ("0", "1", "2"):
        monkeypatch.setenv("LOCAL_RANK", local)
        if local != "2":
            processes.require_own_device(torch.device("cuda"))
    with pytest.raises(
        UserError, match="no GPU for process 3 of this machine: it has 2. Start --n"
    ):
        processes.require_own_device(torch.device("cuda"))
    for name in ("cuda:1", "mps"):
        with pytest.raises(UserError, match=f"device is '{name}'.*allowed: cuda.*or cpu"):
            processes.require_own_device(torch.device(name))


def fail_on_one(message):
    """Fail on the second process only."""

    def act():
        if processes.Processes(2).rank == 1:
            raise UserError(message)

    with pytest.raises(UserError) as told:
        processes.raise_together(act)
    return {"said": str(told.value)}


def test_what_one_process_lacks_all_are_told(tmp_path):
    """As data that are missing on a second machine, which the first process then says."""
    for state in Several(tmp_path / "all", join_and, fail_on_one, "There are no data.").results():
        assert re.fullmatch(r"Process 1 on \S+: There are no data\.", state["said"])


def test_a_port_in_use_is_named_in_one_line(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        several = Several(tmp_path / "out", run_command, SMOKE, port=port, count=2, started=1)
        assert several.wait() == [2]
    assert re.fullmatch(
        rf"error: The processes can't be connected at 127\.0\.0\.1, port {port}[^\n]*--master-port"
        rf"[^\n]*\n",
        several.printed(0),
    )


# With torchrun itself


@pytest.mark.slow
def test_torchrun_trains_stops_and_resumes(tmp_path):
    folder = tmp_path / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "-m", "dcgan_utils"]
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        options = ["--steps", "100000", "--judge", "0", "--out", str(folder)]
        process = subprocess.Popen([*torchrun, *SMOKE, *options], stdout=out, stderr=out)
        while not (folder / "metrics.csv").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        out.seek(0)
        said = out.read()
    assert said.count("Training on") == said.count("Stopped at step") == 1
    step = files.load(folder / runs.CHECKPOINT)["step"]
    assert f"Stopped at step {step}. To go on: torchrun --standalone --nproc-per-node=2" in said
    options = ["resume", str(folder), "--steps", str(step + 20), "--judge", "1000"]
    result = subprocess.run([*torchrun, *options], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("2 processes, each on cpu") == result.stdout.count("Judged:") == 1
    assert (folder / "judgment.json").exists() and "continues under other" not in result.stdout


AFTERWARDS = """
from pathlib import Path
from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.training import Training, joined

config = preset("smoke", data="embedded")
with joined():
    training = Training(config, load_images(config))
    training.run(steps=2)
for task in Path("/proc/self/task").iterdir():
    print("thread:", (task / "comm").read_text().strip())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="threads are read from /proc")
def test_no_thread_between_processes_outlives_the_group(tmp_path):
    """One that still has a tensor when Python ends aborts the process, now and then."""
    (tmp_path / "afterwards.py").write_text(AFTERWARDS, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node=2", str(tmp_path / "afterwards.py")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("thread: python") == 2 and "gloo" not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("option", ["compile", "precision"])
def test_compiled_networks_and_bf16_train_on_several_processes(tmp_path, option):
    changes = {"compile": {"compile": True}, "precision": {"precision": "bf16"}}[option]
    if option == "precision" and choose_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("bf16 is slow or stops programs here")
    plain = Several(tmp_path / "a", join_and, steps_of, settings(), 3).results()
    other = Several(tmp_path / "b", join_and, steps_of, settings(**changes), 3).results()
    torch.testing.assert_close(
        other[0]["history"][:, 2:], plain[0]["history"][:, 2:], rtol=0, atol=0.02
    )
    for name in ("gradients of D", "gradients of G"):
        assert_identical(other[0][name], other[1][name])
