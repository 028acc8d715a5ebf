"""Rounding to whole layers and heads, and to the multiples that tensor cores like."""

from __future__ import annotations

from math import floor


def round_half_up(value: float) -> int:
    """The nearest integer, halves upwards (Python's `round` sends 2.5 to 2, which no reader expects)."""
    return floor(value + 0.5)


def nearest_multiple(value: float, align: int) -> int:
    """The multiple of `align` nearest to `value`, and at least `align`."""
    return max(align, align * round_half_up(value / align))
