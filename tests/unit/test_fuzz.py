"""Damaged files and files of something else: each is read, or refused by one error."""

import os
import pickle
import random

import pytest
import torch

from dcgan_utils import files, runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import UserError
from dcgan_utils.weights import load_discriminator, load_generator

KEYS = ["step", "seconds", "history", "columns", "frames", "generator", "average", "fixed_latents"]
READERS = {"checkpoint.pt": ["sample", "resume"], "G.pth": ["sample"]}


@pytest.fixture
def ends_well(capsys, tmp_path, monkeypatch):
    """Return a function that runs a command and returns the error that ends it, if one does."""

    monkeypatch.setattr(runs, "complete", lambda *given: {})  # what could be read goes on well
    monkeypatch.setattr(runs, "last_line", lambda summary: "")

    def end(command, path):
        options = ["--count", "1", "--out", str(tmp_path / "new.png")]
        code = main([command, str(path), *(options if command == "sample" else ["--judge", "0"])])
        (tmp_path / "new.png").unlink(missing_ok=True)
        said = capsys.readouterr().err
        assert code == 0 or (code == 2 and said.count("error: ") == 1), said
        assert "Traceback" not in said
        return said if code else ""

    return end


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
def test_garbled_files_are_read_or_refused(finished, tmp_path, ends_well, name):
    whole, chance, refused = (finished[0] / name).read_bytes(), random.Random(0), 0
    run = tmp_path / "run"
    run.mkdir()
    for number in range(30):
        place = chance.randrange(len(whole))
        if number % 2:  # what says what is where stands at the end; numbers are most of the rest
            place = len(whole) - 1 - chance.randrange(len(whole) // 10)
        overwritten = chance.randbytes(8) + whole[place + 8 :] if number % 3 else b""
        (run / name).write_bytes(whole[:place] + overwritten)
        for command in READERS[name]:
            refused += bool(ends_well(command, run / name if name == "G.pth" else run))
    assert refused >= 10


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, "words") for key in KEYS),
        ("version", 3),
        ("step", -7),
        ("random", torch.zeros(4)),
        ("config", {"data": 5}),
        ("average", {"main.0.weight": "words"}),
        ("optimizers", {"generator": {}}),
    ],
)
def test_checkpoints_with_other_content_are_refused(finished, tmp_path, ends_well, key, value):
    state = files.load(finished[0] / "checkpoint.pt")
    without = {name: content for name, content in state.items() if name != key}
    for changed in (without, without | {key: value}):
        files.save(tmp_path / "checkpoint.pt", changed)
        ends_well("sample", tmp_path)
        said = ends_well("resume", tmp_path)
        assert "checkpoint.pt" in said or key == "average", said  # which this run does without


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
