"""One run by two processes: what they compute, and how they begin, stop and fail together."""

import datetime
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from several import (
    FILES,
    FORKS,
    Several,
    assert_identical,
    complete,
    join_and,
    reopen,
    train_or_resume,
    training_of,
    wait_for,
)
from torch import nn

from dcgan_utils import device, files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import preset
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import StoppedBetweenSteps, Training

pytestmark = pytest.mark.skipif(not FORKS, reason="Windows has no fork server and no SIGKILL")


def settings(**changes):
    return preset("smoke", **{"data": "embedded", "device": "cpu", **changes})


# What they compute


def steps_of(config, count, batch_norm=True):
    """Take steps on one of several processes, or alone; return all that can be compared."""
    training = training_of(config)
    if not batch_norm:
        networks = training.generator, training.discriminator
        for network in networks:
            for number, module in enumerate(network.main):
                if isinstance(module, nn.BatchNorm2d):
                    network.main[number] = nn.Identity()
        training = Training(config, training.images, *networks)
    seen = []
    training.discriminator.register_forward_pre_hook(lambda d, given: seen.append(given[0]))
    training.run(steps=count)
    return training.state_dict() | {"real": torch.cat(seen[::3])}  # then fake, and fake again


def by_hand(config, count):
    """Take the same steps in one process: each loss is the mean of those of the two halves."""
    alone, half = training_of(config), config.batch_size // 2
    g, d, rows = alone.generator, alone.discriminator, []
    goal, score = alone.objective, alone.objective.score

    def step(name, network, losses):
        gradients = torch.autograd.grad(sum(losses) / 2, list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), gradients):
            parameter.grad = gradient
        alone.optimizers[name].step()

    for number in range(count):
        real = alone.batches.batch(number)[0].split(half)
        z = draw_latents(config.batch_size, config.latent_size, config.latent, alone.random)
        fake = [g(part) for part in z.split(half)]
        says = [(d(r), d(f.detach())) for r, f in zip(real, fake)]
        losses_d = [goal.discriminator_loss(*pair) for pair in says]
        step("discriminator", d, losses_d)
        after = [d(f) for f in fake]
        losses_g = [goal.generator_loss(outputs) for outputs in after]
        step("generator", g, losses_g)
        of_real, of_fake = (torch.cat(outputs) for outputs in zip(*says))
        scores = [score(outputs).mean() for outputs in (of_real, of_fake, torch.cat(after))]
        rows.append(torch.stack([sum(losses_d) / 2, sum(losses_g) / 2, *scores]).detach())
    return alone.state_dict() | {"rows": torch.stack(rows).double()}


def assert_close(ours, theirs):
    for name in theirs:
        if "running" not in name and "num_batches" not in name:  # which each has of its own
            torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"real_label": 0.9, "average": 0.9}])
def test_the_steps_are_those_of_one_process_that_averages_over_the_halves(tmp_path, changes):
    config = settings(**changes)
    first, second = Several(tmp_path / "all", join_and, steps_of, config, 4).results()
    expected = by_hand(config, 4)
    for name in ("generator", "discriminator"):
        assert_close(first[name], expected[name])
        for learned in training_of(config).generator.state_dict():
            if "running" not in learned:
                assert torch.equal(first["generator"][learned], second["generator"][learned])
    torch.testing.assert_close(first["history"][:, 2:], expected["rows"], rtol=0, atol=1e-5)
    for name in ("optimizers", "random", "fixed_latents"):
        assert_identical(first[name], second[name], name)
    assert_identical(first["history"][:, 2:], second["history"][:, 2:])


def test_without_batch_norm_they_compute_what_one_process_does(tmp_path):
    config = settings(initial_std=0.1)
    together = Several(tmp_path / "all", join_and, steps_of, config, 4, False).results()
    alone = steps_of(config, 4, False)
    halves = [state["real"].unflatten(0, (4, 16)) for state in together]
    assert torch.equal(torch.cat(halves, dim=1).flatten(0, 1), alone["real"]), "the same images"
    for name in ("generator", "discriminator"):
        assert_close(together[0][name], alone[name])
    close = {"rtol": 0, "atol": 1e-5}
    torch.testing.assert_close(together[0]["history"][:, 2:], alone["history"][:, 2:], **close)


# Runs in folders


def run_command(*command):
    """Run a command as `python -m dcgan_utils` does, exit code included."""
    sys.exit(main(command))


SMOKE = ["train", "--preset", "smoke", "--data", "embedded", "--device", "cpu", "--judge", "0"]


def test_the_command_trains_and_one_process_writes_and_speaks(tmp_path):
    """And one process goes on with it, once it is told what that changes."""
    folder, said = tmp_path / "runs" / "run", []
    several = Several(tmp_path / "out", run_command, *SMOKE, "--out", str(folder))
    assert several.wait() == [0, 0], several.printed(0) + several.printed(1)
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    assert "2 processes" in several.printed(0, "stdout")
    assert several.printed(1, "stdout") == several.printed(1) == ""
    assert sorted(files.load(folder / "checkpoint.pt")["frames"])[-1] == 20
    training = reopen(folder, notice=said.append, steps=22)
    assert len(said) == 1 and "2 process" in said[0]
    assert complete(training, folder)["processes"] == 1


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_made(tmp_path):
    command = [*SMOKE, "--batch-size", "33", "--out", str(tmp_path / "run")]
    several = Several(tmp_path / "out", run_command, *command)
    assert several.wait() == [2, 2]
    said = several.printed(0)
    assert re.fullmatch("error: batch_size is 33.*2 processes; allowed: a multiple.*\n", said), said
    assert not (tmp_path / "run").exists()


def prepare(folder: Path):
    """Let the first process prepare for longer than the processes' time-out of silence."""
    plain = device.dist.init_process_group
    device.dist.init_process_group = lambda timeout: plain(timeout=datetime.timedelta(seconds=3))
    with device.joined(), device.first_process_first():
        began = time.monotonic()
        if device.rank() == 0:
            time.sleep(5)
        return {"began": began, "ended": time.monotonic()}


def test_the_others_wait_as_long_as_the_first_prepares(tmp_path):
    first, second = Several(tmp_path / "out", prepare, tmp_path).results()
    assert second["began"] >= first["ended"]


def stop_the_second(folder):
    """Train; the second process gets a signal in its eighth step."""
    training = training_of(settings(steps=1000))
    runs.create(training, folder)
    plain = training.generator.forward

    def forward(*given):
        if training.step == 7 and training.generator.training and device.rank() == 1:
            training.generator.forward = plain
            os.kill(os.getpid(), signal.SIGINT)
        return plain(*given)

    training.generator.forward = forward
    with pytest.raises(StoppedBetweenSteps):
        complete(training, folder)
    return {"step": training.step}


def test_a_signal_to_one_process_stops_both_after_the_same_step(tmp_path):
    folder = tmp_path / "run"
    assert (
        Several(tmp_path / "out", join_and, stop_the_second, folder).results() == [{"step": 8}] * 2
    )
    assert files.load(folder / runs.CHECKPOINT)["step"] == 8


def test_a_process_that_dies_takes_the_other_down_with_one_line(tmp_path):
    folder = tmp_path / "run"
    command = [*SMOKE, "--steps", "100000", "--checkpoint-every", "1", "--out", str(folder)]
    several = Several(tmp_path / "out", run_command, *command)
    wait_for(folder / "metrics.csv", several.processes[0].is_alive)
    several.processes[1].kill()
    assert several.wait(20) == [2, -signal.SIGKILL]
    said = several.printed(0)
    assert said.count("error: ") == 1 and "resume" in said and "Traceback" not in said
    assert reopen(folder, notice=lambda said: None).step > 0


def threads_afterwards(folder):
    join_and(train_or_resume, folder)
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are read from /proc")
def test_no_thread_between_processes_outlives_the_group(tmp_path):
    """One that still has a tensor when Python ends aborts the process, now and then."""
    for names in Several(tmp_path / "out", threads_afterwards, tmp_path / "run").results():
        assert names and not [name for name in names if "gloo" in name], names


@pytest.mark.slow
def test_ctrl_c_of_torchrun_ends_between_two_steps(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "dcgan_utils", *SMOKE, "--steps", "100000", "--out", str(folder)]
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            wait_for(folder / "metrics.csv", lambda: process.poll() is None)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) != 0
        finally:
            process.terminate()
            process.wait()
        out.seek(0)
        said = out.read()
    step = files.load(folder / runs.CHECKPOINT)["step"]
    assert said.count("Training on") == said.count("Stopped at step") == 1, said
    assert re.search(f"Stopped at step {step}. To go on: torchrun .*nproc-per-node=2", said), said
