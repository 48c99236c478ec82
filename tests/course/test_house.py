"""The house in order: README, results, dependencies, imports and style say what is true."""

import doctest
import importlib
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import dcgan_utils
from dcgan_utils.__main__ import parse
from dcgan_utils.config import PRESETS, UserError
from experiments import compare, tables
from figures import house

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("*.md")}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tracked():
    """Return the files that git has; skip where there is no git, as in a downloaded archive."""
    result = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    return result.stdout.split()


# README


def readme_commands():
    """Return the commands of README's shell blocks, each as one line, without comments."""
    blocks = re.findall(r"```(?:sh|bat)\n(.*?)```", README.replace("\\\n", ""), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_links_lead_somewhere():
    text = "\n".join(PAGES.values())
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)\"", text)
    local = [a or b for a, b in links if not (a or b).startswith("http")]
    assert len(local) >= 8
    for link in local:
        assert (ROOT / link).exists(), link


def test_anchors_of_links_exist():
    slugs = {}
    for name, text in PAGES.items():
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        slugs[name] = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    found = [
        (page or name, anchor)
        for name, text in PAGES.items()
        for page, anchor in re.findall(r"\]\((\w+\.md|)#([^)]+)\)", text)
    ]
    assert len(found) >= 2
    for page, anchor in found:
        assert anchor in slugs[page], f"{page}#{anchor}"


def test_readme_make_commands_are_in_the_makefile():
    targets = set(
        re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    used = {shlex.split(line)[1] for line in readme_commands() if line.startswith("make ")}
    assert {"train", "test", "lab", "notebooks", "figures"} <= used <= targets


def test_readme_python_commands_parse():
    """Each `python -m dcgan_utils ...` of the README is understood, all its options included."""
    commands = [line for line in readme_commands() if "python -m dcgan_utils" in line]
    assert len(commands) >= 4
    for line in commands:
        if "--help" not in line:
            parse(shlex.split(line.split("dcgan_utils", 1)[1]))  # or it leaves with an error


def test_a_command_with_a_wrong_option_does_not_parse():
    for wrong in (["--bogus", "3"], ["--seed", "abc"], ["--preset", "mnist46"]):
        with pytest.raises((SystemExit, UserError)):
            parse(["train", *wrong])


def test_readme_lists_every_notebook_and_preset():
    for notebook in NOTEBOOKS:
        assert f"notebooks/{notebook.name}" in README
    for name in PRESETS:
        assert f"`{name}`" in README


def test_readme_fits_its_first_readers():
    assert len(README.splitlines()) <= 150


def test_the_map_of_the_package_is_the_one_that_its_imports_draw():
    assert house.drawn() in PAGES["CONTRIBUTING.md"], "python -m figures.house draws it again"


# Results


def test_the_tables_of_results_have_been_written():
    """`python -m experiments.tables` would change nothing."""
    page = PAGES["RESULTS.md"]
    assert tables.fill(page, tables.all_tables()) == page
    assert len(re.findall(r"<!-- end -->", page)) >= 6


def test_a_page_is_filled_between_its_marks_only():
    page = "before\n<!-- one -->\nold\n<!-- end -->\nafter\n"
    assert tables.fill(page, {"one": "| new |"}) == page.replace("old", "| new |")
    with pytest.raises(KeyError, match="one"):
        tables.fill(page, {"two": ""})


def test_recipes_are_the_rows_without_their_seeds_and_machines_are_not_mixed():
    columns = ["settings", "average", "steps", "distance", "top_probability", "precision", "recall"]
    columns += ["device", "torch"]
    rows = [
        ["a=1, seed=0", "0.9", "7", "1.0", "0.5", "0.2", "0.3", "A", "2"],
        ["a=1, seed=1", "0.9", "7", "4.0", "0.6", "0.4", "0.3", "A", "2"],
        ["a=1, b=2, seed=0", "0.9", "8", "3.0", "0.5", "0.2", "0.3", "A", "2"],
        ["a=1, seed=0", "0", "7", "5.0", "0.5", "0.2", "0.3", "B", "2"],
    ]
    first, second = compare.summary([dict(zip(columns, row)) for row in rows]).split("\n\nMNIST, B")
    assert first.splitlines()[4:] == [
        "| a=1 | 0.9 | 2 | 7 | 2.5 | 1.0 to 4.0 | 0.550 | 0.30 | 0.30 |",
        "| a=1, b=2 | 0.9 | 1 | 8 | 3.0 | 3.0 to 3.0 | 0.500 | 0.20 | 0.30 |",
    ]
    assert second.splitlines()[4:] == [
        "| a=1 | 0 | 1 | 7 | 5.0 | 5.0 to 5.0 | 0.500 | 0.20 | 0.30 |"
    ]


# Habits


def test_the_public_workflow_runs_the_readmes_test_command_on_every_system():
    text = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)["jobs"]["test"]
    assert len(workflow["strategy"]["matrix"]["os"]) == 3
    for version in workflow["strategy"]["matrix"]["python"]:
        assert version in SpecifierSet(PROJECT["requires-python"])
    commands = [step.get("run", "") for step in workflow["steps"]]
    assert "make test" in commands
    assert any("tests/course/nbval.cfg" in command for command in commands)
    assert (ROOT / "tests/course/nbval.cfg").exists()


def test_contributing_names_what_is_there():
    text = PAGES["CONTRIBUTING.md"]
    for path in re.findall(r"`((?:dcgan_utils|tests|experiments)/[\w/.]*\w)`", text):
        assert (ROOT / path).exists(), path
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"`make (\w+)`", text)) <= set(targets)


# The installation


def installed(folder, options, system="Linux", gpu=False, reachable=True):
    """Run the Makefile's rule in a folder with programs that only note their calls.

    Returns
    -------
    calls, result
        The arguments of each call of Python, and the process that ended.
    """
    programs = {
        "uname": f"echo {system}",
        "nvidia-smi": f"exit {0 if gpu else 9}",
        "python": f"""mkdir -p .venv; echo "$*" >> calls
            case "$*" in *--torch-backend*) exit {0 if reachable else 1};; esac""",
    }
    for name, lines in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / name).chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    command = ["make", ".venv/installed", f"PYTHON={folder}/python", f"BIN={folder}", *options]
    outer = {"TORCH", "MAKEFLAGS", "MAKEOVERRIDES"}  # of a make that runs these tests
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    calls = folder / "calls"
    return calls.read_text().splitlines() if calls.exists() else [], result


needs_make = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("make") is None, reason="needs make"
)


@needs_make
@pytest.mark.parametrize(
    "machine, options, cpu_only",
    [
        ({}, [], True),
        ({"gpu": True}, [], False),
        ({"system": "Darwin"}, [], False),  # whose usual build has nothing for NVIDIA's GPUs
        ({}, ["TORCH=default"], False),
        ({"gpu": True}, ["TORCH=cpu"], True),
    ],
)
def test_make_installs_the_build_of_pytorch_that_the_machine_can_use(
    tmp_path, machine, options, cpu_only
):
    calls, result = installed(tmp_path, options, **machine)
    assert result.returncode == 0, result.stderr
    pytorch = [call for call in calls if "--torch-backend cpu" in call]
    assert len(pytorch) == cpu_only
    for call in pytorch:
        assert "--constraint constraints.txt" in call and call.endswith("torch torchvision")
    assert calls[-1] == "-m pip install --constraint constraints.txt --editable .[test]"


@needs_make
def test_make_installs_the_usual_build_where_the_other_is_out_of_reach(tmp_path):
    calls, result = installed(tmp_path, [], reachable=False)
    assert result.returncode == 0 and (tmp_path / ".venv/installed").exists()
    assert "out of reach" in result.stdout
    assert "--torch-backend" in calls[-2] and calls[-1].endswith("--editable .[test]")


@needs_make
def test_make_refuses_a_build_of_pytorch_that_it_does_not_know(tmp_path):
    calls, result = installed(tmp_path, ["TORCH=gpu"])
    assert result.returncode != 0 and not calls
    assert "TORCH is 'gpu'; allowed: cpu, default" in result.stderr


# Dependencies


def test_environment_yml_takes_its_packages_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, (by_pip,) = (
        environment["dependencies"][0],
        *[
            part if isinstance(part, str) else list(part.values())
            for part in environment["dependencies"][1:]
        ],
    )
    assert python == f"python{PROJECT['requires-python']}"
    assert pip == "pip"
    assert by_pip == ["--constraint constraints.txt", "--editable .[test]"]
    assert environment["channels"] == ["conda-forge"]


def test_constraints_pin_every_dependency_within_its_range():
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    for requirement in map(Requirement, wanted):
        assert pins[requirement.name.lower()] in requirement.specifier, requirement


def test_every_dependency_states_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    entries = re.findall(r'^    "[\w\-]+>=.*$', text, re.MULTILINE)
    extra = PROJECT["optional-dependencies"]["test"]
    assert len(entries) == len(PROJECT["dependencies"] + extra)
    for entry in entries:
        assert "# " in entry, entry


def test_style():
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "."]
        result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_types(tmp_path):
    """mypy finds nothing; that it looks at all, a wrong call shows."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from dcgan_utils.config import preset\n\npreset(3)\n")
    for files, found in (([], "Success"), ([wrong], 'expected "str"')):
        mypy = [sys.executable, "-m", "mypy", *files]
        result = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True)
        assert found in result.stdout, result.stdout + result.stderr


def test_nothing_large_or_private_is_tracked():
    for name in tracked():
        path = ROOT / name
        if path.exists():
            assert path.stat().st_size < 3_200_000, name
        assert not name.startswith(("data/", "runs/", ".venv/")), name


def test_imports_go_one_way():
    """Modules can be put in an order in which each imports from earlier ones only."""
    order = house.in_order()  # or it raises
    assert order.index("config") < order.index("data") < order.index("training")
    assert order.index("losses") < order.index("training") < order.index("runs")


def test_the_package_is_small():
    package = ROOT / "dcgan_utils"
    lines = {
        path.relative_to(package): len(path.read_text(encoding="utf-8").splitlines())
        for path in package.rglob("*.py")
    }
    drawn = ("exercises", "diagrams.py", "plots.py", "animations.py")
    core = [number for path, number in lines.items() if path.parts[0] not in drawn]
    assert len(lines) <= 36 and sum(lines.values()) <= 5500 and sum(core) <= 3000


def test_importing_the_package_changes_nothing_in_a_notebook():
    """No formatter is registered, and no setting of matplotlib's is changed."""
    program = """
import importlib, matplotlib, pkgutil
from IPython.core.interactiveshell import InteractiveShell
import dcgan_utils

def state():
    display = InteractiveShell.instance().display_formatter
    every = [display.mimebundle_formatter, *display.formatters.values()]
    registered = [set(f.type_printers) | set(f.deferred_printers) for f in every]
    return registered, dict(matplotlib.rcParams)

before = state()
for module in pkgutil.walk_packages(dcgan_utils.__path__, "dcgan_utils."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert state() == before
"""
    subprocess.run([sys.executable, "-c", program], check=True)


MODULES = [
    module.name
    for module in pkgutil.walk_packages(dcgan_utils.__path__, "dcgan_utils.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_docstring_examples():
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert any(test.examples for tests in found for test in tests)
