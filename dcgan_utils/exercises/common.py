"""What every checker uses: the verdict, and comparisons whose messages say where to look."""

import html
import inspect
import linecache
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from IPython import get_ipython
from IPython.display import display
from torch import Tensor


class Wrong(Exception):
    """An answer is not right; the message says what was expected, what came, where to look."""


class Verdict:
    """What a checker says: a line of text, and in a notebook a band that is seen across a room."""

    def __init__(
        self, title: str, details: Sequence[str] = (), right: bool = False, code: str = ""
    ):
        self.title, self.details, self.right, self.code = title, details, right, code

    def __repr__(self) -> str:
        first = " ".join([f"{self.title}.", *self.details[:1]])
        return "\n".join([first, *self.details[1:]])

    def _repr_html_(self) -> str:
        mark, color = ("✓", "#00734f") if self.right else ("✗", "#a84300")
        lines = [f"<div>{html.escape(line)}</div>" for line in self.details]
        if self.code:
            code = f"<pre>{html.escape(self.code)}</pre>"
            lines.append(f"<details><summary>The definition judged</summary>{code}</details>")
        return (
            f'<div style="background: {color}; color: white; font-size: 1.6em; font-weight: bold; '
            f'padding: 8px 16px; margin-bottom: 6px">{mark} {html.escape(self.title)}</div>'
            f"{''.join(lines)}"
        )


def judge(exercise: str, check: Callable[[], None], answer: Callable[..., Any]) -> bool:
    """Run a check and show its verdict; return whether the answer is right.

    Parameters
    ----------
    exercise
        Its number, such as "5.1".
    check
        Calls the reader's function; raises `Wrong` if the answer is not right.
    answer
        The reader's function. The verdict names the cell that defined it: an edited cell that has
        not been run defines nothing.
    """
    try:
        check()
    except NotImplementedError:
        print(f"Exercise {exercise}: not done yet. Replace the stub, run its cell, then this one.")
        return False
    except Wrong as reason:
        title, details = "not yet", [str(reason)]
    except Exception as error:
        title = f"your function stopped with {type(error).__name__}"
        details = [str(error), *_failing_line(error, answer)]
    else:
        title, details = "correct", []
    source = ""
    if isinstance(answer, FunctionType) and (cell := _cell(answer.__code__.co_filename)):
        details.append(f"Judged: `{answer.__name__}` as {cell} defined it when it was last run.")
        source = inspect.getsource(answer)
    display(Verdict(f"Exercise {exercise}: {title}", details, title == "correct", source))
    return title == "correct"


def _cell(filename: str) -> str:
    """Return a notebook's cell by the name its code has, such as "cell [12]"; else nothing."""
    shell = get_ipython()
    named = shell and shell.compile.format_code_name(filename)  # ("Cell", "In[12]"), or None
    return f"cell {named[1].removeprefix('In')}" if named else ""


def _failing_line(error: Exception, answer: object) -> list[str]:
    """Return where the reader's own code stopped: the innermost line beside their function."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals is getattr(answer, "__globals__", None):
            name = frame.f_code.co_filename
            line = linecache.getline(name, number).strip()
            return [f"It was at line {number} of {_cell(name) or Path(name).name}: {line}"]
    return []


def require_answer(value: object, kind: type | tuple[type, ...], called: str) -> None:
    """Refuse None and values of another type; `called` names the type in words."""
    if value is None:
        raise Wrong("Your function returned None. Does it end with `return`?")
    if not isinstance(value, kind):
        raise Wrong(f"Expected {called}, got {type(value).__name__}.")


def require_scalar(value: Any) -> float:
    """Return the number in a tensor that holds one; refuse everything else."""
    require_answer(value, Tensor, "a tensor with one number")
    if value.numel() != 1:
        raise Wrong(
            f"Expected one number, got a tensor of shape {tuple(value.shape)}. "
            f"The loss is a mean over the batch."
        )
    return value.item()


def require_tensor(value: Any, shape: Sequence[int], hint: str = "") -> Tensor:
    """Return a tensor if it has the shape; refuse everything else."""
    require_answer(value, Tensor, "a tensor")
    if tuple(value.shape) != tuple(shape):
        raise Wrong(f"Expected shape {tuple(shape)}, got {tuple(value.shape)}. {hint}".strip())
    return value


def require_equal(
    got: Tensor,
    expected: Tensor,
    case: str,
    mistakes: Iterable[tuple[Tensor, str]] = (),
    otherwise: str = "",
    tolerance: float = 1e-4,
) -> None:
    """Refuse a tensor that differs from the expected one, and say where to look.

    Parameters
    ----------
    got, expected
        Of the same shape.
    case
        What was computed, such as "for a 5x5 image of ones".
    mistakes
        What usual mistakes would have given, each with its hint.
    otherwise
        The hint if none of them fits.
    tolerance
        How far a value may be off.
    """
    got, expected = got.detach().double(), expected.detach().double()

    def same(value: Tensor) -> bool:
        return value.shape == got.shape and torch.allclose(
            got, value.detach().double(), rtol=0, atol=tolerance
        )

    if same(expected):
        return
    hint = next((hint for value, hint in mistakes if same(value)), otherwise)
    off = ~torch.isclose(got, expected, rtol=0, atol=tolerance)
    place = tuple(off.nonzero()[0].tolist())
    where = f" at index {list(place)}" if place else ""
    raise Wrong(
        f"Expected {expected[place].item():.4g}{where} {case}, got {got[place].item():.4g}. {hint}"
    )
