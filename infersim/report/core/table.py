"""A table that people read: a frame of exact numbers and how each cell of it is written.

Renderers (terminal, page) take headings and cells; data for machines takes the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: `text` writes a cell from the values of `keys` in its row; `numeric` ones align right.

    A line break in the heading says where it may be broken. Where not all columns fit on one screen, those
    of the most `detail` are left out first.
    """

    heading: str
    keys: tuple[str, ...]
    text: Callable[..., str] = str
    numeric: bool = True
    detail: int = 0

    def head(self, one_line: bool) -> str:
        """The heading, in one line if it is to be."""
        return self.heading.replace("\n", " ") if one_line else self.heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Consecutive rows under one label (empty: the table is not divided)."""

    label: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """`frame` with `columns` to show; `labels`, one for each row, divide it into sections."""

    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    labels: tuple[str, ...] = ()
    caption: str = ""

    def rows(self) -> list[tuple[str, ...]]:
        """The cells as text, row by row."""
        cells = [map(column.text, *(self.frame[key] for key in column.keys)) for column in self.columns]
        return list(zip(*cells, strict=True))

    def sections(self) -> Iterator[Section]:
        """The rows, those under the same label together."""
        rows = self.rows()
        labels = self.labels or ("",) * len(rows)
        for label, members in groupby(zip(labels, rows, strict=True), key=lambda member: member[0]):
            yield Section(label=label, rows=tuple(row for _, row in members))


def number_column(heading: str, key: str, text: Callable[[float], str], detail: int = 0) -> Column:
    """A column of numbers, each written by `text`."""
    return Column(heading=heading, keys=(key,), text=text, detail=detail)


def text_column(heading: str, key: str, detail: int = 0) -> Column:
    """A column of words as they are."""
    return Column(heading=heading, keys=(key,), numeric=False, detail=detail)


def without_constant(columns: Sequence[tuple[str, Column]], frame: pd.DataFrame) -> tuple[Column, ...]:
    """The columns whose key varies over the rows of `frame`; what is the same everywhere is told once."""
    return tuple(column for key, column in columns if frame[key].nunique(dropna=False) > 1)
