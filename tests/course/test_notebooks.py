"""The rules for notebooks and for the teachers' page that speaks of them."""

import ast
import base64
import io
import re
import symtable
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbconvert.preprocessors import ExecutePreprocessor, TagRemovePreprocessor
from PIL import Image

from notebooks.few_colors import FewColors, in_few_colors

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEACHERS = (ROOT / "TEACHERS.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


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
        names = [output.get("name") for output in cell.outputs]
        assert all(a != b or a is None for a, b in zip(names, names[1:])), (
            "make notebooks joins them"
        )


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
            assert not re.match("# .*(depends? on|differ)", cell.source), "the tag says it"


def made_and_taken(source):
    """Return the names that a cell makes, and those that it takes from other cells."""
    top = symtable.symtable(source, "cell", "exec")
    made = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    tables, taken = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        taken |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table is top or symbol.is_global())
        }
    return made, taken - made


def test_cells_that_only_check_are_folded(notebook):
    """They show nothing, assert, and make nothing that another cell takes."""
    code = cells(notebook, "code")
    names = [made_and_taken(cell.source) for cell in code]
    for place, (cell, (made, _)) in enumerate(zip(code, names)):
        taken = set().union(*(taken for k, (_, taken) in enumerate(names) if k != place))
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(cell.source)))
        only_checks = asserts and not cell.outputs and not made & taken
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert only_checks == folded == ("check" in tags(cell)), cell.source


def test_notebook_tags_are_known(notebook):
    known = {"nbval-ignore-output", "check", "solution"} | REASONS
    for cell in notebook.cells:
        assert tags(cell) <= known


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


def test_solutions_have_cells_of_their_own_that_make_handout_leaves_out(notebook):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (tag,) = re.findall(r"remove_cell_tags=(\w+)", makefile)
    handout, _ = TagRemovePreprocessor(remove_cell_tags={tag}).preprocess(notebook.copy(), {})
    before, after = ("\n".join(cell.source for cell in n.cells) for n in (notebook, handout))
    solutions = re.findall(r"<details><summary>Solution</summary>.*?</details>", before, re.DOTALL)
    assert solutions and "Solution</summary>" not in after
    kept = before
    for solution in solutions:
        kept = kept.replace(solution, "")
    assert kept.split() == after.split(), "nothing else is left out"


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


def test_notebook_pictures_are_small(notebook):
    assert len(nbformat.writes(notebook)) < 3_200_000


def test_notebooks_name_no_machine(notebook):
    text = nbformat.writes(notebook)
    for folder in (Path.home(), ROOT, Path(tempfile.gettempdir())):
        assert f"{folder}/" not in text


# How they are stored


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
def test_teachers_page_has_all_that_a_lesson_needs(path):
    part = TEACHERS.split(f"\n## {path.name[:2]} ")[1].split("\n## ")[0]
    assert f"(notebooks/{path.name})" in part
    for heading in (
        "Goal",
        "Minutes",
        "Question to the class",
        "Misconceptions",
        "If there are only ten minutes",
        "Answers to what is left open",
    ):
        assert f"**{heading}**" in part
    misconceptions = part.split("**Misconceptions**")[1].split("**If")[0]
    for number in ("1.", "2."):
        told = misconceptions.split(f"\n{number} ")[1].split("\n2. ")[0]
        assert re.search(r"\b[Cc]ells?\s+\[\d+\]", told), "name the cell that settles it"


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


def minutes_to_read(notebook):
    return re.search(r"\*\*Time\*\*: (\d+) minutes to read", notebook.cells[0].source)[1]


def test_the_minutes_are_those_of_the_words_and_lines(notebook):
    """200 words and 15 lines a minute, to 4 minutes, without exercises and what is folded."""
    words = lines = 0
    counts = False  # from the first section on
    for cell in notebook.cells:
        heading = re.match("## (.+)", cell.source)
        if heading:
            left_out = re.search("Exercises|Further reading|Where to go", heading[1])
            counts = not left_out and not cell.metadata.get("jp-MarkdownHeadingCollapsed")
        if counts and cell.cell_type == "markdown":
            text = re.sub(r"\$[^$]+\$", "formula", cell.source)
            words += sum(bool(re.search(r"\w", word)) for word in text.split())
        elif counts and "check" not in tags(cell):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    stated = int(minutes_to_read(notebook))
    assert stated % 5 == 0 and abs(stated - (words / 200 + lines / 15)) <= 4, (words, lines)


def test_readme_and_teachers_page_give_the_minutes_that_the_notebooks_give():
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        read, number = minutes_to_read(notebook), path.name[:2]
        text = "\n".join(cell.source for cell in notebook.cells)
        exercises = sum(map(int, re.findall(r"^### \d+.\d .+, (\d+) minutes\)$", text, re.M)))
        assert re.search(rf"\({re.escape(f'notebooks/{path.name}')}\) \|.+\| {read} min \|", README)
        assert re.search(
            rf"^\| {number} .+\| {read} min \|.+\| {exercises} min \|$", TEACHERS, re.M
        )
        assert re.search(rf"^## {number} ", TEACHERS, re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_end_with_links_to_the_ones_before_and_after(path):
    place = NOTEBOOKS.index(path)
    neighbors = [NOTEBOOKS[k].name for k in (place - 1, place + 1) if 0 <= k < len(NOTEBOOKS)]
    last = nbformat.read(path, as_version=4).cells[-1].source
    assert re.findall(r"\]\((\d\d_\w+\.ipynb)\)", last) == neighbors
    assert "(../README.md" in last
