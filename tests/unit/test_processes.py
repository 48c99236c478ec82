"""One run by two processes: what they compute, and how they begin, stop and fail together."""

import datetime
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import several
import torch

from dcgan_utils import device, files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import StoppedBetweenSteps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not several.FORKS, reason="Windows has no fork server and no SIGKILL"),
]


def steps_of(config, count):
    """Take steps on one of several processes; return all that can be compared."""
    training = several.training_of(config)
    training.run(steps=count)
    return training.state_dict()


def by_hand(config, count):
    """Take the same steps in one process: each loss is the mean of those of the two halves."""
    alone, half = several.training_of(config), config.batch_size // 2
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


def test_the_steps_are_those_of_one_process_that_averages_over_the_halves(tmp_path, smoke):
    config = smoke(real_label=0.9, average=0.9)
    both = several.Several(tmp_path / "all", several.join_and, steps_of, config, 4)
    first, second = both.results()
    expected = by_hand(config, 4)
    for name in ("generator", "discriminator"):
        for key, value in first[name].items():
            if "running" not in key and "num_batches" not in key:  # which each has of its own
                assert torch.equal(value, second[name][key])
                torch.testing.assert_close(value, expected[name][key], rtol=0, atol=1e-5)
    torch.testing.assert_close(first["history"][:, 2:], expected["rows"], rtol=0, atol=1e-5)
    for name in ("optimizers", "random", "fixed_latents"):
        several.assert_identical(first[name], second[name], name)
    several.assert_identical(first["history"][:, 2:], second["history"][:, 2:])


def run_command(*command):
    """Run a command as `python -m dcgan_utils` does, exit code included."""
    sys.exit(main(command))


SMOKE = ["train", "--preset", "smoke", "--data", "embedded", "--device", "cpu", "--judge", "0"]


def test_the_command_trains_and_one_process_writes_and_speaks(tmp_path):
    """And one process goes on with it, once it is told what that changes."""
    folder, said = tmp_path / "runs" / "run", []
    both = several.Several(tmp_path / "out", run_command, *SMOKE, "--out", str(folder))
    assert both.wait() == [0, 0], both.printed(0) + both.printed(1)
    assert {path.name for path in folder.iterdir()} == several.FILES
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    assert "2 processes" in both.printed(0, "stdout")
    assert both.printed(1, "stdout") == both.printed(1) == ""
    assert sorted(files.load(folder / "checkpoint.pt")["frames"])[-1] == 20
    training = several.reopen(folder, notice=said.append, steps=22)
    assert len(said) == 1 and "2 process" in said[0]
    assert several.complete(training, folder)["processes"] == 1


def prepare(config):
    """Let the first process prepare for longer than the time-out of silence, then train a step."""
    plain = device.dist.init_process_group
    device.dist.init_process_group = lambda timeout: plain(timeout=datetime.timedelta(seconds=2))
    with device.joined():
        with device.first_process_first():
            began = time.monotonic()
            if device.rank() == 0:
                time.sleep(3)
            ended = time.monotonic()
        several.training_of(config).run(steps=1)
    threads = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
    return {"began": began, "ended": ended, "threads": threads}


def test_the_others_wait_as_long_as_the_first_prepares_and_no_thread_outlives_the_group(
    tmp_path, smoke
):
    """One that still has a tensor when Python ends aborts the process, now and then."""
    first, second = several.Several(tmp_path / "out", prepare, smoke()).results()
    assert second["began"] >= first["ended"]
    assert not [name for name in first["threads"] + second["threads"] if "gloo" in name]


def stop_the_second(config, folder):
    """Train; the second process gets a signal in its eighth step."""
    training = several.training_of(config)
    runs.create(training, folder)
    if device.rank() == 1:
        several.raise_in_step(training, 7, signal.SIGINT)
    with pytest.raises(StoppedBetweenSteps):
        several.complete(training, folder)
    return {"step": training.step}


def test_a_signal_to_one_process_stops_both_after_the_same_step(tmp_path, smoke):
    folder = tmp_path / "run"
    work = several.join_and, stop_the_second, smoke(steps=1000), folder
    assert several.Several(tmp_path / "out", *work).results() == [{"step": 8}] * 2
    assert files.load(folder / runs.CHECKPOINT)["step"] == 8


def test_a_process_that_dies_takes_the_other_down_with_one_line(tmp_path):
    folder = tmp_path / "run"
    command = [*SMOKE, "--steps", "100000", "--checkpoint-every", "1", "--out", str(folder)]
    both = several.Several(tmp_path / "out", run_command, *command)
    several.wait_for(folder / "metrics.csv", both.processes[0].is_alive)
    both.processes[1].kill()
    assert both.wait(20) == [2, -signal.SIGKILL]
    said = both.printed(0)
    assert said.count("error: ") == 1 and "resume" in said and "Traceback" not in said
    assert several.reopen(folder, notice=lambda said: None).step > 0


ALONE = ["-m", "dcgan_utils"]
BOTH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *ALONE]


@pytest.mark.parametrize(
    ("start", "number", "again"),
    [(ALONE, signal.SIGTERM, "python"), (BOTH, signal.SIGINT, "torchrun --nproc-per-node=2")],
)
def test_a_signal_ends_the_command_between_two_steps(tmp_path, start, number, again):
    """It says how to go on, in one process as in two."""
    folder = tmp_path / "my run"
    command = [sys.executable, *start, *SMOKE, "--steps", "100000", "--out", str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, **pipes, text=True)
    try:
        several.wait_for(folder / "metrics.csv", lambda: process.poll() is None)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    finally:
        process.terminate()
        process.wait()
    if start == ALONE:  # torchrun has an exit status and tracebacks of its own
        assert process.returncode == 130 and "Traceback" not in said
    assert process.returncode != 0 and not (folder / "summary.json").exists()
    step = files.load(folder / runs.CHECKPOINT)["step"]
    assert said.count("Training on") == said.count("Stopped at step") == 1, said
    last = f"Stopped at step {step}. To go on: {again} -m dcgan_utils resume '{folder}'"
    assert last in said, said
