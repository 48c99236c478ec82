"""The rules for notebooks and for the teachers' page that speaks of them."""

import ast
import base64
import io
import re
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbconvert.preprocessors import ExecutePreprocessor
from PIL import Image

from notebooks.few_colors import FewColors, in_few_colors
from notebooks.first_cell import CELL, put_first

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEACHERS = (ROOT / "TEACHERS.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


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


def test_the_first_cell_asks_pip_only_where_the_course_is_missing(monkeypatch, capsys):
    monkeypatch.setattr("subprocess.check_output", lambda command, text: " ".join(command))
    exec(CELL)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(CELL)
    assert "-m pip install https://" in capsys.readouterr().out


def test_the_first_code_cell_is_the_one_that_installs(notebook):
    """`python -m notebooks.first_cell` puts it there; another time it changes nothing."""
    before = nbformat.writes(notebook)
    put_first(notebook)
    assert nbformat.writes(notebook) == before


REASONS = {f"differs-by-{what}" for what in ("data", "machine", "time", "results")}


def tags(cell):
    return set(cell.metadata.get("tags", []))


def test_a_cell_that_is_not_compared_has_a_reason_and_a_check(notebook):
    """The reason is a tag; the check stands at the cell's own end, or in the next code cell."""
    code = cells(notebook, "code")
    for cell, after in zip(code, [*code[1:], None]):
        assert bool(tags(cell) & REASONS) == ("nbval-ignore-output" in tags(cell)), cell.source
        if tags(cell) & REASONS:
            only_a_picture = (
                all(output.get("data", {}).get("image/png") for output in cell.outputs)
                and "progress" not in cell.source
            )
            sources = (cell.source, after.source if after else "")
            assert only_a_picture or any("assert" in source for source in sources), cell.source


def test_cells_that_only_check_are_folded(notebook):
    """They show nothing and assert; the tag says so, and JupyterLab folds them."""
    for cell in notebook.cells:
        assert tags(cell) <= {"nbval-ignore-output", "check", "solution"} | REASONS
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == ("check" in tags(cell)), cell.source
        if folded:
            asserts = (isinstance(node, ast.Assert) for node in ast.walk(ast.parse(cell.source)))
            assert any(asserts) and not cell.outputs, cell.source


def test_pictures_have_alt_texts(notebook):
    """Those that cells made, as metadata, and those of Markdown."""
    for cell in cells(notebook, "code"):
        for output in cell.outputs:
            for kind in {"image/png", "image/jpeg"} & set(output.get("data", {})):
                words = output.metadata.get(kind, {}).get("alt", "").split()
                assert len(words) >= 6, f"{' '.join(words)!r} of {cell.source}"
    for cell in cells(notebook, "markdown"):
        for alt in re.findall(r"!\[([^\]]*)\]\(", cell.source):
            assert len(alt.split()) >= 6, cell.source
        assert "<img" not in cell.source


def test_notebook_exercises_are_complete(notebook):
    """Each has a purpose, a difficulty, minutes, a stub, a checker, a hint and a solution."""
    markdown = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    code = "\n".join(cell.source for cell in cells(notebook, "code"))
    exercises = re.findall(r"^### \d+\.\d .+\((?:easy|medium|hard), \d+ minutes\)$", markdown, re.M)
    assert len(exercises) >= 3
    for part in ("*Purpose:", "<summary>Hint</summary>", "<summary>Solution</summary>"):
        assert markdown.count(part) == len(exercises)
    assert code.count("raise NotImplementedError") == len(exercises)
    assert len(re.findall(r"^_ = check_", code, re.MULTILINE)) == len(exercises)


def test_notebook_cells_are_short(notebook):
    """Most code cells fit STYLE's 3 to 10 lines; none is long."""
    lengths = sorted(len(cell.source.splitlines()) for cell in cells(notebook, "code"))
    assert lengths[len(lengths) // 2] <= 8 and lengths[-1] <= 24


def test_notebooks_name_no_machine(notebook):
    text = nbformat.writes(notebook)
    for folder in (Path.home(), ROOT, Path(tempfile.gettempdir())):
        assert f"{folder}/" not in text


FIGURE = """
from dcgan_utils import plots

ax = plots.new_axes()
ax.plot([1, 2])
ax.set(title="A hill", xlabel="step")
"""


@pytest.mark.slow
def test_make_notebooks_stores_figures_in_few_colors_with_their_alt_texts(monkeypatch):
    monkeypatch.setenv("PYTHONSTARTUP", str(ROOT / "notebooks" / "alt_texts.py"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    code = nbformat.v4.new_code_cell(FIGURE)
    notebook, _ = ExecutePreprocessor().preprocess(nbformat.v4.new_notebook(cells=[code]), {})
    before = notebook.cells[0].outputs[-1].data["image/png"]
    stored, _ = FewColors(enabled=True)(notebook, {})
    output = stored.cells[0].outputs[-1]
    assert output.metadata["image/png"]["alt"] == "A hill. Horizontal axis: step."
    assert len(output.data["image/png"]) < 0.7 * len(before)
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=int)
        for data in (before, output.data["image/png"])
    ]
    assert np.abs(np.subtract(*pictures)).max() <= 16


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_that_few_colors_would_spoil_stays_as_it_is(mode):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, len(mode)), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise if mode == "RGB" else noise // 200 * 200).save(file, format="PNG")
    assert in_few_colors(file.getvalue()) == file.getvalue()


# The teachers' page


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


def test_readme_and_teachers_page_give_the_minutes_that_the_notebooks_give():
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        text, number = "\n".join(cell.source for cell in notebook.cells), path.name[:2]
        read = re.search(r"\*\*Time\*\*: (\d+) minutes to read", text)[1]
        exercises = sum(map(int, re.findall(r"^### \d+.\d .+, (\d+) minutes\)$", text, re.M)))
        assert re.search(rf"\({re.escape(f'notebooks/{path.name}')}\) \|.+\| {read} min \|", README)
        assert re.search(
            rf"^\| {number} .+\| {read} min \|.+\| {exercises} min \|$", TEACHERS, re.M
        )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_end_with_links_to_the_ones_before_and_after(path):
    place = NOTEBOOKS.index(path)
    neighbors = [NOTEBOOKS[k].name for k in (place - 1, place + 1) if 0 <= k < len(NOTEBOOKS)]
    last = nbformat.read(path, as_version=4).cells[-1].source
    assert re.findall(r"\]\((\d\d_\w+\.ipynb)\)", last) == neighbors
    assert "README" not in last, "from a reader's copy, it leads to the originals"
