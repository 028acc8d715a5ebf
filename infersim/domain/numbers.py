"""Rules for numbers that users give: dimensions, counts and fractions; see `domain.arguments`."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from infersim.domain.arguments import Rule, refused
from infersim.domain.arrays import Array


def whole(high: int) -> Rule:
    """A dimension: an integer from 1 to `high`, or an array of them, as a float64 array."""
    return lambda key, value: whole_numbers(key, value, high)


def count(high: int, *, low: int = 1) -> Rule:
    """One integer from `low` to `high`, of Python's or numpy's type."""
    expected = f"an integer from {low} to {high}"

    def rule(key: str, value: Any) -> int:
        if isinstance(value, int | np.integer) and not isinstance(value, bool) and low <= value <= high:
            return int(value)
        raise refused(key, value, expected)

    return rule


def number(expected: str, *, above: float = -math.inf, high: float = math.inf) -> Rule:
    """A finite number above `above` and up to `high`, as a float; told as `expected`."""

    def rule(key: str, value: Any) -> float:
        if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            found = _as_float(value)
            if math.isfinite(found) and above < found <= high:
                return found
        raise refused(key, value, expected)

    return rule


a_number = number("a finite number")


def whole_numbers(key: str, value: object, high: int) -> Array:
    """`value` as an array of float64; InvalidValueError, showing the first bad entry, for others.

    A float that is whole (8.0) counts as an integer; true, text, NaN and masked entries do not.
    """
    if type(value) is int and 1 <= value <= high:  # most calls: numpy takes ten times as long
        return np.array(value, dtype=np.float64)
    expected = f"an integer from 1 to {high}"
    array = _as_numbers(key, value, expected)
    if array.size == 0:
        raise refused(key, value, "at least one value")
    if array.dtype.kind == "f" or array.min() < 1 or array.max() > high:
        numbers = array.astype(np.float64).ravel()
        good = (numbers >= 1) & (numbers <= high) & (numbers == np.floor(numbers))
        if not good.all():
            raise refused(key, array.ravel()[~good][0].item(), expected)
    return array.astype(np.float64, copy=False)


def _as_numbers(key: str, value: object, expected: str) -> npt.NDArray[Any]:
    """An array of integers or floats, of whatever width."""
    if _masked(value):
        raise refused(key, value, f"{expected}, and no masked array")
    try:
        array = np.asarray(value)
    except Exception:  # lists of unequal lengths, tensors of types that numpy lacks: each has its own word
        raise refused(key, value, f"{expected}, or an array of them") from None
    if array.dtype.kind not in "iuf":
        raise refused(key, value, expected)
    return array


def _masked(value: object) -> bool:
    """Whether it is a masked array: numpy loads that room of its own only where one was made."""
    room = sys.modules.get("numpy.ma")
    return room is not None and isinstance(value, room.MaskedArray)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond any float
        return math.inf
