"""The command line, run as a user runs it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dcgan_utils.__main__ import main, parse
from dcgan_utils.config import PRESETS, meanings

README = Path(__file__).parents[2] / "README.md"
COMMAND = re.compile(r"^(?:python|torchrun .*?) -m dcgan_utils (.*)$", re.MULTILINE)


def run(*arguments, folder):
    command = [sys.executable, "-m", "dcgan_utils", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which `train --preset smoke` ran, and what it printed."""
    folder = tmp_path_factory.mktemp("user")
    command = ["train", "--preset", "smoke", "--data", "embedded", "--seed", "3", "--judge", "1000"]
    return folder, run(*command, folder=folder)


@pytest.mark.slow
def test_train_makes_a_numbered_run_and_says_what_it_was_and_how_good(trained):
    folder, result = trained
    assert result.returncode == 0, result.stderr
    assert (folder / "runs" / "smoke-1" / "G.pth").exists()
    config = json.loads((folder / "runs" / "smoke-1" / "config.json").read_text(encoding="utf-8"))
    assert config["seed"] == 3 and config["image_size"] == 16 and "auto" not in config.values()
    *_, last, judged = result.stdout.splitlines()
    assert all(word in last for word in ("embedded digits", "20 steps", "images/s", "float32"))
    assert re.match(r"Judged: distance [\d.]+ \(real digits [\d.]+", judged)
    assert 1 <= len(result.stderr.splitlines()) <= 10 and "\r" not in result.stderr


@pytest.mark.slow
def test_judge_prints_a_table_and_stores_it(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    assert main(["judge", "runs/smoke-1", "--count", "1000"]) == 0
    folder = trained[0] / "runs" / "smoke-1"
    assert capsys.readouterr().out == (folder / "judgment.md").read_text(encoding="utf-8")
    stored = json.loads((folder / "judgment.json").read_text(encoding="utf-8"))
    real, ours, noise = (
        stored[row]["distance"]["value"] for row in ("real digits", "samples", "noise")
    )
    assert real < ours and real < noise


@pytest.mark.slow
def test_sample_and_resume_change_nothing_that_is_there(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    weights = Path("runs/smoke-1/G.pth")
    before = weights.read_bytes()
    assert main(["resume", "runs/smoke-1", "--judge", "0"]) == 0
    assert weights.read_bytes() == before
    for source, out in (("runs/smoke-1", "1.png"), ("runs/smoke-1/G.pth", "2.png")):
        assert main(["sample", source, "--count", "4", "--out", out]) == 0
    assert Path("1.png").read_bytes() == Path("2.png").read_bytes()
    capsys.readouterr()
    for command in (
        ["sample", "runs/smoke-1", "--out", "1.png"],
        ["train", "--out", "runs/smoke-1"],
    ):
        assert main(command) == 2
        assert re.match("error: .*(taken|exists)", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--epochs", "10"], (10, None)),
        (["--epochs=10"], (10, None)),
        (["--epochs", "10", "--steps", "7"], (10, 7)),
        (["--steps=7"], (3, 7)),
        ([], (3, 4200)),
    ],
)
def test_epochs_count_where_the_preset_counts_in_steps(options, expected):
    config = parse(["train", *options]).config
    assert (config.epochs, config.steps) == expected


SMOKE = ["train", "--preset", "smoke", "--data", "embedded"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--image-size", "28"], ["image_size is 28", "32"]),
        (["train", "--width", "-4"], ["width is -4"]),
        (["train", "--learning-rate", "-1e-3"], ["learning_rate is -0.001"]),
        (["train", "--preset", "clasroom"], ["'clasroom'", *PRESETS]),
        (["train", "--objective", "nobody's"], ["nobody's", "non-saturating"]),
        (["train", "--data", "nowhere"], ["nowhere"]),
        ([*SMOKE, "--batch-size", "4001"], ["4001", "4000"]),
        ([*SMOKE, "--device", "cuda:77"], ["cuda:77", "cpu"]),
        ([*SMOKE, "--judge", "10"], ["judge is 10", "1000"]),
        (["resume", "nowhere"], ["nowhere", "not a run folder"]),
        (["resume", "nowhere", "--learning-rate", "0.1"], ["--out"]),
        (["train", "--judge", "-5"], ["judge is -5", "1000 to 1000000"]),
        (["train", "--out", "n" * 300], ["name too long"]),
        (["sample", "nowhere.pth"], ["nowhere.pth", "could not be read"]),
    ],
)
def test_a_wrong_setting_gets_one_line_before_anything_is_made(
    arguments, words, capsys, tmp_path, monkeypatch
):
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


@pytest.mark.parametrize("line", COMMAND.findall(README.read_text(encoding="utf-8")))
def test_the_commands_of_the_readme_are_understood(line, capsys):
    arguments = shlex.split(line, comments=True)
    if "--help" not in arguments:
        assert type(parse(arguments)).__name__.lower() == arguments[0]


@pytest.mark.parametrize("name", ["classroom", "mnist64"])
def test_help_has_every_setting_with_its_default_in_the_preset(name):
    """And is there at once: PyTorch is not imported."""
    code = """if True:
        import sys
        from dcgan_utils.__main__ import main
        try:
            main(sys.argv[1:])
        finally:
            assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", code, "train", "--preset", name, "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    shown = " ".join(result.stdout.replace("│", " ").split())
    for setting, meaning in meanings().items():
        assert f"--{setting.replace('_', '-')}" in shown and meaning in shown
        assert f"(default: {getattr(PRESETS[name], setting)})" in shown
