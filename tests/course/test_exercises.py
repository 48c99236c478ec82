"""Every checker accepts the published solution, rejects wrong answers, and says where to look."""

import importlib
import pkgutil
import re
from pathlib import Path

import nbformat
import pytest
import torch.nn.functional as F
import wrong_answers
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from dcgan_utils import exercises
from dcgan_utils.exercises import common

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CHECKERS = [getattr(exercises, name) for name in exercises.__all__]
MODULES = [
    importlib.import_module(f"wrong_answers.{module.name}")
    for module in pkgutil.iter_modules(wrong_answers.__path__)
]
WRONG = [row for module in MODULES for row in module.WRONG]


def published():
    """Yield number, checker, function name, solution and imports of each exercise published."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells)
        imports = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
        for part in re.split(r"^### (?=\d+\.\d )", text, flags=re.MULTILINE)[1:]:
            solution = re.search(
                r"<summary>Solution</summary>.*?```python\n(.*?)```", part, re.DOTALL
            )[1]
            checker, name = re.search(r"^_ = (check_\w+)\((\w+)\)", part, re.MULTILINE).groups()
            number = part.split()[0]
            yield pytest.param(number, checker, name, solution, imports, id=number)


PUBLISHED = list(published())


@pytest.mark.parametrize(("number", "checker", "name", "solution", "imports"), PUBLISHED)
def test_published_solution_is_accepted(number, checker, name, solution, imports, capsys):
    space = {"bce": F.binary_cross_entropy_with_logits}  # what notebook 05 names along the way
    exec(imports, space)  # our own text, as a reader would paste it
    exec(solution, space)
    assert getattr(exercises, checker)(space[name])
    assert capsys.readouterr().out == f"Exercise {number}: correct.\n"


def test_every_checker_has_an_exercise_and_three_wrong_answers():
    used = [parameters.values[1] for parameters in PUBLISHED]
    assert sorted(used) == sorted(exercises.__all__)
    for checker in CHECKERS:
        assert sum(row[0] is checker for row in WRONG) >= 3, checker.__name__


@pytest.mark.parametrize("checker", CHECKERS, ids=exercises.__all__)
def test_an_exercise_not_yet_done_is_no_failure(checker, capsys):
    def stub(*arguments):
        raise NotImplementedError

    assert not checker(stub)
    assert "not done yet" in capsys.readouterr().out


@pytest.mark.parametrize("checker", CHECKERS, ids=exercises.__all__)
def test_a_crash_and_a_missing_return_are_explained(checker, capsys):
    def crash(*arguments, **named):
        return 1 / 0

    assert not checker(crash)
    said = capsys.readouterr().out
    assert "stopped with ZeroDivisionError. division by zero" in said
    assert re.search(r"It was at line \d+ of test_exercises.py: return 1 / 0\n", said)
    assert not checker(lambda *arguments, **named: None)
    assert "return" in capsys.readouterr().out


@pytest.mark.parametrize(("checker", "answer", "hint"), WRONG)
def test_wrong_answer_is_rejected_with_a_fitting_hint(checker, answer, hint, capsys):
    assert not checker(answer)
    said = capsys.readouterr().out
    assert re.search(hint, said), said
    assert re.match(r"Exercise \d+\.\d: (not yet\.|your function stopped)", said)


def test_hints_do_not_give_the_answer_away(capsys):
    for module in MODULES:
        assert module.SECRETS
        for checker, answer, _ in module.WRONG:
            checker(answer)
        said = capsys.readouterr().out
        said = re.sub(r"It was at line .*", "", said)  # the reader's own words
        for secret in module.SECRETS:
            assert secret not in said


def test_a_verdict_names_the_cell_that_it_judged():
    """The cell is edited but not run again; another one is the reader's helper, which fails."""
    shell = InteractiveShell()
    try:
        InteractiveShell._instance = shell  # what get_ipython() returns
        assert shell.run_cell("def helper(x):\n    return x[7]", store_history=True).success
        shell.run_cell("def sizes():\n    return helper([28, 13])", store_history=True)
        with capture_output() as shown:
            assert not exercises.check_sizes(shell.user_ns["sizes"])
    finally:
        InteractiveShell._instance = None
    (verdict,) = shown.outputs
    text, html = verdict.data["text/plain"], verdict.data["text/html"]
    assert text.splitlines()[0] == (
        "Exercise 1.1: your function stopped with IndexError. list index out of range"
    )
    assert text.splitlines()[1] == "It was at line 2 of cell [1]: return x[7]"
    assert text.splitlines()[2] == "Judged: `sizes` as cell [2] defined it when it was last run."
    assert "<pre>def sizes():" in html and "✗ Exercise 1.1" in html


def test_a_verdict_is_safe_to_show():
    verdict = common.Verdict("Exercise 1.1: not yet", ["Expected <b>, got 3."])
    assert "&lt;b&gt;" in verdict._repr_html_() and repr(verdict).endswith("Expected <b>, got 3.")
