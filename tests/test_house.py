"""The house in order: README, dependencies, notebooks, pictures and imports say what is true."""

import ast
import csv
import doctest
import importlib
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

from dcgan_utils.__main__ import Judge, Resume, Sample, Train, options_of
from dcgan_utils.config import PRESETS, UserError
from figures import compare

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEACHERS = (ROOT / "TEACHERS.md").read_text(encoding="utf-8")
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
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)\"", README + TEACHERS)
    local = [a or b for a, b in links if not (a or b).startswith("http")]
    assert len(local) >= 8
    for link in local:
        assert (ROOT / link).exists(), link


def test_readme_anchors_exist():
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    for anchor in re.findall(r"\]\(#([^)]+)\)", README):
        assert anchor in slugs, anchor


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
    kinds = {kind.__name__.lower(): kind for kind in (Train, Resume, Sample, Judge)}
    for line in commands:
        command, *arguments = shlex.split(line.split("dcgan_utils", 1)[1])
        if arguments != ["--help"]:
            options_of(kinds[command], arguments)  # or it leaves with an error


def test_a_command_with_a_wrong_option_does_not_parse():
    for wrong in (["--bogus", "3"], ["--seed", "abc"], ["--preset", "mnist46"]):
        with pytest.raises((SystemExit, UserError)):
            options_of(Train, wrong)


def test_readme_lists_every_notebook_and_preset():
    for notebook in NOTEBOOKS:
        assert f"notebooks/{notebook.name}" in README
    for name in PRESETS:
        assert f"`{name}`" in README


def minutes_to_read(notebook):
    return re.search(r"\*\*Time\*\*: (\d+) minutes to read", notebook.cells[0].source)[1]


def test_readme_and_teachers_page_give_the_minutes_that_the_notebooks_give():
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        read, number = minutes_to_read(notebook), path.name[:2]
        text = "\n".join(cell.source for cell in notebook.cells)
        exercises = sum(map(int, re.findall(r"^### \d.\d .+, (\d+) minutes\)$", text, re.M)))
        assert re.search(rf"\({re.escape(f'notebooks/{path.name}')}\) \|.+\| {read} min \|", README)
        assert re.search(
            rf"^\| {number} .+\| {read} min \|.+\| {exercises} min \|$", TEACHERS, re.M
        )
        assert re.search(rf"^## {number} ", TEACHERS, re.M)


# The teachers' page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_teachers_page_has_all_that_a_lesson_needs(path):
    part = TEACHERS.split(f"\n## {path.name[:2]} ")[1].split("\n## ")[0]
    assert f"(notebooks/{path.name})" in part
    for heading in ("Goal", "Minutes", "Question to the class", "Misconceptions",
                    "If there are only ten minutes", "Answers to what is left open"):  # fmt: skip
        assert f"**{heading}**" in part
    misconceptions = part.split("**Misconceptions**")[1].split("**If")[0]
    for number in ("1.", "2."):
        told = misconceptions.split(f"\n{number} ")[1].split("\n2. ")[0]
        assert "ell" in told and re.search(r"\[\d+\]", told), "name the cell that settles it"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_teachers_page_names_cells_that_are_there(path):
    """ "Section 5, cell [26]" and "cells [36] and [39]": each cell stands in the section named."""
    section, stands_in = 0, {}
    for cell in nbformat.read(path, as_version=4).cells:
        if headings := re.findall(r"^## (\d+)\.", cell.source, re.MULTILINE):
            section = int(headings[-1])
        if cell.cell_type == "code":
            stands_in[cell.execution_count] = section
    part = " ".join(TEACHERS.split(f"\n## {path.name[:2]} ")[1].split("\n## ")[0].split())
    assert {int(number) for number in re.findall(r"\[(\d+)\]", part)} <= set(stands_in)
    named = re.findall(r"[Ss]ection (\d+), cells? ((?:\[\d+\](?:,| and| to)? ?)+)", part)
    assert len(named) >= 3
    for number, cells in named:
        for cell in re.findall(r"\d+", cells):
            assert stands_in[int(cell)] == int(number), f"section {number}, cell [{cell}]"


def test_readme_numbers_of_the_seeds_are_those_of_the_table():
    """Each row of the table that `make figures` wrote stands in the README as it is."""
    columns = ["seed", "seconds", "images_per_second", "distance", "top_probability", "rarest",
               "most_frequent", "to_training", "loss_d", "loss_g", "d_real",
               "d_fake_before"]  # fmt: skip
    with open(ROOT / "figures" / "seeds.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 5
    for row in rows:
        line = "| " + " | ".join(row[column] for column in columns) + " |"
        assert line in README.splitlines(), f"make the README say: {line}"


def test_readme_has_the_recipes_as_compare_wrote_them():
    text = (ROOT / "figures" / "compare.md").read_text(encoding="utf-8")
    with open(ROOT / "figures" / "compare.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(text.splitlines()) >= 10 and text in README
    assert text == compare.summary(rows), "python -m figures.compare writes it again"


def test_recipes_are_the_rows_without_their_seeds():
    columns = ["settings", "average", "steps", "distance", "top_probability", "precision", "recall"]
    rows = [
        ["a=1, seed=0", "0.9", "7", "1.0", "0.5", "0.2", "0.3"],
        ["a=1, seed=1", "0.9", "7", "4.0", "0.6", "0.4", "0.3"],
        ["a=1, b=2, seed=0", "0.9", "8", "3.0", "0.5", "0.2", "0.3"],
        ["a=1, seed=0", "0", "7", "5.0", "0.5", "0.2", "0.3"],
    ]
    lines = compare.summary([dict(zip(columns, row)) for row in rows]).splitlines()
    assert lines[2:] == [
        "| a=1 | 0.9 | 2 | 7 | 2.5 | 1.0 to 4.0 | 0.550 | 0.30 | 0.30 |",
        "| a=1, b=2 | 0.9 | 1 | 8 | 3.0 | 3.0 to 3.0 | 0.500 | 0.20 | 0.30 |",
        "| a=1 | 0 | 1 | 7 | 5.0 | 5.0 to 5.0 | 0.500 | 0.20 | 0.30 |",
    ]


def test_readme_has_the_judges_verdict_as_it_was_printed():
    verdict = (ROOT / "figures" / "judgment.md").read_text(encoding="utf-8")
    table, _ = verdict.split("\n\n")
    assert len(table.splitlines()) >= 10 and table in README


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


def test_imports_follow_the_data_one_way():
    """No module of the package imports one that stands after it."""
    order = ["config", "files", "data", "hardware", "layers", "networks", "health", "history"]
    order += ["training", "checkpoints", "judging", "plots", "architecture", "diagrams"]
    order += ["animations", "progress", "exercises", "runs", "__main__"]
    package = ROOT / "dcgan_utils"
    files = [path for path in package.rglob("*.py") if path != package / "__init__.py"]
    assert {path.relative_to(package).with_suffix("").parts[0] for path in files} == set(order)
    for path in files:
        parts = path.relative_to(package).with_suffix("").parts  # ("exercises", "common")
        allowed = order[: order.index(parts[0])]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == len(parts):
                imported = [node.module] if node.module else [alias.name for alias in node.names]
                assert all(other in allowed for other in imported), (path, imported)


def test_style():
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "."]
        result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


def test_nothing_large_or_private_is_tracked():
    for name in tracked():
        path = ROOT / name
        if path.exists():
            assert path.stat().st_size < 3_200_000, name
        assert not name.startswith(("data/", "runs/", ".venv/")), name


@pytest.mark.parametrize("name", ["architecture", "config", "layers", "networks", "training"])
def test_docstring_examples_are_true(name):
    result = doctest.testmod(importlib.import_module(f"dcgan_utils.{name}"))
    assert result.attempted > 0 and result.failed == 0


# Notebooks


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_notebooks_are_stored_as_executed(notebook):
    counts = [cell.execution_count for cell in cells(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1))
    for cell in cells(notebook, "code"):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source


def test_a_cell_that_is_not_compared_is_followed_by_one_that_asserts(notebook):
    """Markdown may stand between them; Python 3's `assert` must be in the next code cell."""
    code = cells(notebook, "code")
    for cell, after in zip(code, [*code[1:], None]):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            only_a_picture = (
                all(output.get("data", {}).get("image/png") for output in cell.outputs)
                and "progress" not in cell.source
            )
            assert only_a_picture or (after and "assert" in after.source), cell.source
            assert re.match("# .*(depends on|differ)", cell.source), f"give a reason: {cell.source}"


def test_notebook_tags_are_known(notebook):
    for cell in notebook.cells:
        assert set(cell.metadata.get("tags", [])) <= {"nbval-ignore-output"}


def test_notebooks_open_and_close_as_they_should(notebook):
    markdown = [cell.source for cell in cells(notebook, "markdown")]
    opening, whole = markdown[0], "\n".join(markdown)
    for words in ("**You will be able to**", "**You should know**", "**Time**", "CPU cores"):
        assert words in opening
    for heading in ("Summary", "Exercises", "Where to go next"):
        assert re.search(rf"^## .*{heading}", whole, re.MULTILINE), heading


def test_notebook_exercises_are_complete(notebook):
    """Each has a purpose, a difficulty, minutes, a stub, a checker, a hint and a solution."""
    markdown = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    code = "\n".join(cell.source for cell in cells(notebook, "code"))
    exercises = re.findall(r"^### \d\.\d .+\((?:easy|medium|hard), \d+ minutes\)$", markdown, re.M)
    assert len(exercises) >= 3
    for part in ("*Purpose:", "<summary>Hint</summary>", "<summary>Solution</summary>"):
        assert markdown.count(part) == len(exercises)
    assert code.count("raise NotImplementedError") == len(exercises)
    assert len(re.findall(r"^_ = check_", code, re.MULTILINE)) == len(exercises)


def test_notebook_cells_are_short(notebook):
    """Most code cells fit STYLE's 3 to 10 lines; none is long."""
    lengths = sorted(len(cell.source.splitlines()) for cell in cells(notebook, "code"))
    assert lengths[len(lengths) // 2] <= 8 and lengths[-1] <= 24


def test_notebook_pictures_are_small(notebook):
    assert len(nbformat.writes(notebook)) < 3_200_000


def test_notebooks_name_no_machine(notebook):
    text = nbformat.writes(notebook)
    for folder in (Path.home(), ROOT, Path(tempfile.gettempdir())):
        assert f"{folder}/" not in text
