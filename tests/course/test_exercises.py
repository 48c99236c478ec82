"""Every checker accepts the published solution, rejects wrong answers, and says where to look."""

import functools
import importlib
import inspect
import math
import pkgutil
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import wrong_answers
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from torch import nn

from dcgan_utils import exercises


def modules_of(package):
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


MODULES = [exercises, *modules_of(exercises)]
CHECKERS = {  # by the number of the exercise
    value.number: value
    for module in MODULES
    for name, value in vars(module).items()
    if name.startswith("check_")
}
WRONG = [(*row, module.SECRETS) for module in modules_of(wrong_answers) for row in module.WRONG]
every_exercise = pytest.mark.parametrize("number", CHECKERS)


def published():
    """Yield each exercise's number, checker, function and solution, and its notebook's imports."""
    for path in sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells)
        _, imports, *_ = (cell.source for cell in cells if cell.cell_type == "code")
        for part in re.split(r"^### (?=\d+\.\d )", text, flags=re.M)[1:]:
            solution = re.search(r"<summary>Solution</summary>.*?```python\n(.*?)```", part, re.S)
            names = re.search(r"^_ = (check_\w+)\((\w+)\)", part, re.M).groups()
            yield part.split()[0], (*names, solution[1], imports)


PUBLISHED = dict(published())
QUICK = {"6.4": ("range(80)", "range(1)")}  # what takes less time and returns the same kind


def solution_of(number, old="", new=""):
    """Return the published solution as a function, with `new` in place of all that is `old`."""
    _, function, solution, imports = PUBLISHED[number]
    assert old in solution, f"{old!r} is not in the solution of {number}"
    space = {}
    exec(imports, space)  # our own text, as a reader would paste it
    exec(solution.replace(old, new) if old else solution, space)
    return space[function]


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=pytest.mark.slow if n == "6.4" else ()) for n in CHECKERS]
)
def test_published_solution_is_accepted(number, capsys):
    assert CHECKERS[number](solution_of(number))
    assert capsys.readouterr().out == f"Exercise {number}: correct.\n"


def test_every_checker_has_an_exercise_and_three_wrong_answers():
    names = {number: checker.__name__ for number, checker in CHECKERS.items()}
    assert names == {number: exercise[0] for number, exercise in PUBLISHED.items()}
    assert all(sum(row[0] == number for row in WRONG) >= 3 for number in CHECKERS)


@every_exercise
def test_a_stub_a_crash_and_a_missing_return_are_told_apart(number, capsys):
    def stub(*arguments):
        raise NotImplementedError

    def crash(*arguments, **named):
        return 1 / 0

    assert not CHECKERS[number](stub)
    said = "not done yet. Replace the stub, run its cell, then this one."
    assert capsys.readouterr().out == f"Exercise {number}: {said}\n"
    assert not CHECKERS[number](crash)
    said = capsys.readouterr().out
    assert "your function stopped with ZeroDivisionError. division by zero" in said
    assert re.search(r"It was at line \d+ of test_exercises.py: return 1 / 0\n", said)
    assert not CHECKERS[number](lambda *arguments, **named: None)
    assert "return" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "answer", "hint", "secrets"), WRONG)
def test_wrong_answer_is_rejected_with_a_fitting_hint(number, answer, hint, secrets, capsys):
    answer = solution_of(number, *answer) if isinstance(answer, tuple) else answer
    assert not CHECKERS[number](answer)
    said = capsys.readouterr().out
    assert re.search(hint, said), said
    assert re.match(r"Exercise \d+\.\d: (not yet\.|your function stopped)", said)
    said = re.sub(r"It was at line .*", "", said)  # the reader's own words
    assert not [secret for secret in secrets if secret in said]


# What may stand in place of each number or tensor of a right result; the first four are wrong.
CHANGES = {
    "nan": lambda value: value * math.nan,
    "infinity": lambda value: value * 0 + math.inf,
    "none": lambda value: None,
    "complex": lambda value: torch.as_tensor(value).to(torch.complex64),
    "rank": lambda value: torch.as_tensor(value)[None],
    "empty": lambda value: torch.as_tensor(value)[None][:0],
    "gradient": lambda value: torch.as_tensor(value).double().requires_grad_(),
}


def replaced(result, put):
    """Return a result with what `put` makes of each number or tensor in its place."""
    if isinstance(result, dict):
        return {key: replaced(value, put) for key, value in result.items()}
    if isinstance(result, (tuple, list)):
        return type(result)(replaced(part, put) for part in result)
    if isinstance(result, (torch.Tensor, np.ndarray)):
        return put(torch.as_tensor(result).detach().float())
    return put(result) if isinstance(result, (int, float, np.number)) else result


@pytest.mark.parametrize("change", CHANGES)
@every_exercise
def test_whatever_numbers_come_back_end_in_a_verdict(number, change):
    right, numbers = solution_of(number, *QUICK.get(number, ())), []

    def put(value):
        numbers.append(value)
        return CHANGES[change](value)

    accepted = CHECKERS[number](lambda *given, **named: replaced(right(*given, **named), put))
    assert not (accepted and numbers and change in [*CHANGES][:4])


THINGS = [math.nan, -1, True, "words", b"", [], (), {}, [None] * 4, {"P": []}, {1.5}, object()]
THINGS += [torch.zeros(2, 3, 4, 5), torch.tensor(True), np.array(["P"]), nn.Sequential(), nn.ReLU]


@pytest.mark.parametrize("place", [None, 0, -1])
@every_exercise
def test_whatever_comes_back_ends_in_a_verdict(number, place):
    """All that comes back, or a part of it, is something else."""
    right = solution_of(number, *QUICK.get(number, ()))

    def answer(thing, *given, **named):
        result = None if place is None else right(*given, **named)
        if not isinstance(result, (tuple, list)):
            return thing
        return type(result)([*result[:place], thing, *result[place:][1:]])

    for thing in THINGS:
        assert not CHECKERS[number](functools.partial(answer, thing))


@every_exercise
def test_an_answer_that_changes_what_it_was_given_is_refused(number, capsys):
    right, changed = solution_of(number, *QUICK.get(number, ())), []

    def answer(*given, **named):
        result = right(*given, **named)
        changed.extend(part for part in given if isinstance(part, (list, torch.Tensor, np.ndarray)))
        for part in changed:
            if isinstance(part, list):
                part.reverse()
            else:
                np.asarray(part.detach() if isinstance(part, torch.Tensor) else part).fill(7)
        return result

    assert CHECKERS[number](answer) == (not changed)
    assert ("changed what it was given" in capsys.readouterr().out) == bool(changed)


def test_an_error_of_the_checker_is_not_told_as_the_readers(capsys):
    @exercises.exercise("5.1")
    def check(function):
        function(torch.zeros(1), torch.zeros(1))
        raise ZeroDivisionError("in the checker")

    with pytest.raises(RuntimeError, match="checker of exercise 5.1 has failed") as caught:
        check(solution_of("5.1"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert capsys.readouterr().out == ""


def test_numbers_worked_out_by_hand_may_be_rounded():
    assert CHECKERS["9.1"](lambda: torch.tensor([2, 17.3, 3, 8.7]))


def test_a_verdict_names_the_cell_that_it_judged(monkeypatch):
    """The cell is edited but not run again; another one is the reader's helper, which fails."""
    shell = InteractiveShell()
    monkeypatch.setattr(InteractiveShell, "_instance", shell)  # what get_ipython() returns
    assert shell.run_cell("def helper(x):\n    return x['<a>']", store_history=True).success
    shell.run_cell("def sizes():\n    return helper({})", store_history=True)
    with capture_output() as shown:
        assert not CHECKERS["1.1"](shell.user_ns["sizes"])
    text, html = (shown.outputs[0].data[kind] for kind in ("text/plain", "text/html"))
    assert text.splitlines() == [
        "Exercise 1.1: your function stopped with KeyError. '<a>'",
        "It was at line 2 of cell [1]: return x['<a>']",
        "Judged: sizes as cell [2] defined it when it was last run.",
    ]
    assert "<pre>def sizes():" in html and "✗ Exercise 1.1" in html and "<a>" not in html


def test_another_language_may_leave_lines_out(monkeypatch, capsys):
    tables = {"en": exercises.messages("en"), "zh": {"common": {"not_yet": "还没有"}}}
    monkeypatch.setenv("DCGAN_LANGUAGE", "zh")
    monkeypatch.setattr(exercises, "messages", tables.get)
    CHECKERS["1.1"](lambda: [28])
    assert capsys.readouterr().out.startswith("Exercise 1.1: 还没有. Expected")


def test_no_message_is_left_over():
    source = "".join(map(inspect.getsource, MODULES))
    for number, table in exercises.messages("en").items():
        assert not [key for key in table if not re.search(f"['\"]{key}['\"]", source)], number
