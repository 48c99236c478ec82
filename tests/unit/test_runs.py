"""Run folders: what they hold, and that nothing interrupts, overwrites or spoils them."""

import errno
import json
import os

import pytest
import torch
from PIL import Image
from several import FILES, assert_same_end, complete, reopen, training_of

from dcgan_utils import data, files, runs
from dcgan_utils.config import UserError


def test_a_run_folder_is_complete_and_the_same_seed_makes_it_again(
    finished, new_training, tmp_path
):
    folder, training = finished
    assert {path.name for path in folder.iterdir()} == FILES
    assert len((folder / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 21
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["data"], summary["steps"]) == ("embedded digits", 20)
    assert summary["images_per_second"] == pytest.approx(20 * 32 / training.seconds, abs=0.1)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (settings["channels"], settings["precision"]) == (1, "float32"), "as decided"
    torch.manual_seed(123)
    again = new_training()
    complete(again, runs.create(again, tmp_path / "again"))
    assert_same_end(folder, tmp_path / "again")
    other = new_training(seed=1)
    other.run()
    assert not torch.equal(other.history["loss_d"], training.history["loss_d"])


class Killed(BaseException):
    """As if the process had ended there; nothing catches it."""


def test_a_run_killed_before_any_of_its_files_is_replaced_ends_as_if_it_had_not_been(
    tmp_path, new_training, monkeypatch
):
    """Each file that a run writes, one after another, is the last one of a process."""
    monkeypatch.setattr(runs, "draw_pictures", lambda training: {"animation.png": b""})
    changes = {"steps": 6, "checkpoint_every": 2, "average": 0.9, "frames": 3}
    replace, count = os.replace, 0

    def replace_until(source, target):
        nonlocal count
        count -= 1
        if count == 0:
            raise Killed
        replace(source, target)

    def train(folder):
        if folder.exists():
            training = reopen(folder)
        else:
            training = new_training(**changes)
            runs.create(training, folder)
        complete(training, folder)

    monkeypatch.setattr(os, "replace", replace_until)
    train(tmp_path / "whole")
    written, saved = -count, set()
    assert {path.name for path in (tmp_path / "whole" / "checkpoints").iterdir()} == {
        "2.pt",
        "4.pt",
    }
    for last in range(1, written + 1):
        folder, count = tmp_path / str(last), last
        with pytest.raises(Killed):
            train(folder)
        if folder.exists():
            saved.add(files.load(folder / runs.CHECKPOINT)["step"])
        train(folder)
        assert_same_end(tmp_path / "whole", folder)
    assert saved == {0, 2, 4, 6}


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_full_disk_leaves_a_file_as_it_was(tmp_path, monkeypatch, name):
    files.save(tmp_path / "checkpoint.pt", {"step": 1})

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, full)
    with pytest.raises(UserError, match=r"checkpoint\.pt could not be written: No space left"):
        files.save(tmp_path / "checkpoint.pt", {"step": 2})
    assert files.load(tmp_path / "checkpoint.pt") == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_an_existing_folder_is_left_alone(finished, new_training, tmp_path):
    folder, training = finished
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with pytest.raises(UserError, match="exists.*resume"):
        runs.create(training, folder)
    assert before == {path: path.read_bytes() for path in folder.rglob("*.*")}
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="exists"):
        runs.create(training, tmp_path / "link")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be made"):
        runs.create(training, tmp_path / "file" / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_folder_made_by_another_at_the_same_moment_is_left_alone(
    tmp_path, new_training, monkeypatch
):
    """It appears after all checks, just before this run's own would; so the next number is free."""
    training, rename = new_training(), os.rename

    def rename_too_late(source, target):
        if target.name == "smoke-1":
            target.mkdir()
            (target / "theirs").write_text("")
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_too_late)
    assert runs.create_next(training, "smoke", tmp_path).name == "smoke-2"
    assert runs.create_next(training, "smoke", tmp_path).name == "smoke-3"
    assert [path.name for path in (tmp_path / "smoke-1").iterdir()] == ["theirs"]
    assert len(list(tmp_path.iterdir())) == 3


def test_what_a_killed_process_has_left_is_swept_away(tmp_path, new_training):
    training = new_training(steps=5)
    folder = runs.create(training, tmp_path / "run")
    (folder / "checkpoints").mkdir()
    for half in (folder / ".G.pth.77.tmp", folder / "checkpoints" / ".5.pt.77.tmp"):
        half.write_text("half")
    complete(training, folder)
    assert not list(tmp_path.rglob(".*.tmp"))


def test_what_is_no_run_or_was_trained_on_other_data_is_refused(finished, tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        reopen(tmp_path)
    state = files.load(finished[0] / "checkpoint.pt")
    files.save(tmp_path / "checkpoint.pt", state | {"data": "MNIST, 60000 images"})
    with pytest.raises(UserError, match="MNIST, 60000.*embedded digits"):
        reopen(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "source"])
def test_color_images_train_resume_and_draw_in_color(tmp_path, smoke, monkeypatch, kind):
    """Also a folder that was named from another place."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (12, 3, 20, 20), dtype=torch.uint8, generator=random)
    (tmp_path / "photos").mkdir()
    for number, image in enumerate(pixels):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / "photos" / f"{number}.png")
    source = data.Source(load=lambda: data.Images(pixels, "photos"))
    if kind == "source":
        monkeypatch.setitem(data.SOURCES, "photos", source)
    monkeypatch.chdir(tmp_path)
    config = data.decide(smoke(data="photos", batch_size=4, steps=4, latent="uniform"))
    training = training_of(config)
    folder = runs.create(training, tmp_path / "run")
    training.run(steps=2)
    runs.save_training(folder / runs.CHECKPOINT, training)
    monkeypatch.chdir("/")
    assert complete(reopen(folder), folder)["data"] == "photos"
    runs.write_samples(folder, tmp_path / "samples.png", 4, 0)
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.mode == "RGB"
