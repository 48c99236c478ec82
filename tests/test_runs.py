"""Run folders: what they hold, and that nothing interrupts, overwrites or spoils them."""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image
from torch import nn

from dcgan_utils import checkpoints, files, runs
from dcgan_utils.config import UserError
from dcgan_utils.networks import Generator

FILES = {
    "config.json", "metrics.csv", "losses.png", "scores.png", "animation.png", "filmstrip.png",
    "real_beside_fake.png", "G.pth", "D.pth", "checkpoint.pt", "summary.json",
}  # fmt: skip


def finish(training, folder):
    return runs.finish(training, folder, lambda report: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run of twenty steps, as `train` makes it."""
    from dcgan_utils.config import preset

    folder = tmp_path_factory.mktemp("runs") / "whole"
    training = runs.start(preset("smoke", data="digits"), folder)
    finish(training, folder)
    return folder, training


def assert_identical(a, b, where="state"):
    """Compare nested dicts, lists and tensors bit by bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_identical(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for number, (left, right) in enumerate(zip(a, b)):
            assert_identical(left, right, f"{where}[{number}]")
    else:
        assert a == b, where


def assert_same_end(first, second):
    """Compare all that a run ends with, but for the clock."""
    a, b = (checkpoints.load(folder / "checkpoint.pt") for folder in (first, second))
    for state in (a, b):
        state["seconds"] = None
        state["history"][:, 1] = 0
    assert_identical(a, b)
    for name in ("G.pth", "D.pth"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_run_that_ends_before_its_steps_says_so(tmp_path):
    """The 1,498 digits in batches of 32, 40 times an epoch, make fewer than 10,000 steps."""
    from dcgan_utils.config import preset

    said = {}
    for steps in (10_000, 20):
        said[steps], config = [], preset("smoke", data="digits", steps=steps, epochs=1)
        training = runs.start(config, tmp_path / str(steps), said[steps].append)
        assert training.total == min(steps, training.batches.steps_per_epoch)
    assert said[20] == []
    (message,) = said[10_000]
    assert "steps is 10000" in message and "--epochs" in message


def test_a_run_folder_is_complete(finished):
    folder, training = finished
    assert {path.name for path in folder.iterdir()} == FILES
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["data"] == "embedded digits" and summary["steps"] == 20
    assert summary["images_per_second"] == pytest.approx(20 * 32 / training.seconds, abs=0.1)
    for word in ("embedded digits", "20 steps", "images/s", "cpu", "float32"):
        assert word in runs.last_line(summary)
    assert len((folder / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 21


def test_the_animation_has_its_frames_and_they_differ(finished):
    folder, training = finished
    with Image.open(folder / "animation.png") as animation:
        assert animation.n_frames == len(training.frames) + 1  # and the still for old viewers
        shown = []
        for number in range(1, animation.n_frames):
            animation.seek(number)
            shown.append(animation.convert("RGB").tobytes())
    assert len(set(shown)) == len(training.frames)
    assert (folder / "animation.png").stat().st_size < 2_000_000


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resumed_at_a_checkpoint_ends_as_if_never_interrupted(average, tmp_path, smoke):
    folder = tmp_path / "whole"
    finish(runs.start(smoke(average=average), folder), folder)
    for stop in (5, 15, 20):
        part = tmp_path / f"stopped-{stop}"
        training = runs.start(smoke(average=average), part)

        def save_until(stop=stop, part=part, training=training):
            if training.step <= stop:
                checkpoints.save_training(part / runs.CHECKPOINT, training)

        training.run(on_checkpoint=save_until)
        resumed = runs.resume(part)
        assert resumed.step == stop
        finish(resumed, part)
        assert_same_end(folder, part)


KILLED = """
import sys
from dcgan_utils import runs
from dcgan_utils.config import preset
config = preset("smoke", data="digits", steps=120, checkpoint_every=1)
folder = sys.argv[1]
from pathlib import Path
training = runs.resume(folder) if Path(folder).exists() else runs.start(config, folder)
print("ready", flush=True)
runs.finish(training, folder, lambda report: None)
"""


def test_kill_minus_nine_at_any_moment(tmp_path):
    """A run that checkpoints at every step is killed again and again, then left to end."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-c", KILLED]
    steps = [0]
    for delay in (0.15, 0.5):
        process = subprocess.Popen([*command, str(killed)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(checkpoints.load(killed / runs.CHECKPOINT)["step"])
    assert steps == sorted(steps) and 0 < steps[-1] < 120, steps
    for folder in (killed, whole):
        subprocess.run([*command, str(folder)], check=True, stdout=subprocess.DEVNULL)
    assert_same_end(whole, killed)
    assert {path.name for path in killed.iterdir()} == FILES


def test_an_existing_folder_is_left_alone(finished, smoke):
    folder, _ = finished
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="exists.*resume"):
        runs.start(smoke(), folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_that_cannot_start_leaves_nothing(tmp_path, smoke):
    with pytest.raises(UserError):
        runs.start(smoke(batch_size=5000), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_default_folders_are_counted(tmp_path):
    assert runs.next_folder("smoke", tmp_path).name == "smoke-1"
    (tmp_path / "smoke-1").mkdir()
    assert runs.next_folder("smoke", tmp_path).name == "smoke-2"


def test_resuming_what_is_no_run(tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        runs.resume(tmp_path)


def test_resuming_with_other_data_is_refused(finished, tmp_path, smoke):
    folder, _ = finished
    state = checkpoints.load(folder / "checkpoint.pt")
    state["data"] = "MNIST, 60000 images, CRC-32 00000000"
    checkpoints.save(tmp_path / "checkpoint.pt", state)
    with pytest.raises(UserError, match="MNIST.*embedded digits"):
        runs.resume(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's always full device")
def test_a_full_disk_leaves_the_last_checkpoint_whole(finished, tmp_path, monkeypatch):
    """The temporary file is opened on /dev/full, which answers as a full disk does."""
    path = tmp_path / "checkpoint.pt"
    checkpoints.save(path, {"step": 1})
    real_open = open
    monkeypatch.setattr(
        files, "open", lambda name, mode: real_open("/dev/full", mode, buffering=0), raising=False
    )
    with pytest.raises(UserError, match="No space left.*Make room"):
        checkpoints.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoints.load(path) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_folder_that_cannot_be_made(tmp_path, smoke):
    """A plain file stands where the parent folder should be: not even root can write there."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be made.*--out"):
        runs.start(smoke(), tmp_path / "file" / "run")


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_truncated_checkpoint_is_refused(finished, tmp_path, keep):
    for name in ("checkpoint.pt", "G.pth"):
        (tmp_path / name).write_bytes((finished[0] / name).read_bytes()[:keep])
    with pytest.raises(UserError, match=r"checkpoint\.pt is truncated"):
        runs.resume(tmp_path)
    with pytest.raises(UserError, match=r"G\.pth is truncated"):
        checkpoints.load_generator(tmp_path / "G.pth")


class Malicious:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("write", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    for name in ("G.pth", "checkpoint.pt"):
        write({"main.0.weight": Malicious()}, tmp_path / name)
    for read in (checkpoints.load_generator, checkpoints.load_discriminator, checkpoints.load):
        with pytest.raises(UserError, match="refused|not a PyTorch file"):
            read(tmp_path / "G.pth")
    with pytest.raises(UserError):
        runs.resume(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_files_that_are_something_else(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(UserError, match="holds a discriminator, not a generator"):
        checkpoints.load_generator(folder / "D.pth")
    with pytest.raises(UserError, match="not a state dict"):
        checkpoints.load_generator(folder / "checkpoint.pt")
    with pytest.raises(UserError, match="not a checkpoint"):
        checkpoints.load_training(folder / "G.pth")
    with pytest.raises(UserError, match="could not be read"):
        checkpoints.load_generator(tmp_path / "none.pth")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(UserError, match="not a DCGAN"):
        checkpoints.load_generator(tmp_path / "linear.pth")


class TutorialGenerator(nn.Module):
    """The layers and names of the programme that most tutorials run, 64x64 and one channel."""

    def __init__(self, nz=100, ngf=4, nc=1):
        super().__init__()
        layers = [nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False)]
        for before, after in ((8, 4), (4, 2), (2, 1)):
            layers += [nn.BatchNorm2d(ngf * before), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(ngf * before, ngf * after, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(ngf), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z):
        return self.main(z)


class TutorialDiscriminator(nn.Module):
    def __init__(self, ndf=4, nc=1):
        super().__init__()
        layers = [nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for before, after in ((1, 2), (2, 4), (4, 8)):
            layers += [nn.Conv2d(ndf * before, ndf * after, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(ndf * after), nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid()]
        self.main = nn.Sequential(*layers)

    def forward(self, images):
        return self.main(images).view(-1)


@pytest.mark.parametrize("parallel", [False, True])
def test_weights_go_to_the_tutorials_programme_and_back(tmp_path, parallel):
    z, images = torch.randn(4, 100, 1, 1), torch.rand(4, 1, 64, 64) * 2 - 1
    theirs_g, theirs_d = TutorialGenerator().eval(), TutorialDiscriminator().eval()
    for name, network in (("G.pth", theirs_g), ("D.pth", theirs_d)):
        saved = nn.DataParallel(network) if parallel else network
        torch.save(saved.state_dict(), tmp_path / name)
    ours_g = checkpoints.load_generator(tmp_path / "G.pth")
    ours_d = checkpoints.load_discriminator(tmp_path / "D.pth")
    assert torch.equal(ours_g(z), theirs_g(z))
    torch.testing.assert_close(torch.sigmoid(ours_d(images)), theirs_d(images))
    back_g, back_d = TutorialGenerator().eval(), TutorialDiscriminator().eval()
    for name, ours, back in (("g", ours_g, back_g), ("d", ours_d, back_d)):
        checkpoints.save_weights(tmp_path / name, ours)
        back.load_state_dict(torch.load(tmp_path / name, weights_only=True))
    assert torch.equal(back_g(z), theirs_g(z)) and torch.equal(back_d(images), theirs_d(images))


def test_a_training_saved_twice_is_the_same_file(new_training, tmp_path):
    training = new_training()
    training.train_step()
    for name in ("a", "b"):
        checkpoints.save_training(tmp_path / name, training)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_loaded_weights_need_no_settings(tmp_path):
    network = Generator(16, 3, 7, 5)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    (tmp_path / "G.pth").write_bytes(buffer.getvalue())
    assert checkpoints.load_generator(tmp_path / "G.pth").latent_size == 7


def test_a_folder_of_color_images_trains_and_draws_in_color(tmp_path, smoke):
    """The paper's setting in small: RGB images from an image folder."""
    random = torch.Generator().manual_seed(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = torch.randint(0, 256, (20, 24, 3), dtype=torch.uint8, generator=random)
        Image.fromarray(pixels.numpy()).save(tmp_path / "photos" / f"{number}.png")
    config = smoke(data=str(tmp_path / "photos"), batch_size=4, steps=3, latent="uniform")
    training = runs.start(config, tmp_path / "run")
    assert finish(training, tmp_path / "run")["data"] == "photos"
    generator = checkpoints.load_generator(tmp_path / "run" / "G.pth")
    assert generator(training.fixed_latents).shape == (16, 3, 16, 16)
