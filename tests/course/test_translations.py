"""The course in other languages: nothing has drifted from the English, in cells or in messages."""

import string
import tomllib

import matplotlib.text
import nbformat
import pytest

from dcgan_utils import exercises
from notebooks import alt_texts, translate

PAIRS = translate.pairs("zh")
MESSAGES = {
    name: tomllib.loads(path.read_text("utf-8"))
    for name, path in ((path.stem, path) for path in exercises.MESSAGES.glob("*.toml"))
}


def fields(text):
    return sorted(field for _, field, _, _ in string.Formatter().parse(text) if field is not None)


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.name[:2])
def test_each_cell_is_translated_and_code_is_the_english_code(path):
    english, made = nbformat.read(path, 4), nbformat.read(path.parent / "zh" / path.name, 4)
    cells = translate.english_cells(english)
    assert translate.drift(cells.keys(), translate.translations(PAIRS[path]).keys()) == []
    here = {path.name for path in PAIRS}
    expected = translate.translated(english, translate.translations(PAIRS[path]), here)
    assert [cell.source for cell in made.cells] == [cell.source for cell in expected.cells]


def test_a_changed_cell_is_reported_and_stays_english():
    cells = [nbformat.v4.new_markdown_cell("one [x](05_a.ipynb)"), nbformat.v4.new_code_cell("1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    texts = {translate.mark_of("one [x](05_a.ipynb)"): "一 [x](05_a.ipynb)"}
    assert (
        translate.translated(notebook, texts, {"05_a.ipynb"}).cells[0].source
        == "一 [x](05_a.ipynb)"
    )
    assert translate.translated(notebook, texts, ()).cells[0].source == "一 [x](../05_a.ipynb)"
    cells[0].source = "two"
    assert translate.translated(notebook, texts, ()).cells[0].source == "two"
    told = translate.drift(translate.english_cells(notebook).keys(), texts.keys())
    assert len(told) == 2 and translate.mark_of("two") in told[0]


def test_messages_have_the_keys_and_fields_of_the_english_ones():
    for number, table in MESSAGES["zh"].items():
        for key, said in table.items():
            assert fields(said) == fields(MESSAGES["en"][number][key]), (number, key)


def test_figures_are_translated_whole_and_in_parts(monkeypatch, capsys):
    monkeypatch.setattr(matplotlib.text.Text, "set_text", matplotlib.text.Text.set_text)
    monkeypatch.setitem(matplotlib.rcParams, "font.family", ["sans-serif"])
    alt_texts.translate_figures("zh", fonts={})
    assert "stay English" in capsys.readouterr().out
    alt_texts.translate_figures("zh", fonts={"zh": ("DejaVu Sans",)})
    assert matplotlib.text.Text(text="real").get_text() == "真实"
