"""The course in other languages: nothing has drifted from the English, in cells or in messages."""

import re
import string
import tomllib
from pathlib import Path
from types import SimpleNamespace

import matplotlib.font_manager
import matplotlib.text
import nbformat
import pytest

from dcgan_utils import health, language, losses, progress
from notebooks import alt_texts, translate

ROOT = Path(__file__).resolve().parents[2]
PAIRS = translate.pairs("zh")
CATALOG = tomllib.loads((ROOT / "notebooks/zh/pictures.toml").read_text("utf-8"))


ENGLISH = r"\b[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}\b"


@pytest.fixture(params=PAIRS, ids=lambda path: path.name[:2])
def pair(request):
    """Return an English notebook, the translations of its cells, and the translated notebook."""
    path = request.param
    stored = nbformat.read(path.parent / "zh" / path.name, 4)
    return nbformat.read(path, 4), translate.translations(PAIRS[path]), stored


def test_each_cell_is_translated_and_code_is_the_english_code(pair):
    """Otherwise `make zh` says what is missing, and builds the notebook from both."""
    english, texts, stored = pair
    assert translate.drift(translate.english_cells(english).keys(), texts.keys()) == []
    expected = translate.translated(english, texts, {path.name for path in PAIRS})
    assert [cell.source for cell in stored.cells] == [cell.source for cell in expected.cells]
    assert [cell.metadata for cell in stored.cells] == [cell.metadata for cell in expected.cells]


def parts_to_keep(text):
    """Return what no translation changes: code, formulas, links, and how deep headings are."""
    text = re.sub(r"<summary>.*?</summary>", "", text)
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    formulas = re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.DOTALL)
    links, depths = re.findall(r"\]\(([^)]*)\)", text), re.findall(r"^#+(?= )", text, re.MULTILINE)
    return [sorted(parts) for parts in (code, formulas, links)] + [depths]


def test_translations_keep_code_formulas_links_and_headings(pair):
    english, texts, _ = pair
    for mark, text in translate.english_cells(english).items():
        assert parts_to_keep(texts[mark]) == parts_to_keep(text), mark


def test_translated_notebooks_are_stored_as_executed_with_alt_texts_and_small(pair):
    code = [cell for cell in pair[2].cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in (output for cell in code for output in cell.outputs):
        assert output.output_type != "error" and output.get("name") != "stderr"
        if "image/png" in output.get("data", {}):
            alt = output.metadata["image/png"]["alt"]
            assert re.search("[\u4e00-\u9fff]", alt) and not re.search(ENGLISH, alt), alt
    assert len(nbformat.writes(pair[2])) < 2e6


def test_a_changed_cell_is_reported_and_stays_english():
    cells = [nbformat.v4.new_markdown_cell("one [x](05_a.ipynb)"), nbformat.v4.new_code_cell("1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    texts = {translate.mark_of("one [x](05_a.ipynb)"): "一 [x](05_a.ipynb)"}

    def first(here=()):
        return translate.translated(notebook, texts, here).cells[0].source

    assert first({"05_a.ipynb"}) == "一 [x](05_a.ipynb)"
    assert first() == "一 [x](../05_a.ipynb)"
    cells[0].source = "two"
    assert first() == "two"
    told = translate.drift(translate.english_cells(notebook).keys(), texts.keys())
    assert len(told) == 2 and translate.mark_of("two") in told[0]


def test_outputs_are_kept_while_the_code_is_the_same():
    output = nbformat.v4.new_output("stream", text="1")
    old = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    for code, kept in (("1", True), ("2", False)):
        new = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        assert translate.keep_outputs(new, old) is kept
        assert new.cells[0].outputs == [output] * kept


def fields(text):
    return sorted(field for _, field, _, _ in string.Formatter().parse(text) if field is not None)


def test_messages_have_the_keys_and_fields_of_the_english_ones():
    english, chinese = language.messages("en"), language.messages("zh")
    assert english.keys() == chinese.keys() - {"said"}
    for number, table in english.items():
        assert table.keys() == chinese[number].keys(), number
        for key, said in table.items():
            assert fields(chinese[number][key]) == fields(said), (number, key)


def test_every_warning_is_said_in_the_readers_language(monkeypatch, capsys):
    monkeypatch.setenv("DCGAN_LANGUAGE", "zh")
    warnings = [value for name, value in vars(health).items() if name.isupper()]
    warnings = [value for value in [*warnings, losses.D_WINS] if isinstance(value, str)]
    assert len(warnings) >= 7
    for warning in warnings:
        assert language.say(warning) != warning
    assert language.say("one's own: {x}") == "one's own: {x}"
    report = health.Report(7, 9, 1.0, 1.0, {}, None, None, [health.ALIKE])
    progress.TerminalProgress(SimpleNamespace(total=9, step=0))(report)
    assert f"警告，第 7 步：{language.say(health.ALIKE)}\n" in capsys.readouterr().err


def test_the_catalog_of_figures_fills_the_same_holes():
    for english, said in (CATALOG["pictures"] | CATALOG["alt"]).items():
        holes = english.count("{}")
        assert len(fields(said)) == holes and said.format(*range(holes)), english


def test_figures_are_translated_whole_and_in_parts(monkeypatch, capsys):
    monkeypatch.setattr(matplotlib.text.Text, "set_text", matplotlib.text.Text.set_text)
    families = matplotlib.font_manager.FontProperties.get_family
    monkeypatch.setattr(matplotlib.font_manager.FontProperties, "get_family", families)
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", list)
    alt_texts.translate_figures("zh", fonts={})
    assert "stay English" in capsys.readouterr().out
    assert matplotlib.text.Text(text="real").get_text() == "real"
    alt_texts.translate_figures("zh", fonts={"zh": ["DejaVu Sans"]})
    for english, said in (
        ("real", "真实"),
        ("with batch norm, error 0.1", "有批归一化，误差 0.1"),
        ("3 of 9 pixels are never read", "9 个像素中有 3 个从来没读到"),
    ):
        text = matplotlib.text.Text(text=english, family="monospace")
        assert (text.get_text(), text.get_family()) == (said, ["monospace", "DejaVu Sans"])


@pytest.mark.parametrize("page", ["README", "TEACHERS"])
def test_pages_give_the_minutes_of_the_english_ones(page):
    found = []
    for name in (page, f"{page}.zh-CN"):
        text = (ROOT / f"{name}.md").read_text("utf-8")
        rows = re.findall(r"^\| \[?(\d\d) .+?((?: \| \d+ [^|]+)+)\|$", text, re.MULTILINE)
        found.append({number: re.findall(r"\d+", times) for number, times in rows})
    english, chinese = found
    assert len(chinese) >= 6 and chinese.items() <= english.items()


CELLS = r"((?:\[\d+\](?:,|、| |and|to|和|到)*)+)"
NOTEBOOK = r"(\d\d)_\w+\.ipynb|^## (\d\d) "
PLACE = rf"{NOTEBOOK}|(?:[Ss]ection |第 )(\d+)(?: 节，单元格|, cells?) {CELLS}"


@pytest.mark.parametrize("page", ["TEACHERS.zh-CN", "site/compared", "site/zh/compared"])
def test_pages_name_cells_that_are_there(page):
    """ "第 5 节，单元格 [26]": the cell stands in that section of the notebook last named."""
    sections, checked = {}, 0
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        section = 0
        for cell in nbformat.read(path, 4).cells:
            if headings := re.findall(r"^## (\d+)\.", cell.source, re.MULTILINE):
                section = int(headings[-1])
            if cell.cell_type == "code":
                sections[path.name[:2], cell.execution_count] = section
    text = (ROOT / f"{page}.md").read_text("utf-8")
    for linked, heading, section, cells in re.findall(PLACE, text, re.MULTILINE):
        number = linked or heading or number  # noqa: F821
        for cell in re.findall(r"\d+", cells):
            checked += 1
            assert sections[number, int(cell)] == int(section), f"{number}, [{cell}]"
    assert checked >= 30
