"""Rows and tables: machines never mix, files grow columns, and the pages hold what rows say."""

import pytest

from experiments import __main__ as experiments
from experiments import store

ROW = {"device": "cpu (A)", "threads": "2", "number_format": "bf16", "torch": "2.6.0", "x": "1"}


def test_the_tables_and_figures_of_the_pages_have_been_written(monkeypatch):
    """`python -m experiments report` would change no page, and draw no figure that is new."""
    written = {}
    monkeypatch.setattr(experiments, "write_file", written.__setitem__)
    experiments.report()
    pages = {path: content for path, content in written.items() if path.suffix == ".md"}
    assert {path.name for path in pages} == {"RESULTS.md", "README.md"}
    assert all(path.exists() for path in written)
    for path, content in pages.items():
        assert content.decode() == path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("column", store.MACHINE)
def test_rows_of_two_machines_never_share_a_table(column):
    rows = [ROW, ROW | {column: "3", "x": "2"}, ROW | {"x": "3"}]
    tables = store.table(rows, lambda own: [["x"], *([row["x"]] for row in own)])
    first, second = tables.split("\n\nMNIST, ")
    assert first.splitlines()[4:] == ["| 1 |", "| 3 |"] and second.endswith("| 2 |")
    assert store.largest(rows) == [rows[0], rows[2]]


def test_a_new_column_and_a_lost_one_do_not_end_an_old_file(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    store.write("rows", [*store.read("rows"), {"a": 1, "b": "x, y"}])
    store.write("rows", [*store.read("rows"), {"a": float("nan"), "c": 0.123456}])
    assert store.read("rows") == [
        {"a": "1", "b": "x, y", "c": ""},
        {"a": "", "b": "", "c": "0.1235"},
    ]


def test_numbers_are_spread_and_runs_without_one_left_out():
    rows = [{"x": "1.0"}, {"x": ""}, {"x": "4.0"}]
    assert store.numbers(rows, "x", factor=2) == [2, 8]
    assert store.spread([2, 8], ".1f", "%") == "5.0% (2.0 to 8.0)"
    assert (store.spread([2]), store.spread([])) == ("2", "-")
