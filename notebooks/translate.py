"""Build the translated notebooks: `python -m notebooks.translate zh`, which is `make zh`.

A source such as zh/source/05.md has each Markdown cell of that notebook in Chinese, after a mark
made of its English text. When that text changes, so does its mark, and a test reports that the
translation has drifted. Code cells are those of the English notebook. One whose code has changed is
run, and so is each whose number follows: `python -m notebooks.translate zh 00 05`.
"""

import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Collection, Mapping, Set
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, ExecutePreprocessor

from notebooks.alt_texts import pattern_of
from notebooks.few_colors import FewColors

COURSE = Path(__file__).resolve().parent
MARK = re.compile(r"^<!-- ([0-9a-f]{8}) -->\n", re.MULTILINE)


def mark_of(text: str) -> str:
    """Return the mark of an English cell."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def translations(source: Path) -> dict[str, str]:
    """Return the translated cells of a source by their marks."""
    _, *parts = MARK.split(source.read_text("utf-8"))
    return {mark: text.strip() for mark, text in zip(parts[::2], parts[1::2])}


def english_cells(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Return a notebook's Markdown cells by their marks."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return {mark_of(text): text for text in texts}


def drift(english: Set[str], translated: Set[str]) -> list[str]:
    """Return which English cells have no translation, and which translations no English cell."""
    missing = [f"no translation of {mark}" for mark in english if mark not in translated]
    return missing + [f"nothing to translate as {mark}" for mark in translated - english]


def relinked(text: str, here: Collection[str]) -> str:
    """Return Markdown whose links lead one folder up, but for those to notebooks that are here."""

    def link(found: re.Match) -> str:
        target = found[1].split("#")[0]
        return found[0] if target in here else f"](../{found[1]}"

    return re.sub(r"\]\((?!\w+:|#)([^)\s]+)", link, text)


def translated(
    notebook: nbformat.NotebookNode, texts: Mapping[str, str], here: Collection[str]
) -> nbformat.NotebookNode:
    """Return a notebook without outputs; a cell that has no translation stays English."""
    made = nbformat.from_dict(notebook)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(texts.get(mark_of(cell.source), cell.source), here)
        else:
            cell.outputs, cell.execution_count = [], None
    return made


def keep_outputs(made: nbformat.NotebookNode, before: nbformat.NotebookNode) -> bool:
    """Give a notebook the outputs of an earlier one; return whether all its code was the same."""
    new, old = ([cell for cell in each.cells if "outputs" in cell] for each in (made, before))
    if [cell.source for cell in new] != [cell.source for cell in old]:
        return False
    for cell, as_run in zip(new, old):
        cell.outputs, cell.execution_count = as_run.outputs, as_run.execution_count
    return True


def run(notebook: nbformat.NotebookNode, folder: Path, language: str) -> None:
    """Run a notebook as `make notebooks` does, in that language."""
    os.environ |= {"DCGAN_LANGUAGE": language, "PYTHONSTARTUP": str(COURSE / "alt_texts.py")}
    execute = ExecutePreprocessor(timeout=None, record_timing=False)
    execute.preprocess(notebook, {"metadata": {"path": str(folder)}})
    for step in (CoalesceStreamsPreprocessor(enabled=True), FewColors(enabled=True)):
        step.preprocess(notebook, {})


def translate_alts(notebook: nbformat.NotebookNode, language: str) -> None:
    """Translate the alt texts of a notebook's pictures, as far as they are English."""
    catalog = tomllib.loads((COURSE / language / "pictures.toml").read_text("utf-8"))
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        facts = output.get("metadata", {}).get("image/png", {})
        if (alt := facts.get("alt", "")) in catalog["pictures"]:
            facts["alt"] = catalog["pictures"][alt]
        elif alt:
            alt += " "
            for part, said in catalog["alt"].items():
                alt = pattern_of(part).sub(
                    lambda found, said=said: said.format(*found.groups()), alt
                )
            facts["alt"] = alt.strip()


def pairs(language: str, course: Path = COURSE) -> dict[Path, Path]:
    """Return the source of each notebook that has one, by the English notebook."""
    sources = sorted((course / language / "source").glob("*.md"))
    return {next(course.glob(f"{source.stem}_*.ipynb")): source for source in sources}


def main(language: str, *numbers: str) -> None:
    """Write the notebooks of a language and run those named, or whose code has changed."""
    found = pairs(language)
    here = {path.name for path in found}
    for path, source in found.items():
        notebook, texts = nbformat.read(path, 4), translations(source)
        made, place = translated(notebook, texts, here), COURSE / language / path.name
        kept = place.exists() and keep_outputs(made, nbformat.read(place, 4))
        if path.name[:2] in numbers or not kept:
            run(made, place.parent, language)
        translate_alts(made, language)
        nbformat.write(made, place)
        cells = english_cells(notebook)
        print(f"{path.name}: {len(cells.keys() & texts)} of {len(cells)} cells", end="")
        print("".join(f"; {line}" for line in drift(cells.keys(), texts.keys())))


if __name__ == "__main__":
    main(*sys.argv[1:])
