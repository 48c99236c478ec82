"""A pytest plugin: print how long each notebook took (`-p tests.nbval_times`)."""

from collections import defaultdict

_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report):
    """Add a cell's time to its notebook's."""
    _seconds[report.nodeid.split("::")[0]] += report.duration


def pytest_terminal_summary(terminalreporter):
    """Print the sums."""
    terminalreporter.section("time per notebook")
    for name, seconds in sorted(_seconds.items()):
        terminalreporter.write_line(f"{int(seconds) // 60}:{int(seconds) % 60:02d} min  {name}")
