"""Tables wider than the terminal: their columns in blocks below each other, so that no number is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from infersim.report.table import Column, Table

GAP = 2
"""Blanks that a column takes beside its cells."""


def in_blocks(table: Table, width: int) -> Iterator[Table]:
    """`table` itself if it fits in `width`, else tables of as many columns as fit, at least one.

    Each is led by the columns of words that the table begins with; the last has the caption.
    """
    rows = table.rows()
    widths = [_width(column, [row[place] for row in rows]) for place, column in enumerate(table.columns)]
    leading = len(list(takewhile(lambda column: not column.numeric, table.columns)))
    title, start, used = table.title, leading, sum(widths[:leading])
    for place in range(leading, len(widths)):
        if used + widths[place] > width and place > start:
            yield replace(table, columns=_block(table, leading, start, place), title=title, caption="")
            title, start, used = f"{table.title} (continued)", place, sum(widths[:leading])
        used += widths[place]
    yield replace(table, columns=_block(table, leading, start, len(widths)), title=title)


def _block(table: Table, leading: int, start: int, stop: int) -> tuple[Column, ...]:
    return table.columns[:leading] + table.columns[start:stop]


def _width(column: Column, cells: list[str]) -> int:
    """Of the longest line of heading or cells, with the gap."""
    return max(map(len, (*column.heading.split("\n"), *cells))) + GAP
