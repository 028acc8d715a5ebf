"""Values that a user types as text: lists with commas between, and settings `key=value`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from infersim.domain.errors import InvalidValueError

Value = TypeVar("Value")

ALL = "all"
"""Stands for every name there is."""


def names(key: str, text: str) -> list[str]:
    """`a,b` as its names, each once; InvalidValueError where there is none."""
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise InvalidValueError(key, text, "a name, or several with commas between")
    return found


def integers(key: str, text: str) -> list[int]:
    """`1,8` as integers; how large they may be is for the question to say."""
    return _parsed(key, text, int, "an integer, or several with commas between")


def fractions(key: str, text: str) -> list[float]:
    """`0.25,0.5` as numbers; which of them are possible is for the family to say."""
    return _parsed(key, text, float, "a number, or several with commas between")


def family_options(words: Sequence[str]) -> dict[str, str | int | float | bool]:
    """`["execution=gather", "align=16"]` as options; what they may be is for the family to say."""
    found: dict[str, str | int | float | bool] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise InvalidValueError("families", word, "FAMILY/OPTION=VALUE, such as dynamic-m/target=ffn")
        found[name.strip()] = _option(value.strip())
    return found


def _option(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def settings(key: str, words: Sequence[str]) -> dict[str, float]:
    """`["memory.bandwidth_gb_s=6000"]` as numbers by name."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise InvalidValueError(key, word, "KEY=NUMBER, such as memory.bandwidth_gb_s=6000") from None
    return found


def _parsed(key: str, text: str, parse: Callable[[str], Value], expected: str) -> list[Value]:
    """Each value once, in the order of first mention."""
    found = []
    for part in text.split(","):
        try:
            found.append(parse(part.strip()))
        except ValueError:
            raise InvalidValueError(key, part.strip(), expected) from None
    return list(dict.fromkeys(found))
