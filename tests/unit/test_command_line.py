"""The command line, run as a user runs it."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from dcgan_utils.__main__ import Judge, Resume, Sample, Train, main, options_of
from dcgan_utils.config import PRESETS, UserError, meanings


def run(*arguments, folder):
    command = [sys.executable, "-m", "dcgan_utils", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which `train --preset smoke` ran, and what it printed."""
    folder = tmp_path_factory.mktemp("user")
    command = ["train", "--preset", "smoke", "--data", "embedded", "--seed", "3", "--judge", "1000"]
    result = run(*command, folder=folder)
    return folder, result


@pytest.mark.slow
def test_train_makes_a_numbered_run_and_ends_with_one_line(trained):
    folder, result = trained
    assert result.returncode == 0, result.stderr
    assert (folder / "runs" / "smoke-1" / "G.pth").exists()
    config = json.loads((folder / "runs" / "smoke-1" / "config.json").read_text(encoding="utf-8"))
    assert config["seed"] == 3 and config["image_size"] == 16
    *_, last, judged = result.stdout.splitlines()
    for word in ("embedded digits", "20 steps", "images/s", "float32"):
        assert word in last
    pattern = r"Judged: distance [\d.]+ \(real digits [\d.]+; not .+ FID\), .+ to .+%"
    assert re.fullmatch(pattern, judged)


@pytest.mark.slow
def test_judge_prints_a_table_and_stores_it(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    assert main(["judge", "runs/smoke-1", "--count", "1000"]) == 0
    printed = capsys.readouterr().out
    assert printed == (trained[0] / "runs" / "smoke-1" / "judgment.md").read_text(encoding="utf-8")
    for words in (
        "Fréchet distance",
        "Real digits: embedded digits",
        "published FID",
        "compare the columns",
    ):
        assert words in printed
    stored = json.loads(
        (trained[0] / "runs" / "smoke-1" / "judgment.json").read_text(encoding="utf-8")
    )
    distances = [stored[row]["distance"]["value"] for row in ("real digits", "samples", "noise")]
    assert distances[0] < distances[1] and distances[0] < distances[2]
    assert trained[1].stdout.splitlines()[-1].startswith(f"Judged: distance {distances[1]:.1f} ")


def test_only_digits_are_judged(tmp_path, capsys):
    """A folder of photographs, even if it is called MNIST."""
    folder, out = tmp_path / "MNIST", tmp_path / "run"
    folder.mkdir()
    for number in range(32):
        Image.new("RGB", (20, 20), (number, 9 * number % 256, 7)).save(folder / f"{number}.png")
    command = ["train", "--preset", "smoke", "--data", str(folder), "--steps", "2"]
    assert main([*command, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Judged" not in said and "knows digits only" in said
    assert main(["judge", str(out)]) == 2
    assert "knows digits only" in capsys.readouterr().err


@pytest.mark.slow
def test_too_few_samples_to_judge_are_refused_before_the_run(
    trained, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(trained[0])
    command = ["train", "--preset", "smoke", "--data", "embedded", "--judge", "10"]
    assert main([*command, "--out", str(tmp_path / "no")]) == 2
    assert main(["judge", "runs/smoke-1", "--count", "10"]) == 2
    said = capsys.readouterr().err
    assert "judge is 10; allowed: 1000 or more" in said and "count is 10" in said
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_a_log_file_is_not_flooded(trained):
    lines = trained[1].stderr.splitlines()
    assert 1 <= len(lines) <= 10 and "\r" not in trained[1].stderr
    for word in ("Loss_D", "Loss_G", "D(x)", "D(G(z))", "left"):
        assert word in lines[-1]


@pytest.mark.slow
def test_sample_draws_from_a_run_and_overwrites_nothing(trained, monkeypatch, capsys):
    folder, _ = trained
    monkeypatch.chdir(folder)
    for source in ("runs/smoke-1", "runs/smoke-1/G.pth"):
        assert main(["sample", source, "--count", "4", "--out", f"{source.count('/')}.png"]) == 0
    assert (folder / "1.png").read_bytes() == (folder / "2.png").read_bytes()
    assert main(["sample", "runs/smoke-1", "--out", "1.png"]) == 2
    assert "exists" in capsys.readouterr().err


@pytest.mark.slow
def test_an_existing_run_folder_is_refused(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    assert main(["train", "--preset", "smoke", "--out", "runs/smoke-1"]) == 2
    assert "exists" in capsys.readouterr().err


@pytest.mark.slow
def test_resuming_a_whole_run_changes_nothing(trained, monkeypatch):
    monkeypatch.chdir(trained[0])
    weights = trained[0] / "runs" / "smoke-1" / "G.pth"
    before = weights.read_bytes()
    assert main(["resume", "runs/smoke-1", "--judge", "0"]) == 0
    assert weights.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--epochs", "10"], (10, None)),
        (["--epochs=10"], (10, None)),
        (["--steps", "7", "--epochs", "10"], (10, None)),
        (["--epochs", "10", "--steps", "7"], (10, 7)),
        (["--steps", "7"], (3, 7)),
        ([], (3, 4200)),
    ],
)
def test_the_later_word_on_the_length_wins(options, expected):
    config = options_of(Train, options).config
    assert (config.epochs, config.steps) == expected


def test_steps_cut_a_run_short(tmp_path):
    command = ["train", "--preset", "smoke", "--data", "embedded", "--steps", "2", "--judge", "0"]
    assert main([*command, "--out", str(tmp_path / "short")]) == 0
    assert len((tmp_path / "short" / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--image-size", "28"], ["image_size is 28", "32"]),
        (["train", "--image-size", "48"], ["image_size is 48"]),
        (["train", "--batch-size", "0"], ["batch_size is 0"]),
        (["train", "--width", "-4"], ["width is -4"]),
        (["train", "--epochs", "0"], ["epochs is 0"]),
        (["train", "--learning-rate", "-1"], ["learning_rate is -1.0"]),
        (["train", "--preset", "clasroom"], ["'clasroom'", "classroom"]),
        (["train", "--preset", "smoke", "--data", "embedded", "--batch-size", "4001"], ["4000"]),
        (["train", "--preset", "smoke", "--data", "embedded", "--device", "cuda:77"], ["cuda:77"]),
        (["train", "--preset", "smoke", "--data", "nowhere"], ["nowhere"]),
        (["resume", "nowhere"], ["nowhere", "not a run folder"]),
        (["sample", "nowhere.pth"], ["nowhere.pth", "could not be read"]),
        (["dance"], ["'dance'"]),
        (["train", "--steps", "abc"], ["steps is 'abc'", "a whole number or None", "Change steps"]),
        (["train", "--steps=1e3"], ["steps is '1e3'"]),
        (["train", "--learning_rate", "fast"], ["learning_rate is 'fast'", "a number"]),
        (["train", "--fit", "cut"], ["fit is 'cut'", "pad or resize"]),
        (["train", "--compile", "maybe"], ["compile is 'maybe'", "True or False"]),
        (["train", "--compile", "--steps", "3"], ["--compile has no value", "True or False"]),
        (["train", "--preset"], ["--preset has no value"]),
        (["train", "--learning-rat", "0.1"], ["no option --learning-rat", "--learning-rate"]),
        (["train", "--wheels", "4"], ["no option --wheels", "train --help"]),
        (["train", "classroom"], ["'classroom' is given", "nothing"]),
        (["resume"], ["nothing is given", "one run"]),
        (["resume", "a", "b"], ["'a' 'b'", "one run"]),
        (["resume", "a", "--steps", "x"], ["steps is 'x'"]),
        (["sample", "a", "--count", "x"], ["count is 'x'", "a whole number"]),
        (["judge", "a", "-x"], ["no option -x"]),
    ],
)
def test_a_mistake_gets_one_clear_error(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if line.startswith("error: ")]
    assert len(errors) == 1 and (len(said) == 1 or arguments == ["dance"])
    for word in words:
        assert word in errors[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [Train, Resume, Sample, Judge])
def test_whatever_tyro_takes_is_let_through(kind):
    """Each setting's default as a word; tyro is the oracle that it can be one."""
    settings = [field for field in dataclasses.fields(kind) if field.name not in ("run", "config")]
    words = [(f.name, f.default) for f in settings]
    if kind is Train:
        words += dataclasses.asdict(PRESETS["classroom"]).items()
    needed = ["a run"] if any(f.name == "run" for f in dataclasses.fields(kind)) else []
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in words]
    for option, value in pairs:
        assert isinstance(options_of(kind, [*needed, f"{option}={value}"]), kind)
        assert isinstance(options_of(kind, [option, value, *needed]), kind)
    with pytest.raises(UserError, match="learning_rate is -0.001"):
        options_of(Train, ["--learning-rate", "-1e-3"])


def test_help_is_complete(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, meaning in meanings().items():
        assert f"--{name.replace('_', '-')}" in shown
        assert meaning in shown, name
        default = getattr(PRESETS["classroom"], name)
        assert f"(default: {default})" in shown


def test_help_shows_the_defaults_of_the_chosen_preset(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--preset", "mnist64", "--help"])
    assert "(default: 100)" in capsys.readouterr().out
