"""What the checkers share: the verdict, comparisons, and messages looked up by key.

A module holds the checkers of each notebook. Their words stand in ``messages/en.toml``, a table an
exercise; ``DCGAN_LANGUAGE=xx`` looks in ``messages/xx.toml`` first.
"""

import functools
import html
import inspect
import linecache
import math
import numbers
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
from IPython import get_ipython
from IPython.display import display
from torch import Tensor, nn

from ..language import messages

Function = Callable[..., Any]  # what a reader writes
Mistakes = Mapping[str, Any]  # what usual mistakes give, by the key of their hint
_number: ContextVar[str] = ContextVar("number", default="common")  # of the exercise being checked


def text(key: str, **values: object) -> str:
    """Return a message of the exercise being checked, or else one that all share."""
    for language in (os.environ.get("DCGAN_LANGUAGE", "en"), "en"):
        for table in (_number.get(), "common"):
            if message := messages(language).get(table, {}).get(key):
                return message.format(**values)
    raise KeyError(f"no message {key!r} for exercise {_number.get()}")


class Wrong(Exception):
    """An answer is not right; `key` names the message, and the case and the values fill it."""

    def __init__(self, key: str, case: str = "", **values: object) -> None:
        super().__init__(text(key, case=case and f" {case}", **values).strip())


@dataclass(repr=False)
class Verdict:
    """What a checker says: a line of text, and in a notebook a band that is seen across a room."""

    title: str
    details: Sequence[str] = ()
    right: bool = False
    code: str = ""  # of the function that was judged

    def __repr__(self) -> str:
        return (f"{self.title}. " + "\n".join(self.details)).rstrip()

    def _repr_html_(self) -> str:
        mark, color = ("✓", "#00734f") if self.right else ("✗", "#a84300")
        lines = [f"<div>{html.escape(line)}</div>" for line in self.details]
        if self.code:
            code = f"<pre>{html.escape(self.code)}</pre>"
            lines.append(f"<details><summary>{text('definition')}</summary>{code}</details>")
        return (
            f'<div style="background: {color}; color: white; font-size: 1.6em; font-weight: bold; '
            f'padding: 8px 16px; margin-bottom: 6px">{mark} {html.escape(self.title)}</div>'
            f"{''.join(lines)}"
        )


def exercise(number: str) -> Callable[[Callable[[Function], None]], Callable[[Any], bool]]:
    """Make a checker of a function that raises `Wrong` unless the answer it gets is right.

    The checker shows a verdict and returns whether the answer is right. What an answer raises is
    told as the answer's; an error of the check itself ends in a RuntimeError.
    """

    def decorate(check: Callable[[Function], None]) -> Callable[[Any], bool]:
        @functools.wraps(check)
        def checker(answer: Any) -> bool:
            return copy_context().run(_judge, number, check, answer)

        checker.number = number  # type: ignore[attr-defined]
        return checker

    return decorate


def _plain(value: Any) -> Any:
    """Return numbers in place of tensors and arrays, also in lists, for a comparison by `==`."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.tolist() if isinstance(value, (Tensor, np.ndarray)) else value


def _judge(number: str, check: Callable[[Function], None], answer: Any) -> bool:
    def called(*arguments: Any, **named: Any) -> Any:
        before = _plain(arguments)
        result = answer(*arguments, **named)
        if _plain(arguments) != before:
            raise Wrong("changed")
        return result

    _number.set(number)
    right, details = False, []
    try:
        if not callable(answer):
            raise Wrong("no_function", got=type(answer).__name__)
        check(called)
    except Wrong as reason:
        title, details = text("not_yet"), [str(reason)]
    except Exception as error:
        walked = [*traceback.walk_tb(error.__traceback__)]
        beside = getattr(answer, "__globals__", None)  # of the notebook that defined the answer
        own = [(frame, line) for frame, line in walked if frame.f_globals is beside]
        if isinstance(error, NotImplementedError) and own and own[-1] == walked[-1]:
            print(text("exercise", number=number, told=text("not_done")))
            return False
        if not own and all(frame.f_code is not called.__code__ for frame, _ in walked):
            raise RuntimeError(text("checker_failed", number=number)) from error
        title, details = text("stopped", error=type(error).__name__), [str(error)]
        for frame, line in own[-1:]:
            name = frame.f_code.co_filename
            code, place = linecache.getline(name, line).strip(), _cell(name) or Path(name).name
            details.append(text("line", line=line, place=place, code=code))
    else:
        title, right = text("correct"), True
    source = ""
    if isinstance(answer, FunctionType) and (cell := _cell(answer.__code__.co_filename)):
        details.append(text("judged", name=answer.__name__, cell=cell))
        source = inspect.getsource(answer)
    display(Verdict(text("exercise", number=number, told=title), details, right, source))
    return right


def _cell(filename: str) -> str:
    """Return a notebook's cell by the name its code has, such as "cell [12]"; else nothing."""
    shell = get_ipython()
    named = shell and shell.compile.format_code_name(filename)  # ("Cell", "In[12]"), or None
    return text("cell", number=named[1].removeprefix("In")) if named else ""


def require_type(value: Any, kind: type | tuple[type, ...], key: str, **values: object) -> Any:
    """Return a value of this type; refuse others, None and bool. `key` names the type in words."""
    if value is None:
        raise Wrong("none")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Wrong("type", expected=text(key, **values), got=type(value).__name__)
    return value


def require_parts(value: Any, count: int, key: str = "results") -> tuple:
    """Return a tuple or list of exactly `count` things as a tuple; `key` names them in words."""
    require_type(value, (tuple, list), key, count=count)
    if len(value) != count:
        raise Wrong("type", expected=text(key, count=count), got=len(value))
    return tuple(value)


def require_number(value: Any, case: str = "") -> float:
    """Return a finite number, also that of a tensor or array with one; refuse everything else."""
    if isinstance(value, (Tensor, np.ndarray)):
        if math.prod(value.shape) != 1:
            raise Wrong("one_number", got=tuple(value.shape))
        value = value.item()
    number = float(require_type(value, numbers.Real, "number"))
    require_tensor(torch.tensor(number, dtype=torch.double), case=case)
    return number


def require_numbers(value: Any, count: int) -> list[float]:
    """Return `count` finite numbers: a list, a tuple, or a tensor with one axis."""
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 1:
        value = value.tolist()
    return [require_number(part) for part in require_parts(value, count, "numbers")]


def require_predictions(
    value: Any, rows: Sequence[tuple], case: str = "", tolerance: float = 0.01
) -> None:
    """Refuse numbers worked out by hand if one is off, and never say what is right.

    A row has a number, the key of a hint, and perhaps what usual mistakes give.
    """
    close = functools.partial(math.isclose, rel_tol=tolerance, abs_tol=1e-4)
    for place, got in enumerate(require_numbers(value, len(rows))):
        right, otherwise, *mistakes = rows[place]
        if not close(got, right):
            near = (key for key, number in dict(*mistakes).items() if close(got, number))
            hint = text(next(near, otherwise))
            raise Wrong("prediction", case, place=place + 1, got=got, hint=hint)


def require_tensor(
    value: Any, shape: Sequence[int] | None = None, case: str = "", dtype: torch.dtype | None = None
) -> Tensor:
    """Return a tensor of finite numbers, also that of an array; refuse everything else."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        value = torch.from_numpy(value.copy())
    value = require_type(value, Tensor, "tensor").cpu()
    if shape is not None and tuple(value.shape) != tuple(shape):
        raise Wrong("shape", case, expected=tuple(shape), got=tuple(value.shape))
    if value.is_complex() or dtype not in (None, value.dtype):
        raise Wrong("dtype", expected=dtype or torch.get_default_dtype(), got=value.dtype)
    if not (finite := value.isfinite()).all():
        raise Wrong("not_finite", case, got=value[~finite][0].item())
    return value


def require_output(network: nn.Module, x: Tensor, shape: Sequence[int] | None = None) -> Tensor:
    """Return what a network that the reader built makes of x; refuse one that can't be run."""
    try:
        y = network(x)
    except Exception as error:
        raise Wrong("network_stopped", error=f"{type(error).__name__}: {error}") from error
    return require_tensor(y, shape)


def require_close(
    got: Any,
    expected: Any,
    case: str = "",
    mistakes: Mistakes | None = None,
    otherwise: str = "",
    tolerance: float = 1e-4,
) -> None:
    """Refuse a number or a tensor that is farther off than the tolerance, or that share of it.

    `case` says what was computed. The first of the mistakes that fits gives the hint, or else
    `otherwise`, its key.
    """
    right = torch.as_tensor(expected).double()
    if right.ndim:
        found = require_tensor(got, right.shape, case).double()
    else:
        found = torch.tensor(require_number(got, case), dtype=torch.double)

    def close(value: Any) -> Tensor:
        value = torch.as_tensor(value).double()
        alike = value.shape == found.shape
        return torch.isclose(found, value, tolerance, tolerance) if alike else torch.tensor(False)

    if not close(right).all():
        near = (key for key, value in (mistakes or {}).items() if close(value).all())
        hint, place = next(near, otherwise), (~close(right)).nonzero()[0].tolist()
        raise Wrong(
            "differs",
            case,
            place=text("at_index", index=place) if place else "",
            expected=f"{right[tuple(place)].item():.6g}",
            got=f"{found[tuple(place)].item():.6g}",
            hint=text(hint) if hint else "",
        )
