"""Cells that an importer calculates with, checked before it does; rows with others are set aside by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from infersim.fitting.importers.source import SourceFile
from infersim.fitting.samples.account import BadRow
from infersim.fitting.samples.schema import Mask, Rule, read_cells, shown_cell


def with_sound_cells(
    file: SourceFile, numbers: Sequence[str], truths: Sequence[str]
) -> tuple[SourceFile, tuple[BadRow, ...]]:
    """The file without the rows whose cells in these columns are no numbers (or empty), or no truths.

    Columns that are named are of numbers and of truths then; the index still counts the file's rows.
    """
    frame = file.frame
    bad = np.zeros(len(frame), dtype=np.bool_)
    rows: list[BadRow] = []
    typed: dict[Any, Any] = {}
    for name, rule in _ruled(frame, numbers, truths):
        if not frame.columns.is_unique:
            raise file.refuse("each column once")
        values, broken = _read(frame[name], rule)
        rows += [_bad_row(file, int(place), str(name), rule) for place in np.flatnonzero(broken & ~bad)]
        bad |= broken
        typed[name] = values
    if not typed:
        return file, ()
    truth = {name: "bool" for name in typed if name in truths}  # objects, until the others are gone
    return replace(file, frame=frame.assign(**typed)[~bad].astype(truth)), tuple(rows)


def _ruled(frame: pd.DataFrame, numbers: Sequence[str], truths: Sequence[str]) -> Iterator[tuple[str, Rule]]:
    for name in frame.columns:
        if any(fnmatchcase(str(name), pattern) for pattern in numbers):
            yield name, Rule.NUMBER
        elif name in truths:
            yield name, Rule.TRUTH


def _read(column: pd.Series[Any], rule: Rule) -> tuple[Any, Mask]:
    """Values in their type, and which cells have none."""
    types = pd.api.types
    if rule is Rule.TRUTH and types.is_bool_dtype(column.dtype):
        return column, np.zeros(len(column), dtype=np.bool_)
    cells = read_cells(column, rule)
    return cells.values, cells.broken | (cells.empty if rule is Rule.TRUTH else False)


def _bad_row(file: SourceFile, place: int, column: str, rule: Rule) -> BadRow:
    value = file.frame[column].iloc[place]
    shown = shown_cell(value)
    line = int(file.frame.index[place]) + file.first_line
    return BadRow(file=str(file.path), line=line, column=column, value=shown, expected=rule)
