"""What users, pipes and files do to the commands: one clear line each, and nothing lost."""

import errno
import json
import math
import os
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError, preset
from dcgan_utils.drawing import plots
from dcgan_utils.networks import Generator
from dcgan_utils.weights import load_generator, save_weights

TRAIN = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "smoke", "--data", "embedded"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    training = runs.create(preset("smoke", data="embedded"), folder)
    runs.complete(training, folder, lambda report: None)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run, to be spoiled."""
    copy = tmp_path / "run"
    copy.mkdir()
    for path in finished.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def error_of(*arguments, capsys):
    """Return the one line that a mistaken command ends with."""
    assert main(list(map(str, arguments))) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("error: ") == 1
    return said


# Streams


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a Unix shell")
@pytest.mark.parametrize("redirection", ["| head -1", "| true", "> /dev/full", ">&-", "2>&-"])
def test_no_stream_ends_a_run(tmp_path, redirection):
    command = " ".join([*TRAIN, "--judge 0 --out r", redirection])
    result = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / "r" / "summary.json").exists()
    assert "Traceback" not in result.stderr and "Exception ignored" not in result.stderr


@pytest.mark.slow
def test_a_terminal_without_unicode(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [*TRAIN, "--judge", "1000", "--out", "é"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0 and (tmp_path / "é" / "judgment.md").exists(), result.stderr


def test_an_error_starts_on_a_line_of_its_own_below_the_progress_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dcgan_utils.__main__.Lenient.isatty", lambda stream: True)
    command = ["train", "--preset", "smoke", "--data", "embedded", "--judge", "0"]
    assert main([*command, "--learning-rate", "1e30", "--out", str(tmp_path / "run")]) == 2
    shown = capsys.readouterr().err
    assert "0/20" in shown and shown.splitlines()[-1].startswith("error: A loss or a weight")


# Samples


def test_many_samples_need_little_memory():
    images = torch.zeros(4000, 1, 32, 32, dtype=torch.uint8)
    plots.mosaic_png(images[:2])  # imports what it needs
    tracemalloc.start()
    content = plots.mosaic_png(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(content) > 1000 and peak < 30e6, f"{peak / 1e6:.0f} MB for 4 MB of images"


@pytest.mark.parametrize("channels", [1, 3])
def test_the_mosaic_has_every_image_in_its_place(tmp_path, channels):
    images = torch.arange(1, 8, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, channels, 4, 4) * 30
    (tmp_path / "m.png").write_bytes(plots.mosaic_png(images))
    with Image.open(tmp_path / "m.png") as picture:
        pixels = np.asarray(picture.convert("L"))
        assert picture.mode == ("L" if channels == 1 else "RGB")
    assert pixels.shape == (16, 16)
    assert pixels[1::6, 1::6].flatten().tolist() == [30, 60, 90, 120, 150, 180, 210, 128, 128]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--count", "0"], "count is 0; allowed: 1 to 1000000"),
        (["--count", "100000000000000"], "count is 100000000000000"),
        (["--seed", "99999999999999999999999"], "seed is 99999999999999999999999"),
        (["--digit", "7"], "digit is 7, but this generator was trained without labels"),
        (["--seed", "-1"], "seed is -1; allowed: 0 to 2147483647"),
        (["--out", "x.jpg"], "x.jpg'; allowed: a name that ends in .png"),
        (["--out", "no/where.png"], "no is not a folder"),
    ],
)
def test_sample_refuses_what_it_cannot_do(finished, capsys, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert words in error_of("sample", finished, *options, capsys=capsys)
    assert list(tmp_path.iterdir()) == []


def test_nan_weights_are_named(run, capsys):
    generator = Generator(16, 1, 100, 8)
    with torch.no_grad():
        generator.main[0].weight[0, 0, 0, 0] = math.nan
    save_weights(run / "G.pth", generator)
    with pytest.raises(UserError, match=r"G\.pth holds NaN"):
        load_generator(run / "G.pth")
    for command in ("sample", "judge"):
        assert "holds NaN" in error_of(command, run, capsys=capsys)


# Files of a run


@pytest.mark.parametrize("name", ["config.json", "summary.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[]", b"{}", b'{"data": ', b"null"])
@pytest.mark.parametrize("command", ["sample", "judge"])
def test_a_spoiled_settings_file_is_named(run, capsys, monkeypatch, name, content, command):
    if (name, command) == ("summary.json", "sample"):
        pytest.skip("sample does not read it")
    monkeypatch.chdir(run.parent)
    (run / name).write_bytes(content)
    assert name in error_of(command, run, capsys=capsys)


def test_settings_of_another_version_are_named(run, capsys):
    (run / "config.json").write_text(json.dumps({"data": "mnist", "wheels": 4}))
    assert "another version" in error_of("judge", run, capsys=capsys)


@pytest.mark.slow
def test_a_verdict_that_cannot_be_stored_is_shown_all_the_same(run, capsys):
    (run / "judgment.json").mkdir()
    (run / "judgment.json" / "in the way").write_text("")
    assert main(["judge", str(run), "--count", "1000"]) == 2
    shown = capsys.readouterr()
    assert "| Fréchet distance |" in shown.out
    assert "could not be written" in shown.err and "Make room" not in shown.err


@pytest.fixture
def holder(monkeypatch):
    """A function that lets the next moves fail, as on Windows while a file is held open."""

    def holds(times):
        failures = iter(range(times))

        def replace(source, target, replace=os.replace):
            if next(failures, None) is not None:
                raise PermissionError(errno.EACCES, "Access is denied", source, None, target)
            return replace(source, target)

        monkeypatch.setattr(os, "replace", replace)

    return holds


def test_a_file_that_is_held_open_for_a_moment_is_waited_for(tmp_path, holder, smoke):
    (tmp_path / "metrics.csv").write_text("old")
    holder(3)
    files.write_file(tmp_path / "metrics.csv", b"new")
    assert (tmp_path / "metrics.csv").read_text() == "new"
    holder(2)  # of the move of the whole run folder
    assert runs.create(smoke(), tmp_path / "run").step == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.csv", "run"]


def test_a_file_that_stays_held_open_is_named(tmp_path, holder):
    (tmp_path / "metrics.csv").write_text("old")
    holder(10**9)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"metrics\.csv could not be written.*holds it open"):
        files.write_file(tmp_path / "metrics.csv", b"new")
    assert 1 <= time.monotonic() - began < 10
    assert (tmp_path / "metrics.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


# What won't fit


@pytest.mark.parametrize(
    "changes",
    [{"width": 10**6}, {"latent_size": 10**11}, {"samples": 10**12}, {"width": 10**23}],
    ids=lambda changes: str(changes),
)
def test_what_does_not_fit_is_refused_with_its_size(tmp_path, changes):
    with pytest.raises(UserError, match=rf"{next(iter(changes.values()))}.* GiB of memory"):
        runs.create(preset("smoke", data="embedded", **changes), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


# Names and contents that nobody would choose


@pytest.mark.parametrize("data", ["~nouser/x", "a" * 300, "\0"])
def test_odd_names_of_data_are_refused(tmp_path, capsys, data):
    command = ["train", "--preset", "smoke", "--data", data, "--out", tmp_path / "run"]
    error_of(*command, capsys=capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_for_a_folder_is_refused(tmp_path, capsys):
    command = ["train", "--preset", "smoke", "--data", "embedded", "--out", tmp_path / ("a" * 300)]
    assert "too long" in error_of(*command, capsys=capsys)


def odd_weights(kind):
    weights = Generator(16, 1, 100, 8).state_dict()
    if kind == "integer keys":
        return dict(enumerate(weights.values()))
    if kind == "40 layers":
        return {f"main.{place}.weight": torch.zeros(2, 2, 4, 4) for place in range(40)}
    if kind == "giant":
        one = torch.zeros(1).expand(10**6, 10**6, 4, 4)
        return {f"main.{place}.weight": one for place in (0, 3, 6)}
    if kind == "no kernels":
        return {f"main.{place}.weight": torch.zeros(0, 0, 0, 0) for place in (0, 3, 6)}
    return {name: value.long() for name, value in weights.items()}


@pytest.mark.parametrize("kind", ["integer keys", "40 layers", "giant", "no kernels", "whole"])
def test_odd_weights_are_refused(tmp_path, kind):
    torch.save(odd_weights(kind), tmp_path / "G.pth")
    with pytest.raises(UserError, match=r"G\.pth"):
        load_generator(tmp_path / "G.pth")


def test_a_generator_of_another_size_in_a_run_is_named(run, capsys):
    save_weights(run / "G.pth", Generator(32, 1, 100, 8))
    assert "G.pth draws 32x32" in error_of("judge", run, capsys=capsys)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", "abc"),
        ("step", -7),
        ("step", 10**12),
        ("seconds", None),
        ("history", [1, 2]),
        ("history", torch.zeros(3)),
        ("frames", 5),
        ("random", torch.zeros(4)),
        ("config", 3),
        ("config", {"data": 5}),
        ("generator", {}),
        ("fixed_latents", "none"),
        ("environment", None),
    ],
)
def test_odd_checkpoints_are_refused(run, capsys, key, value):
    state = files.load(run / "checkpoint.pt")
    files.save(run / "checkpoint.pt", state | {key: value})
    assert "checkpoint.pt" in error_of("resume", run, capsys=capsys)
