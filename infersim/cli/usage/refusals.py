"""What is said of a command line that its parser refuses."""

from __future__ import annotations

from io import StringIO
from typing import Any

from infersim.cli.usage.examples import example_of

_EXPECTED = {"int": "a whole number", "float": "a number"}
"""By what the type's parser calls its errors: `int_parsing`, `float_parsing`..."""


def refusal(error: Any) -> str:
    """The parser's own words, or what was expected in place of a value; an example in a line of its own."""
    return "\n".join(filter(None, (_wrong_value(error) or _shown(error), _example(error))))


def _shown(error: Any) -> str:
    message = StringIO()
    error.show(file=message)
    return message.getvalue().rstrip("\n")


def _wrong_value(error: Any) -> str:
    """Option, value and what was expected, where a value is none of the option's type; else empty."""
    param, list_errors = getattr(error, "param", None), getattr(error.__cause__, "errors", None)
    found = list_errors()[0] if list_errors is not None else {}
    expected = _EXPECTED.get(str(found.get("type")).partition("_")[0])
    if param is None or expected is None:
        return ""
    name = max(param.opts, key=len).lstrip("-").replace("-", "_")
    return f"Error: {name} = {found['input']!r}; expected {expected}"


def _example(error: Any) -> str:
    """How the option is typed that an error is about."""
    param = getattr(error, "param", None)
    if param is None:
        return ""
    several = "," in (param.metavar or "")
    example = example_of([str(param.name), *param.opts], single=not several)
    return f"{example[0].upper()}{example[1:]}" if example else ""
