"""A table as lines of text: one head, sections under their labels, and as many rows as there is room for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from infersim.report.core.characters import kept_together, printable
from infersim.report.core.table import Section, Table

GAP = 2
"""Blanks between columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Lines, and how many rows and columns of the table are not among them."""

    lines: tuple[str, ...]
    rows_left: int
    columns_left: int


def grid_of(
    table: Table, width: int, room: int, *, one_line: bool, left_out: int = 0, abreast: int = 1
) -> Grid:
    """`table` in `room` lines; rows stand `abreast` in so many stacks, each `width` columns wide."""
    sections = [
        Section(label=plain(each.label), rows=tuple(tuple(map(plain, row)) for row in each.rows))
        for each in table.sections()
    ]
    heads = [column.head(one_line).split("\n") for column in table.columns]
    tall = max(map(len, heads))
    heads = [[""] * (tall - len(head)) + head for head in heads]
    kept = _kept(sections, (room - tall - 1) * abreast)
    cells = [row for section in kept for row in section.rows]
    widths = [width_of([*head, *(row[place] for row in cells)]) for place, head in enumerate(heads)]
    widths = _narrowed(widths, table, width)

    def drawn(row: Sequence[str]) -> str:
        return (
            (" " * GAP)
            .join(
                _aligned(cell, size, column.numeric)
                for cell, size, column in zip(row, widths, table.columns, strict=True)
            )
            .rstrip()
        )

    head = [drawn(row) for row in zip(*heads, strict=True)]
    across = sum(widths) + GAP * (len(widths) - 1)
    body = []
    for section in kept:
        body += [clipped(section.label, width)] if section.label else []
        body += [drawn(row) for row in section.rows]
    lines = _abreast([*head, "─" * across], body, abreast, across)
    everything = sum(len(section.rows) for section in sections)
    return Grid(lines=tuple(lines), rows_left=everything - len(cells), columns_left=left_out)


def _abreast(head: list[str], body: list[str], stacks: int, across: int) -> list[str]:
    """Rows in stacks beside each other, each under its own head."""
    if stacks == 1:
        return [*head, *body]
    tall = -(-len(body) // stacks)
    columns = [[*head, *body[start : start + tall]] for start in range(0, len(body), tall)]
    return [
        (" " * 2 * GAP).join(line + " " * (across - width_of([line])) for line in lines).rstrip()
        for lines in zip_longest(*columns, fillvalue="")
    ]


def _kept(sections: Sequence[Section], room: int) -> list[Section]:
    """The first rows of every section, as many of each as there is room for; else the first sections."""
    labels = sum(1 for section in sections if section.label)
    most = max((len(section.rows) for section in sections), default=0)
    for count in range(most, 0, -1):
        if labels + sum(min(count, len(section.rows)) for section in sections) <= room:
            return _filled(sections, count, room - labels)
    kept: list[Section] = []
    for section in sections:
        room -= 1 + bool(section.label)
        if room < 0:
            break
        kept.append(Section(label=section.label, rows=section.rows[:1]))
    return kept


def _filled(sections: Sequence[Section], count: int, room: int) -> list[Section]:
    """`count` rows of each section, the lines that are left over to the first ones."""
    spare = room - sum(min(count, len(section.rows)) for section in sections)
    kept = []
    for section in sections:
        own = min(len(section.rows), count + max(0, spare))
        spare -= own - min(count, len(section.rows))
        kept.append(Section(label=section.label, rows=section.rows[:own]))
    return kept


def _narrowed(widths: list[int], table: Table, width: int) -> list[int]:
    """Columns of words give up what is too much, the widest first."""
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    words = [place for place, column in enumerate(table.columns) if not column.numeric]
    while excess > 0 and words:
        widest = max(words, key=lambda place: widths[place])
        if widths[widest] <= 1:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _aligned(cell: str, size: int, numeric: bool) -> str:
    text = clipped(cell, size)
    blanks = " " * (size - width_of([text]))
    return blanks + text if numeric else text + blanks


def clipped(text: str, width: int) -> str:
    """`text`, its end cut where it is longer than `width`."""
    if width_of([text]) <= width:
        return text
    while text and width_of([text]) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def plain(text: str) -> str:
    """One line without control characters; a number and its percent sign stay together."""
    return kept_together(printable(text).replace("\n", "\ufffd"))


def width_of(texts: Sequence[str]) -> int:
    """Columns of the widest text on a terminal; wide characters take two."""
    return max((sum(map(_cells, text)) for text in texts), default=0)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
