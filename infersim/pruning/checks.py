"""Checks of sparsities and options; each raises InvalidValueError that names key, value and expectation."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

from infersim.domain.errors import InvalidValueError


def check_sparsity(value: object) -> float:
    """Return `value` as a float in [0, 1); NaN and percentages are refused."""
    if isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < 1:
        return float(value)
    raise InvalidValueError("sparsity", value, "a fraction from 0 up to, but not including, 1 (25 % is 0.25)")


def check_choice(key: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a value that is not one of `choices`."""
    if value not in choices:
        raise InvalidValueError(key, value, f"one of {', '.join(choices)}")


def check_integer(key: str, value: object, *, low: int, high: int | None = None) -> None:
    """Refuse a value that is not an integer from `low` to `high` (None: without upper end)."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= low
    if not fits or (high is not None and isinstance(value, int) and value > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InvalidValueError(key, value, f"an integer {span}")


def check_flag(key: str, value: object) -> None:
    """Refuse a value that is not true or false."""
    if not isinstance(value, bool):
        raise InvalidValueError(key, value, "true or false")
