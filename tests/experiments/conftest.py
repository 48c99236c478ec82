"""Runs of a study by its command, in a results folder of the test's own."""

import pytest

from experiments import __main__, store


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a study twice and returns its rows; the second adds none."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    monkeypatch.setattr(__main__, "load_source", lambda data: None)

    def twice(study, *only):
        for _ in range(2):
            __main__.main(["run", study, *only, "--jobs", "1", "--threads", "1"])
            rows.append(store.read(study))
        assert rows[-1] == rows[-2]
        return rows[-1]

    rows = []
    return twice
