"""What every checker uses: the verdict, and comparisons whose messages say where to look."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class Wrong(Exception):
    """An answer is not right; the message says what was expected, what came, where to look."""


def judge(exercise: str, check: Callable[[], None]) -> bool:
    """Run a check and print its verdict; return whether the answer is right.

    Parameters
    ----------
    exercise
        Its number, such as "5.1".
    check
        Calls the reader's function; raises `Wrong` if the answer is not right.
    """
    try:
        check()
    except NotImplementedError:
        print(f"Exercise {exercise}: not done yet. Replace the stub, run its cell, then this one.")
        return False
    except Wrong as reason:
        print(f"Exercise {exercise}: not yet. {reason}")
        return False
    except Exception as error:
        print(f"Exercise {exercise}: your function stopped with {type(error).__name__}: {error}")
        return False
    print(f"Exercise {exercise}: correct.")
    return True


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
