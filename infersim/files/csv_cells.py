"""Cells of CSV that people open in a spreadsheet: a text that it would run as a formula becomes one."""

from __future__ import annotations

from collections.abc import Iterable

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula."""

QUOTE = "'"
"""Before a text, it says to spreadsheets that it is one."""


def harmless(cell: object) -> object:
    """A text that begins like a formula with a quote before it; all else, numbers above all, as it is."""
    return QUOTE + cell if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def harmless_row(cells: Iterable[object]) -> list[object]:
    """Each of them harmless."""
    return [harmless(cell) for cell in cells]
