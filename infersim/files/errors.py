"""Turns what pydantic found wrong into this project's file errors: file, key, value and expectation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from pydantic import ValidationError

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError, UnsupportedError
from infersim.files.tables import Table

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


_EXPECTED = {
    "missing": "a value, but the key is missing",
    "float_type": "a number",
    "int_type": "an integer",
    "finite_number": "a finite number",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "bool_type": "true or false",
    "list_type": "a list",
    "too_short": "at least one value",
    "dict_type": "a table",
    "model_type": "a table",
    "dataclass_type": "a table",
}
"""pydantic's kind of error -> what was expected, in words that fit after "expected"."""

_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}


def content_error(file: object, error: ValidationError) -> FileContentError:
    """The first thing that `error` complains about, as an error that names the file."""
    details = error.errors(include_url=False)[0]
    key = dotted(part for part in details["loc"] if part != "[key]")
    value = None if details["type"] == "missing" else _brief(details["input"])
    return FileContentError(file, key or "the file", value, _expectation(details))


def dotted(location: Iterable[int | str]) -> str:
    """`("block_configs", 3, "ffn", "ffn_mult")` as `block_configs[3].ffn.ffn_mult`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _expectation(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return "no such key here"
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        # A limit of infinity is how a column says "finite".
        return "a finite number" if context[limit] == inf else f"a number {words} {context[limit]:.12g}"
    if kind in ("enum", "literal_error"):
        several = " or " in context["expected"]
        return f"{'one of ' if several else ''}{context['expected']}"
    if kind == "json_invalid":
        return f"valid JSON ({context['error']})"
    return _EXPECTED.get(kind, details["msg"].removeprefix("Input should be "))


def _brief(value: object) -> object:
    """A table is named, not printed whole; a long text is cut."""
    if isinstance(value, Mapping):
        names = [str(name)[:60] for name in islice(value, 20)]
        return f"a table of {', '.join(names)}{' ...' if len(value) > len(names) else ''}"
    if isinstance(value, str) and len(value) > 60:
        return value[:57] + "..."
    return value


def schema_error(
    file: object, error: ValidationError, root: type[Table], nested: Mapping[str, type[Table]]
) -> FileContentError:
    """The first complaint of pydantic; for an unknown key, those there are.

    `root` is the table that the whole file is, `nested` are tables by the key they stand under.
    """
    first_error = content_error(file, error)
    first = error.errors(include_url=False)[0]
    if first["type"] != "extra_forbidden":
        return first_error
    tables = [nested[part] for part in first["loc"][:-1] if isinstance(part, str) and part in nested]
    known = (tables or [root])[-1].model_fields
    return FileContentError(file, first_error.key, first_error.value, f"one of the keys {', '.join(known)}")


@contextmanager
def located(file: object, table: str) -> Iterator[None]:
    """Add file and table to what pruning refuses inside."""
    try:
        yield
    except InvalidValueError as error:
        raise FileContentError(file, f"{table}.{error.key}", error.value, error.expected) from None
    except UnknownNameError as error:
        known = ", ".join(dict.fromkeys((*error.closest, *error.known)))
        raise FileContentError(file, table, error.name, f"a known {error.kind}: {known}") from None
    except UnsupportedError as error:
        raise UnsupportedError(f"{file}: {table}: {error}") from None
