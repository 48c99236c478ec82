"""Garbled files and drawn command lines: any ending but a traceback."""

import contextlib
import io
import random
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcgan_utils import runs
from dcgan_utils.__main__ import main
from dcgan_utils.config import Config, preset

pytestmark = pytest.mark.slow
READ_BY = {
    "G.pth": ["sample"],
    "config.json": ["sample"],
    "checkpoint.pt": ["resume", "--judge", "0"],
}


def ends_without_traceback(arguments):
    """Run a command in this process; return what it said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code = main(arguments)
        except SystemExit as leaving:  # of the parser
            code = leaving.code
    assert code in (0, 2), said.getvalue()
    return said.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    training = runs.create(preset("smoke", data="embedded", steps=2), folder)
    runs.complete(training, folder, lambda report: None)
    return folder


def garbled(content, place, kind, chance):
    """Return bytes that were cut off, overwritten, swapped or repeated at a place."""
    if kind == "truncated":
        return content[:place]
    if kind == "overwritten":
        return (
            content[:place] + bytes(chance.randrange(256) for _ in range(8)) + content[place + 8 :]
        )
    if kind == "swapped":
        return content[place:] + content[:place]
    return content[:place] + content[place // 2 :]


@pytest.mark.parametrize("name", READ_BY)
def test_garbled_files_are_read_or_refused(finished, tmp_path, name):
    whole, chance = (finished / name).read_bytes(), random.Random(0)
    path = tmp_path / "run"
    path.mkdir()
    for file in finished.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    for number in range(70):
        kind = ("truncated", "overwritten", "swapped", "repeated")[number % 4]
        place = chance.randrange(len(whole))
        (path / name).write_bytes(garbled(whole, place, kind, chance))
        command, *options = READ_BY[name]
        if command == "sample":
            options = ["--count", "1", "--out", str(tmp_path / f"{number}.png")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ends_without_traceback([command, str(path), *options])


NUMBERS = st.one_of(
    st.integers(-3, 40), st.sampled_from([10**9, 10**11, 10**23, -(10**23)]), st.floats()
).map(str)
WORDS = st.sampled_from(
    ["", "auto", "None", "True", "nowhere", "é", "-", "--", "~nouser/x", "a" * 300]
)
VALUES = st.one_of(NUMBERS, WORDS)
SETTINGS = [
    name.replace("_", "-")
    for name in Config.__dataclass_fields__
    if name not in ("compile", "steps")
]


@settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    st.lists(st.tuples(st.sampled_from(SETTINGS), VALUES), max_size=3),
    st.sampled_from(["train", "train", "sample", "judge", "resume"]),
    VALUES,
)
def test_drawn_command_lines_end_without_a_traceback(tmp_path_factory, drawn, command, value):
    """Of `train`, one step is taken if the drawn settings allow it."""
    folder = tmp_path_factory.mktemp("cli")
    arguments = [word for name, setting in drawn for word in (f"--{name}", setting)]
    if command == "train":
        arguments = ["--preset", "smoke", "--data", "embedded", *arguments]
        arguments += ["--steps", "1", "--judge", "0", "--out", str(folder / "run")]
    else:
        arguments = [value, *arguments]
    ends_without_traceback([command, *arguments])
