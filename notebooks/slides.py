"""Make decks of slides from the notebooks, as they are stored.

    python -m notebooks.slides 04      makes slides/04_building_the_dcgan.slides.html

Nothing in a notebook says what is a slide. A rule decides:

- each section is a slide, with its first paragraph;
- each picture, table and formula follows it on a slide of its own, below the question before it;
- so does code with what it prints, if both have twenty lines at most;
- all else is for the teacher: the notes, in reveal.js's speaker view (key S);
- what only imports or checks, solutions and all from the exercises on are left out.
"""

import ast
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
SLIDES = ROOT / "slides"
MOST_LINES = 20  # of code on a slide together with what it prints
MOST_LETTERS = 1400  # of a paragraph or a table
MOST_PICTURES = 4  # of one cell
QUESTION = re.compile(r"(?<!\*)\*([^*\n]+\?[^*\n]*)\*(?!\*)")


def blocks(markdown: str) -> list[str]:
    """Return headings, paragraphs, lists, tables and formulas, one by one."""
    parts = re.split(r"(```.*?```|<details>.*?</details>|\$\$.*?\$\$)", markdown, flags=re.DOTALL)
    found = []
    for part in parts:
        whole = part.startswith(("```", "<details>", "$$"))
        found += [part] if whole else re.split(r"\n\s*\n", part)
    return [block.strip() for block in found if block.strip()]


def text_of(cell: NotebookNode) -> str:
    """Return what a code cell prints or shows as text."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        texts.append(output.get("text") or data.get("text/markdown") or data.get("text/plain", ""))
    return "".join(texts)


def deck(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook whose cells are slides, by the rule above."""
    cells: list[NotebookNode] = []
    section, question, first = "", "", False

    def add(cell: NotebookNode, kind: str) -> None:
        if kind == "subslide":  # the section's name above it
            cells.append(nbformat.v4.new_markdown_cell(f"### {section}", metadata=slide(kind)))
            kind = "-"
        cell.metadata = slide(kind)
        cells.append(cell)

    def say(text: str, kind: str) -> None:
        add(nbformat.v4.new_markdown_cell(text), kind)

    for cell in until_exercises(notebook):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            for block in blocks(cell.source):
                if heading := re.match("##? (.*)", block):
                    section = heading[1]
                    say(block, "slide")
                elif first or block.startswith(("**You will", "$$", "|")):
                    kind = "-" if first else "subslide"
                    say(block, kind if len(block) <= MOST_LETTERS else "notes")
                else:
                    say(block, "notes")
                first = heading is not None or (first and block.startswith("###"))
                question = (QUESTION.findall(block) or [question])[-1]
        elif "check" not in tags and not only_imports(cell):
            pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
            for picture in pictures[:MOST_PICTURES]:
                if question:
                    say(f"*{question}*", "subslide")
                shown = nbformat.v4.new_code_cell(outputs=[picture])
                add(shown, "fragment" if question else "subslide")
                question = ""
            lines = len(cell.source.splitlines()) + len(text_of(cell).splitlines())
            if not pictures and lines <= MOST_LINES:
                add(nbformat.v4.new_code_cell(cell.source, outputs=cell.outputs), "subslide")
                question = ""
            first = False
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def only_imports(cell: NotebookNode) -> bool:
    """Say whether code imports, shows nothing, and at most calls something, as sys.path.insert."""
    kinds = {type(line) for line in ast.parse(cell.source).body}
    imports = bool(kinds & {ast.Import, ast.ImportFrom})
    return imports and kinds <= {ast.Import, ast.ImportFrom, ast.Expr} and not cell.outputs


def slide(kind: str) -> NotebookNode:
    """Return what nbconvert takes from a cell: "slide", "subslide", "fragment", "notes" or "-"."""
    return nbformat.from_dict({"slideshow": {"slide_type": kind}})


def until_exercises(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells before the exercises; the heading may stand within a cell."""
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        before, *after = re.split(r"^## .*Exercises", cell.source, flags=re.MULTILINE)
        cells.append(cell)
        if cell.cell_type == "markdown" and after:
            cells[-1] = nbformat.v4.new_markdown_cell(before)
            break
    return cells


def reveal() -> Path:
    """Return the folder of reveal.js in an installed package.

    Raises
    ------
    SystemExit
        If the package is not there.
    """
    found = importlib.util.find_spec("sphinx_revealjs")
    if found is None or found.origin is None:
        raise SystemExit("reveal.js is missing: pip install --no-deps sphinx-revealjs")
    return Path(found.origin).parent / "_static" / "revealjs"


def export(path: Path, folder: Path = SLIDES) -> Path:
    """Write the deck of a notebook into a folder, beside a copy of reveal.js; return its place."""
    for part in ("dist", "plugin/notes"):
        shutil.copytree(reveal() / part, folder / "reveal.js" / part, dirs_exist_ok=True)
    exporter = SlidesExporter(
        template_name="course_slides",
        extra_template_basedirs=[str(ROOT / "notebooks/jupyter/nbconvert/templates")],
        reveal_url_prefix="reveal.js",
        reveal_theme="white",
    )
    notebook = deck(nbformat.read(path, as_version=4))
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
    target = folder / f"{path.stem}.slides.html"
    target.write_text(page, encoding="utf-8")
    return target


def main(numbers: list[str]) -> None:
    """Make the decks of the notebooks whose numbers are given, or of all."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if not numbers or path.name[:2] in numbers:
            print(export(path).relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
