"""A rule for frames that users pass to public functions: which columns they must have, and of which type."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from infersim.domain.arguments import Rule, refused


def a_frame(
    *, numbers: Sequence[str] = (), others: Sequence[str] = (), source: str, empty: bool = False
) -> Rule:
    """A pandas frame with the columns of `source`, those of `numbers` numeric, and a row (unless `empty`)."""

    def rule(key: str, value: Any) -> Any:
        if not _is_a(value, "DataFrame"):
            raise refused(key, value, f"a frame: {source}")
        _check_columns(key, value.columns, (*numbers, *others), source)
        if not (empty or len(value)):
            raise refused(key, value, f"at least one row of {source}")
        for name in numbers:
            if not is_numeric(value[name]):
                raise refused(f"{key}.{name}", value[name], f"a column of numbers, as in {source}")
        return value

    return rule


def a_row(*, numbers: Sequence[str], others: Sequence[str] = (), source: str) -> Rule:
    """One row of such a frame, as a pandas Series by column."""

    def rule(key: str, value: Any) -> Any:
        if not _is_a(value, "Series"):
            raise refused(key, value, f"a row of {source}, as a pandas Series")
        _check_columns(key, value.index, (*numbers, *others), source)
        for name in numbers:
            try:
                float(value[name])
            except Exception:  # a text, a missing value, a list
                raise refused(f"{key}.{name}", value[name], f"a number, as in {source}") from None
        return value

    return rule


def a_frame_or(rule: Rule) -> Rule:
    """Any pandas frame, whose content is checked further down, or what `rule` asks for."""
    return lambda key, value: value if _is_a(value, "DataFrame") else rule(key, value)


def _check_columns(key: str, given: Any, wanted: Sequence[str], source: str) -> None:
    lacking = [name for name in wanted if name not in given]
    if lacking or not given.is_unique:
        expected = f"{source}, with the columns {', '.join(lacking or wanted)}"
        raise refused(key, ", ".join(map(str, given)), f"{expected}, each once")


def _is_a(value: object, kind: str) -> bool:
    """Whether `value` is of that class of pandas; without pandas there is no such object."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, kind))


def is_numeric(column: Any) -> bool:
    """Whether a column holds real numbers."""
    types = sys.modules["pandas"].api.types
    return bool(types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype))
