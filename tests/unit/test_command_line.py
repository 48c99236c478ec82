"""The command line, run as a user runs it, and the settings that it takes."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from dcgan_utils import judging
from dcgan_utils.__main__ import main, parse
from dcgan_utils.config import PRESETS, Config, UserError, meanings, preset


@pytest.mark.slow
def test_train_says_how_good_a_run_is_and_judge_says_it_again(tmp_path, monkeypatch, capsys):
    command = [sys.executable, "-m", "dcgan_utils", "train", "--preset", "smoke"]
    command += ["--data", "embedded", "--seed", "3", "--fit", "pad", "--image-size", "32"]
    command += ["--width", "2", "--steps", "5", "--judge", "1000"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "smoke-1"
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert config["seed"] == 3 and "auto" not in config.values()
    *_, last, judged = result.stdout.splitlines()
    assert all(word in last for word in ("embedded digits", "5 steps", "images/s", "float32"))
    assert re.match(r"Judged: distance [\d.]+ \(real digits [\d.]+", judged)
    assert 1 <= len(result.stderr.splitlines()) <= 10 and "\r" not in result.stderr
    stored = json.loads((run / "judgment.json").read_text(encoding="utf-8"))
    rows = {name: stored[name] for name in ("real digits", "samples", "noise")}
    real, ours, noise = (row["distance"]["value"] for row in rows.values())
    assert real < ours and real < noise
    monkeypatch.setattr(judging, "judge_samples", lambda *given: rows)
    assert main(["judge", str(run), "--count", "1000"]) == 0
    assert capsys.readouterr().out == (run / "judgment.md").read_text(encoding="utf-8")
    assert json.loads((run / "judgment.json").read_text(encoding="utf-8")) == stored


def test_sample_and_train_change_nothing_that_is_there(finished, tmp_path, capsys):
    run, out = finished[0], tmp_path / "1.png"
    for source, path in ((run, out), (run / "G.pth", tmp_path / "2.png")):
        assert main(["sample", str(source), "--count", "4", "--out", str(path)]) == 0
    assert out.read_bytes() == (tmp_path / "2.png").read_bytes()
    for command in (["sample", str(run), "--out", str(out)], ["train", "--out", str(run)]):
        assert main(command) == 2
        assert re.match("error: .*(taken|exists)", capsys.readouterr().err)


def test_epochs_count_where_the_preset_counts_in_steps():
    configs = [parse(["train", *options]).config for options in ([], ["--epochs=10"])]
    assert [(config.epochs, config.steps) for config in configs] == [(3, 4200), (10, None)]


SMOKE = ["train", "--preset", "smoke", "--data", "embedded"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--learning-rate", "-1e-3"], ["learning_rate is -0.001"]),
        (["train", "--preset", "clasroom"], ["'clasroom'", *PRESETS]),
        (["train", "--objective", "nobody's"], ["nobody's", "non-saturating"]),
        (["train", "--data", "nowhere"], ["nowhere"]),
        ([*SMOKE, "--batch-size", "4001"], ["4001", "4000"]),
        ([*SMOKE, "--device", "cuda:77"], ["cuda:77", "cpu"]),
        ([*SMOKE, "--judge", "10"], ["judge is 10", "1000"]),
        (["resume", "nowhere"], ["nowhere", "not a run folder"]),
        (["train", "--out", "n" * 300], ["name too long"]),
        (["sample", "nowhere.pth"], ["nowhere.pth", "could not be read"]),
    ],
)
def test_a_wrong_setting_gets_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    """And this before anything is made."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and all(word in line for word in words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    ["dance", "resume", "resume a b", "train --steps abc", "train --fit cut", "train --preset"]
    + ["train --learning-rat 1", "train --conditional", "judge a -x", "sample a --count x"],
)
def test_a_mistyped_command_ends_with_two_and_names_what_is_wrong(arguments, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert any(word in said for word in arguments.split()[1:] or [arguments, "PATH"])


@pytest.mark.slow
def test_help_has_every_setting_with_its_default_in_the_preset():
    """And is there at once: PyTorch is not imported."""
    code = """if True:
        import sys
        from dcgan_utils.__main__ import main
        try:
            main(sys.argv[1:])
        finally:
            assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", code, "train", "--preset", "mnist64", "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    shown = " ".join(result.stdout.replace("│", " ").split())
    assert list(meanings()) == [field.name for field in dataclasses.fields(Config)]
    for setting, meaning in meanings().items():
        assert f"--{setting.replace('_', '-')}" in shown and meaning in shown
        assert f"(default: {getattr(PRESETS['mnist64'], setting)})" in shown


NAN, INFINITE = float("nan"), float("inf")
WRONG = {
    **dict.fromkeys(("batch_size", "width", "latent_size", "epochs"), (0, -8, 3.5)),
    **dict.fromkeys(("steps", "samples", "record_every", "checkpoint_every"), (0, -1)),
    **dict.fromkeys(("learning_rate", "initial_std"), (0.0, -0.1, NAN, INFINITE, "fast")),
    **dict.fromkeys(("beta1", "beta2", "leak", "average"), (1.0, -0.1, NAN)),
    **dict.fromkeys(("conditional", "spectral_norm"), (1, "yes", None)),
    "wrong_pairs": (1, True),  # where there are no labels
    "image_size": (28, 48, 512, 32.0),
    "real_label": (0.5, 1.1),
    "decay": (-0.1, 1.5),
    "channels": (2, True),
    "latent": ("gaussian",),
    "fit": ("crop",),
    "precision": ("fp16",),
    "frames": (1, 1001),
    "seed": (-1, 2**31, True),
    "data": (" ",),
}


@pytest.mark.parametrize(("name", "value"), [(name, v) for name in WRONG for v in WRONG[name]])
def test_a_wrong_value_is_refused_by_name_and_value(name, value):
    with pytest.raises(UserError) as caught:
        preset("classroom", **{name: value})
    assert all(word in str(caught.value) for word in (name, repr(value), "allowed"))


def test_an_unknown_setting_is_named_with_what_is_meant():
    with pytest.raises(UserError, match="'lr'.*learning_rate"):
        preset("classroom", lr=0.1)


def test_the_later_word_on_the_length_wins():
    assert preset("classroom", epochs=10, steps=7).steps == 7
    assert preset("classroom", learning_rate=1).learning_rate == 1, "an integer serves as well"


def test_the_paper_preset_holds_the_papers_figures():
    """Radford et al. (2015), section 4 and figure 1, typed from the paper."""
    paper = PRESETS["paper"]
    assert (paper.batch_size, paper.learning_rate, paper.beta1) == (128, 0.0002, 0.5)
    assert (paper.initial_std, paper.leak, paper.latent) == (0.02, 0.2, "uniform")
    assert (paper.image_size, paper.width, paper.latent_size) == (64, 128, 100)
