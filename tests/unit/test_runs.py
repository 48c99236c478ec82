"""Run folders: what they hold, and that nothing overwrites or spoils them, nor a second user."""

import errno
import json
import os

import pytest
import several
from PIL import Image

from dcgan_utils import data, files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError
from dcgan_utils.training import Training


def test_a_run_folder_is_complete(finished):
    folder, training = finished
    assert {path.name for path in folder.iterdir()} == several.FILES
    assert len((folder / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 21
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["data"], summary["steps"]) == ("embedded digits", 20)
    assert summary["images_per_second"] == pytest.approx(20 * 32 / training.seconds, abs=0.1)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (settings["channels"], settings["precision"]) == (1, "float32"), "as decided"


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


def test_a_folder_made_at_the_same_moment_is_left_alone(tmp_path, new_training, monkeypatch):
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


def test_other_data_are_refused_and_another_environment_is_told(finished, tmp_path):
    state = files.load(finished[0] / "checkpoint.pt")
    files.save(tmp_path / "checkpoint.pt", state | {"data": "MNIST, 60000 images"})
    with pytest.raises(UserError, match="MNIST, 60000.*embedded digits"):
        several.reopen(tmp_path)
    said = []
    files.save(tmp_path / "checkpoint.pt", state | {"environment": "PyTorch 1.0"})
    for folder in (finished[0], tmp_path):
        assert several.reopen(folder, notice=said.append).step == 20
    assert len(said) == 1 and "PyTorch 1.0" in said[0]


def test_a_folder_of_images_resumes_from_another_place(tmp_path, smoke, monkeypatch):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (20, 20), (50 * number, 9, 9)).save(tmp_path / f"photos/{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache")
    config = data.decide(smoke(data="photos", batch_size=4, steps=2, latent="uniform"))
    folder = runs.create(several.training_of(config), tmp_path / "run")
    monkeypatch.chdir("/")
    assert several.complete(several.reopen(folder), folder)["data"] == "photos"


def test_one_run_alone_writes_in_a_folder_and_sweeps_away_what_a_killed_one_has_left(
    tmp_path, new_training, monkeypatch, capsys
):
    """And no other begins there, also by a link, or from inside it."""
    monkeypatch.setattr(runs, "draw_pictures", lambda training: {})
    training = new_training(steps=2)
    folder = runs.create(training, tmp_path / "run")
    (tmp_path / "link").symlink_to(folder)
    (folder / "checkpoints").mkdir()
    left = folder / ".G.pth.77.tmp", folder / "checkpoints" / ".5.pt.77.tmp"
    for half in left:
        half.write_text("half")

    def meanwhile(report):
        assert not any(half.exists() for half in left)
        left[0].write_text("half")
        monkeypatch.setattr(Training, "run", lambda *given: pytest.fail("two train in it"))
        for place, spelling in ((tmp_path, "run"), (tmp_path, "link"), (folder, ".")):
            monkeypatch.chdir(place)
            assert main(["resume", spelling, "--judge", "0"]) == 2
            said = capsys.readouterr().err
            assert said.count("error: ") == 1 and f"{spelling} is in use" in said, said
        assert left[0].exists()

    runs.complete(training, folder, meanwhile)
