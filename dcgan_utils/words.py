"""What is wrong with a word on the command line, in one line where tyro prints a box."""

import difflib
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from .config import Config, UserError


def require_words(kind: type, arguments: Sequence[str]) -> None:
    """Refuse in one line what tyro would refuse in a box of many: words that a command can't have.

    Raises
    ------
    UserError
        If an option is unknown, lacks its value or has one of another type, or if there are too
        many or too few words beside the options.
    """
    if {"-h", "--help"} & set(arguments):
        return
    command = f"python -m dcgan_utils {kind.__name__.lower()}"
    settings = typing.get_type_hints(kind)
    needs_run = settings.pop("run", None) is not None
    if settings.pop("config", None):
        settings |= typing.get_type_hints(Config)
    options = {f"--{name.replace('_', '-')}": name for name in settings}
    words, beside = iter(arguments), []
    for word in words:
        option, equals, after = word.partition("=")
        option = option.replace("_", "-")
        if not _looks_like_an_option(word):
            beside.append(word)
        elif option not in options:
            nearest = difflib.get_close_matches(option, options, 1)
            hint = f"The nearest is {nearest[0]}; see" if nearest else "See"
            raise UserError(f"there is no option {option}. {hint} {command} --help.")
        else:
            name = options[option]
            value = after if equals else next(words, None)
            allowed = _in_words(settings[name])
            if value is None or (not equals and _looks_like_an_option(value)):
                raise UserError(f"{option} has no value; allowed: {allowed}. Write one behind it.")
            if not _can_be(value, settings[name]):
                raise UserError(
                    f"{name} is {value!r}; allowed: {allowed}. Change {name} and start again."
                )
    if len(beside) != needs_run:
        given = " ".join(map(repr, beside)) or "nothing"
        expected = "one run" if needs_run else "nothing"
        raise UserError(
            f"{given} is given beside the options; allowed: {expected}. See {command} --help."
        )


def _looks_like_an_option(word: str) -> bool:
    return word.startswith("-") and not _can_be(word, float)


def _can_be(value: str, kind: Any) -> bool:
    """Return whether tyro reads a word as a type."""
    if typing.get_origin(kind) is Literal or kind is bool:
        return value in map(str, typing.get_args(kind) or (True, False))
    if options := typing.get_args(kind):
        return any(_can_be(value, option) for option in options)
    if kind is type(None):
        return value == "None"
    try:
        kind(value)  # an int, a float, a text or a path
    except ValueError:
        return False
    return True


def _in_words(kind: object) -> str:
    """Return what a type allows."""
    if typing.get_origin(kind) is Literal:
        return " or ".join(typing.get_args(kind))
    names = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
    names |= {Path: "a path", type(None): "None"}
    return " or ".join(names[option] for option in typing.get_args(kind) or (kind,))
