"""Damaged files and files of something else: each is read, or refused by one error."""

import math
import os
import pickle
import random
import shutil

import pytest
import torch
from several import complete
from torch import nn

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError
from dcgan_utils.networks import Discriminator, Generator
from dcgan_utils.weights import load_discriminator, load_generator

READERS = {"checkpoint.pt": ["sample", "resume"], "G.pth": ["sample"]}


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(finished[0], tmp_path / "run")


@pytest.fixture
def ends_well(capsys, tmp_path):
    """Return a function that runs a command and returns the error that ends it, if one does."""

    def end(command, path):
        options = ["--count", "1", "--out", str(tmp_path / "new.png")]
        code = main([command, str(path), *(options if command == "sample" else ["--judge", "0"])])
        (tmp_path / "new.png").unlink(missing_ok=True)
        said = capsys.readouterr().err
        assert code == 0 or (code == 2 and said.count("error: ") == 1), said
        assert "Traceback" not in said
        return said if code else ""

    return end


def garbled(content, place, kind, chance):
    """Return bytes that were cut off, flipped, overwritten, swapped or repeated at a place."""
    if kind == "cut":
        return content[:place]
    if kind == "flipped":
        return (
            content[:place]
            + bytes([content[place] ^ 1 << chance.randrange(8)])
            + content[place + 1 :]
        )
    if kind == "overwritten":
        return content[:place] + chance.randbytes(8) + content[place + 8 :]
    if kind == "swapped":
        return content[place:] + content[:place]
    return content[:place] + content[place // 2 :]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
def test_garbled_files_are_read_or_refused(finished, tmp_path, ends_well, name, monkeypatch):
    monkeypatch.setattr(runs, "complete", lambda *given: {})  # what could be read goes on well
    monkeypatch.setattr(runs, "last_line", lambda summary: "")
    whole, chance, refused = (finished[0] / name).read_bytes(), random.Random(0), 0
    run = tmp_path / "run"
    run.mkdir()
    for number in range(60):
        kind = ("cut", "flipped", "overwritten", "swapped", "repeated")[number % 5]
        place = chance.randrange(len(whole))
        if number % 2:  # what says what is where stands at the end; numbers are most of the rest
            place = len(whole) - 1 - chance.randrange(len(whole) // 10)
        (run / name).write_bytes(garbled(whole, place, kind, chance))
        for command in READERS[name]:
            refused += bool(ends_well(command, run / name if name == "G.pth" else run))
    assert refused >= 20


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 3),
        ("step", "abc"),
        ("step", -7),
        ("seconds", None),
        ("history", [1, 2]),
        ("history", torch.zeros(3)),
        ("columns", 7),
        ("frames", 5),
        ("random", torch.zeros(4)),
        ("config", 3),
        ("config", {"data": 5}),
        ("generator", {}),
        ("generator", 7),
        ("average", 7),
        ("average", {"main.0.weight": "words"}),
        ("optimizers", {"generator": {}}),
        ("fixed_latents", "none"),
    ],
)
def test_checkpoints_with_other_content_are_refused(run, ends_well, key, value):
    state = files.load(run / "checkpoint.pt")
    files.save(run / "checkpoint.pt", state | {key: value})
    said = ends_well("resume", run)
    assert "checkpoint.pt" in said or key == "average", said  # which this run does without
    ends_well("sample", run)
    del state[key]
    files.save(run / "checkpoint.pt", state)
    assert "checkpoint.pt" in ends_well("resume", run) or key == "average"
    ends_well("sample", run)


def odd_weights(kind):
    weights = Generator(16, 1, 100, 8).state_dict()
    if kind == "keys":
        return dict(enumerate(weights.values()))
    if kind == "list":
        return [*weights.values()]
    if kind == "40 layers":
        return {f"main.{place}.weight": torch.zeros(2, 2, 4, 4) for place in range(40)}
    if kind == "giant":
        one = torch.zeros(1).expand(10**6, 10**6, 4, 4)
        return {f"main.{place}.weight": one for place in (0, 3, 6)}
    if kind == "no kernels":
        return {f"main.{place}.weight": torch.zeros(0, 0, 0, 0) for place in (0, 3, 6)}
    if kind == "linear":
        return nn.Linear(2, 2).state_dict()
    if kind == "discriminator":
        return Discriminator(16, 1, 8, 0.2).state_dict()
    if kind == "NaN":
        weights["main.0.weight"][0, 0, 0, 0] = math.nan
        return weights
    return {name: value.long() for name, value in weights.items()}


@pytest.mark.parametrize(
    "kind",
    ["keys", "list", "40 layers", "giant", "no kernels", "linear", "discriminator", "NaN", "whole"],
)
def test_odd_weights_are_refused(tmp_path, ends_well, kind):
    torch.save(odd_weights(kind), tmp_path / "G.pth")
    assert "G.pth" in ends_well("sample", tmp_path / "G.pth")


class Malicious:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("write", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    for name in ("G.pth", "checkpoint.pt"):
        write({"main.0.weight": Malicious()}, tmp_path / name)
    for read in (load_generator, load_discriminator, files.load, runs.load_checkpoint):
        with pytest.raises(UserError):
            read(tmp_path / ("checkpoint.pt" if read is runs.load_checkpoint else "G.pth"))
    assert not (tmp_path / "executed").exists()


def test_files_of_something_else_are_named(run, tmp_path):
    with pytest.raises(UserError, match=r"D\.pth"):
        load_generator(run / "D.pth")
    with pytest.raises(UserError, match=r"checkpoint\.pt"):
        load_generator(run / "checkpoint.pt")
    with pytest.raises(UserError, match=r"G\.pth is not a checkpoint"):
        runs.load_training(run / "G.pth")
    with pytest.raises(UserError, match=r"none\.pth could not be read"):
        load_generator(tmp_path / "none.pth")


def test_spoiled_settings_and_metrics_are_no_obstacle_and_are_written_anew(run, new_training):
    """The checkpoint alone is read."""
    settings = (run / "config.json").read_bytes()
    (run / "config.json").write_bytes(b"\xff[]")
    (run / "metrics.csv").unlink()
    complete(runs.load_training(run / "checkpoint.pt"), run)
    assert (run / "config.json").read_bytes() == settings
    assert len((run / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 21
