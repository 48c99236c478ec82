"""The house in order: pages, results, dependencies and imports say what is true."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from dcgan_utils.__main__ import parse
from figures import house

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("*.md")}
README = PAGES["README.md"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def slugs(page):
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", PAGES[page], re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", PAGES[page]):
        path, _, anchor = "".join(link).partition("#")
        if not path.startswith("http"):
            assert (ROOT / path).exists(), link
            assert not anchor or anchor in slugs(path or page), link


def test_commands_on_pages_are_understood_by_each_shell_and_by_what_they_start():
    """No comment, which zsh and cmd take for arguments; nothing that one shell alone expands."""
    targets = re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE)
    starts = r"`((?:py|python|pip|make|pytest|torchrun|uvx|conda) [^`]+)`"
    for page, text in PAGES.items():
        if page != "CHANGELOG.md":  # which also names what is gone
            code = re.findall(r"```(?:sh|bat)\n(.*?)```", text, re.DOTALL)
            lines = "\n".join([*code, *re.findall(starts, text)])
            assert set(re.findall(r"^make (\w+)", lines, re.MULTILINE)) <= set(targets), page
            assert not re.search(r"[^\w\s./\\:=+\"\[\]-].*", lines), page
    commands = re.findall(r"-m dcgan_utils ([^`\n]+)", README)
    assert len(commands) >= 4 and "make train" in README
    for line in commands:
        if "--help" not in line:
            parse(shlex.split(line))  # or it leaves with an error


def test_the_map_of_the_package_is_the_one_that_its_imports_draw():
    """They go one way: a circle of imports has no map."""
    assert house.drawn() in PAGES["CONTRIBUTING.md"], "python -m figures.house draws it again"


# The installation


def test_the_public_workflow_tests_supported_pythons_with_commands_that_are_there():
    text = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)["jobs"]["test"]
    for version in workflow["strategy"]["matrix"]["python"]:
        assert version in SpecifierSet(PROJECT["requires-python"])
    commands = "\n".join(step.get("run", "") for step in workflow["steps"])
    assert "make test" in commands
    for path in re.findall(r"\b(?:tests|notebooks)/?[\w/.]*\b", commands):
        assert (ROOT / path).exists(), path


def test_environment_yml_takes_its_packages_from_pyproject():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    python, pip, by_pip = yaml.safe_load(text)["dependencies"]
    assert (python, pip) == (f"python{PROJECT['requires-python']}", "pip")
    assert by_pip == {"pip": ["--constraint constraints.txt", "--editable ."]}


REQUIREMENTS = PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), [])


def test_dependencies_state_their_reason_and_are_pinned_within_their_range():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {pin.name.lower(): str(pin.specifier).removeprefix("==") for pin in pins}
    for wanted in map(Requirement, REQUIREMENTS):
        assert re.search(rf'^    "{wanted}", *# \w', PYPROJECT, re.MULTILINE), wanted
        assert versions[wanted.name.lower()] in wanted.specifier, wanted


@pytest.mark.slow
def test_the_wheel_alone_trains_outside_of_the_project(tmp_path, monkeypatch):
    """It is built from the sdist, and brings each file of both packages, rows and weights too."""
    project, installed = tmp_path / "project", tmp_path / "installed"
    for name in ("dcgan_utils", "experiments"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    files = [path.relative_to(project) for path in project.glob("*/**/*.*")]
    build = "from setuptools import build_meta; build_meta.build_sdist('..')"
    subprocess.run([sys.executable, "-c", build], cwd=project, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, f"--target={installed}", *tmp_path.glob("*.tar.gz")], check=True)
    missing = {path.as_posix() for path in files if not (installed / path).exists()}
    assert missing == {"experiments/README.md"}
    monkeypatch.setenv("PYTHONPATH", str(installed))
    command = shlex.split("-m dcgan_utils train --preset smoke --data embedded --judge 1000")
    subprocess.run([sys.executable, *command], cwd=tmp_path, check=True)
    assert (tmp_path / "runs" / "smoke-1" / "judgment.md").is_file()


@pytest.mark.slow
def test_what_notebooks_import_is_importable_from_any_folder(tmp_path):
    imports = set()
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                lines = map(ast.unparse, ast.parse(cell.source).body)
                imports |= {line for line in lines if re.match("(from|import) ", line)}
    program = "\n".join(sorted(imports))
    assert "from experiments" in program
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.slow
def test_make_handout_leaves_out_solutions_and_nothing_else(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "installed").touch()  # so that nothing is installed
    subprocess.run(
        ["make", "handout", f"BIN={Path(sys.executable).parent}"], cwd=tmp_path, check=True
    )
    for path in NOTEBOOKS:
        sources = [
            "\n".join(cell.source for cell in nbformat.read(where, as_version=4).cells)
            for where in (path, tmp_path / "handout" / path.name)
        ]
        solution = r"<details><summary>Solution</summary>.*?</details>"
        kept, solutions = re.subn(solution, "", sources[0], flags=re.DOTALL)
        assert solutions and sources[1].split() == kept.split(), path.name


# Habits


def test_nothing_large_or_private_is_tracked():
    result = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    for name in result.stdout.split():
        assert not name.startswith(("data/", "runs/", ".venv/")), name
        assert not (ROOT / name).exists() or (ROOT / name).stat().st_size < 3_200_000, name


def test_the_house_is_small():
    def lines_below(folder):
        paths = (ROOT / folder).rglob("*.py")
        return {p.relative_to(ROOT / folder): len(p.read_text("utf-8").splitlines()) for p in paths}

    package, drawn = lines_below("dcgan_utils"), ("exercises", "diagrams.py", "plots.py")
    core = [n for path, n in package.items() if path.parts[0] not in (*drawn, "animations.py")]
    assert len(package) <= 37 and sum(package.values()) <= 5650 and sum(core) <= 3050
    assert sum(lines_below("experiments").values()) <= 3300
    assert sum(lines_below("tests").values()) <= 6400  # 200 of them for the translation


@pytest.mark.slow
def test_importing_the_package_leaves_matplotlibs_settings():
    program = """
import importlib, matplotlib, pkgutil
import dcgan_utils

before = dict(matplotlib.rcParams)
for module in pkgutil.walk_packages(dcgan_utils.__path__, "dcgan_utils."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert dict(matplotlib.rcParams) == before
"""
    subprocess.run([sys.executable, "-c", program], check=True)
