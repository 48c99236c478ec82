"""The reader's own copies of the notebooks: made once, never overwritten, begun anew on demand."""

import json
import re
from pathlib import Path

import pytest

from notebooks import __main__ as copies

ROOT = Path(__file__).resolve().parents[2]


def write(folder, name, *cells):
    folder.mkdir(exist_ok=True)
    text = json.dumps({"cells": [{"source": cell, "outputs": ["big"]} for cell in cells]})
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def folders(tmp_path):
    """Return a course of two notebooks and the reader's folder, with copies."""
    course, mine = tmp_path / "notebooks", tmp_path / "my_notebooks"
    write(course, "01_a.ipynb", "x = 1")
    write(course, "02_b.ipynb", "y = 1", ["z = 1\n", "z"])
    copies.copy_missing(course, mine)
    return course, mine


def test_copies_are_made_once_and_an_update_of_the_course_is_shown(folders):
    course, mine = folders
    write(mine, "01_a.ipynb", "my own")
    assert copies.changes(course, mine) == {}
    write(course, "02_b.ipynb", "y = 1", ["z = 2\n", "z"])
    write(course, "03_c.ipynb", "new")
    copies.copy_missing(course, mine)
    assert copies.text_of(mine / "01_a.ipynb") == ["my own"]
    assert copies.text_of(mine / "03_c.ipynb") == ["new"]
    ((name, lines),) = copies.changes(course, mine).items()
    assert name == "02_b.ipynb" and lines[-4:] == [" y = 1", "-z = 1", "+z = 2", " z"]


def test_a_notebook_begun_anew_is_the_courses_and_the_old_one_is_kept(folders):
    course, mine = folders
    write(course, "02_b.ipynb", "y = 2")
    for text in ("first", "second"):
        write(mine, "02_b.ipynb", text)
        aside = copies.begin_anew("02", course, mine)
        assert copies.text_of(aside) == [text]
        assert copies.text_of(mine / "02_b.ipynb") == ["y = 2"]
    assert len(list(mine.glob("*.ipynb"))) == 4
    assert copies.changes(course, mine) == {}
    with pytest.raises(SystemExit, match="no notebook '7'; allowed: 01, 02"):
        copies.begin_anew("7", course, mine)


@pytest.mark.parametrize("readme, folder", [("README", ""), ("README.zh-CN", "zh/")])
def test_the_start_page_is_the_readmes_map_and_its_links_lead_somewhere(readme, folder):
    course, readme = ROOT / "notebooks" / folder, (ROOT / f"{readme}.md").read_text("utf-8")
    page = copies.start_page(
        readme, (course / "START.md").read_text("utf-8"), f"notebooks/{folder}"
    )
    assert "COURSE_MAP" not in page
    for path in course.glob("*.ipynb"):
        assert re.search(rf"\]\({path.name}\) \|.+\| \d+ \w+ \| \d+ \w+ \|", page)
    local = [link for link in re.findall(r"\]\(([^)]+)\)", page) if not link.startswith("http")]
    for link in local:  # from the reader's folder, which lies beside notebooks/
        assert (course / link).exists(), link
