"""Run folders: what they hold, and that nothing interrupts, overwrites or spoils them."""

import json
import os
import pickle
import signal
import subprocess
import sys

import mirror as mirrors
import pytest
import torch
from PIL import Image
from torch import nn

from dcgan_utils import data, files, runs
from dcgan_utils.config import UserError, preset
from dcgan_utils.weights import load_discriminator, load_generator

FILES = {
    "config.json",
    "metrics.csv",
    "losses.png",
    "scores.png",
    "animation.png",
    "filmstrip.png",
    "real_beside_fake.png",
    "G.pth",
    "D.pth",
    "checkpoint.pt",
    "summary.json",
}


def complete(training, folder):
    return runs.complete(training, folder, lambda report: None)


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
    a, b = (files.load(folder / "checkpoint.pt") for folder in (first, second))
    for state in (a, b):
        state["seconds"] = None
        state["history"][:, 1] = 0
    assert_identical(a, b)
    for name in ("G.pth", "D.pth"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_steps_in_place_of_epochs_are_the_length_whatever_an_epoch_is(tmp_path):
    """The 4,000 digits in batches of 32, 15 times an epoch, are 1,875 steps."""
    for changes, total in (({"steps": 2000, "epochs": 1}, 2000), ({"epochs": 2}, 3750)):
        config = preset("smoke", data="embedded", **changes)
        assert runs.create(config, tmp_path / str(total)).total == total


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


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resumed_at_a_checkpoint_ends_as_if_never_interrupted(average, tmp_path, smoke):
    folder = tmp_path / "whole"
    complete(runs.create(smoke(average=average), folder), folder)
    for stop in (5, 15, 20):
        part = tmp_path / f"stopped-{stop}"
        training = runs.create(smoke(average=average), part)

        def save_until(stop=stop, part=part, training=training):
            if training.step <= stop:
                runs.save_training(part / runs.CHECKPOINT, training)

        training.run(on_checkpoint=save_until)
        resumed = runs.reopen(part)
        assert resumed.step == stop
        complete(resumed, part)
        assert_same_end(folder, part)


KILLED = """
import sys
from pathlib import Path
from dcgan_utils import runs
from dcgan_utils.config import preset
folder, wait_at = Path(sys.argv[1]), int(sys.argv[2])
config = preset("smoke", data="embedded", steps=60, checkpoint_every=1, frames=2)
training = runs.reopen(folder) if folder.exists() else runs.create(config, folder)
def stop_there(report_or_nothing=None):
    if training.step == wait_at:
        print("there", flush=True)
save = runs.save_training
runs.folder.save_training = lambda *given: (stop_there(), save(*given))
runs.complete(training, folder, lambda report: None)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_kill_minus_nine_while_it_saves(tmp_path):
    """A run that checkpoints at every step is killed twice as it saves, then left to end."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command, steps = [sys.executable, "-c", KILLED], [0]
    for wait_at in (7, 23):
        process = subprocess.Popen([*command, str(killed), str(wait_at)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(files.load(killed / runs.CHECKPOINT)["step"])
    assert 6 <= steps[1] < 60 and steps[1] <= steps[2] < 60, steps
    for folder in (killed, whole):
        subprocess.run([*command, str(folder), "-1"], check=True, stdout=subprocess.DEVNULL)
    assert_same_end(whole, killed)
    assert {path.name for path in killed.iterdir()} == FILES


def test_an_existing_folder_is_left_alone(finished, smoke):
    folder, _ = finished
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="exists.*resume"):
        runs.create(smoke(), folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_that_cannot_start_leaves_nothing(tmp_path, smoke):
    with pytest.raises(UserError):
        runs.create(smoke(batch_size=50_000), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_default_folders_are_counted(tmp_path, smoke):
    (tmp_path / "smoke-1").mkdir()
    assert runs.create_next(smoke(), "smoke", tmp_path)[1].name == "smoke-2"
    assert runs.create_next(smoke(), "smoke", tmp_path)[1].name == "smoke-3"


def test_resuming_what_is_no_run(tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        runs.reopen(tmp_path)


def test_resuming_with_other_data_is_refused(finished, tmp_path, smoke):
    folder, _ = finished
    state = files.load(folder / "checkpoint.pt")
    state["data"] = "MNIST, 60000 images, CRC-32 00000000"
    files.save(tmp_path / "checkpoint.pt", state)
    with pytest.raises(UserError, match="MNIST.*embedded digits"):
        runs.reopen(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's always full device")
def test_a_full_disk_leaves_the_last_checkpoint_whole(finished, tmp_path, monkeypatch):
    """The temporary file is opened on /dev/full, which answers as a full disk does."""
    path = tmp_path / "checkpoint.pt"
    files.save(path, {"step": 1})
    real_open = open
    monkeypatch.setattr(
        files, "open", lambda name, mode: real_open("/dev/full", mode, buffering=0), raising=False
    )
    with pytest.raises(UserError, match="No space left.*Make room"):
        files.save(path, {"step": 2})
    monkeypatch.undo()
    assert files.load(path) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_folder_that_cannot_be_made(tmp_path, smoke):
    """A plain file stands where the parent folder should be: not even root can write there."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be made.*--out"):
        runs.create(smoke(), tmp_path / "file" / "run")


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_truncated_checkpoint_is_refused(finished, tmp_path, keep):
    for name in ("checkpoint.pt", "G.pth"):
        (tmp_path / name).write_bytes((finished[0] / name).read_bytes()[:keep])
    with pytest.raises(UserError, match=r"checkpoint\.pt is truncated"):
        runs.reopen(tmp_path)
    with pytest.raises(UserError, match=r"G\.pth is truncated"):
        load_generator(tmp_path / "G.pth")


class Malicious:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("write", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    for name in ("G.pth", "checkpoint.pt"):
        write({"main.0.weight": Malicious()}, tmp_path / name)
    for read in (load_generator, load_discriminator, files.load):
        with pytest.raises(UserError, match="refused|not a PyTorch file"):
            read(tmp_path / "G.pth")
    with pytest.raises(UserError):
        runs.reopen(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_files_that_are_something_else(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(UserError, match="holds a discriminator, not a generator"):
        load_generator(folder / "D.pth")
    with pytest.raises(UserError, match="not a state dict"):
        load_generator(folder / "checkpoint.pt")
    with pytest.raises(UserError, match="not a checkpoint"):
        runs.load_training(folder / "G.pth")
    with pytest.raises(UserError, match="could not be read"):
        load_generator(tmp_path / "none.pth")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(UserError, match="not a DCGAN"):
        load_generator(tmp_path / "linear.pth")


def test_a_training_saved_twice_is_the_same_file(new_training, tmp_path):
    training = new_training()
    training.train_step()
    for name in ("a", "b"):
        runs.save_training(tmp_path / name, training)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folder_of_color_images_trains_and_draws_in_color(tmp_path, smoke):
    """The paper's setting in small: RGB images from an image folder."""
    random = torch.Generator().manual_seed(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = torch.randint(0, 256, (20, 24, 3), dtype=torch.uint8, generator=random)
        Image.fromarray(pixels.numpy()).save(tmp_path / "photos" / f"{number}.png")
    config = smoke(data=str(tmp_path / "photos"), batch_size=4, steps=3, latent="uniform")
    training = runs.create(config, tmp_path / "run")
    assert complete(training, tmp_path / "run")["data"] == "photos"
    generator = load_generator(tmp_path / "run" / "G.pth")
    assert generator(training.fixed_latents).shape == (16, 3, 16, 16)


def test_auto_is_stored_as_it_was_decided(tmp_path, smoke, monkeypatch):
    """Begun on the embedded digits, the run stays on them, also when MNIST has appeared."""
    root = tmp_path / "root"
    monkeypatch.setenv("DCGAN_DATA", str(root))
    files = mirrors.at(mirrors.EXPECTED, mirrors.closed_port())
    small = data.idx_source(files, "0123456789", digits=True)
    monkeypatch.setitem(data.SOURCES, "mnist", small)
    said = []
    training = runs.create(smoke(data="auto", steps=10), tmp_path / "run", said.append)
    assert training.config.data == "embedded" and "5,000" in said[0]
    stored = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert (stored["data"], stored["channels"]) == ("embedded", 1)
    assert (stored["device"], stored["precision"]) == (str(training.device), "float32")
    mirrors.put(root)
    said.clear()
    resumed = runs.reopen(tmp_path / "run", said.append)
    assert complete(resumed, tmp_path / "run")["data"] == "embedded digits" and said == []
    fresh = runs.create(smoke(data="auto", batch_size=8), tmp_path / "fresh", said.append)
    assert fresh.config.data == "mnist" and said == []


def test_a_relative_data_folder_is_stored_whole(tmp_path, smoke, monkeypatch):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (16, 16), (60 * number, 9, 7)).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    training = runs.create(smoke(data="photos", batch_size=4, steps=2), tmp_path / "run")
    assert training.config.data == str(tmp_path / "photos")
    monkeypatch.chdir("/")
    assert complete(runs.reopen(tmp_path / "run"), tmp_path / "run")["data"] == "photos"
