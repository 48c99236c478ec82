"""What the course says in the reader's language, which DCGAN_LANGUAGE names."""

import functools
import os
import tomllib
from pathlib import Path

MESSAGES = Path(__file__).parent / "exercises" / "messages"


def of_reader() -> str:
    """Return the reader's language, such as "zh"; "en" unless DCGAN_LANGUAGE names another."""
    return os.environ.get("DCGAN_LANGUAGE", "en")


@functools.cache
def messages(language: str) -> dict[str, dict[str, str]]:
    """Return the messages in a language, by exercise and key; none where it has no file."""
    path = MESSAGES / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def say(english: str, **values: object) -> str:
    """Return words in the reader's language, or as they are, with their braces filled."""
    told = messages(of_reader()).get("said", {}).get(english, english)
    return told.format(**values) if values else told
