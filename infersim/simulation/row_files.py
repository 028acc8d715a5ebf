"""Rows of tables that people write: CSV or Parquet, each with its place in the file and no empty cells."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError

Cells = Mapping[str, object]
"""The cells of one row that hold something, by column."""


def rows_of(path: Path, key: str) -> Iterator[tuple[str, Cells]]:
    """Each row with its place in the file ("file.csv, line 3") and its cells without the empty ones.

    `key` is what the user calls the file. Raises InvalidValueError for a path that is no CSV or Parquet file,
    FileContentError for damaged content.
    """
    if not path.is_file():
        raise InvalidValueError(key, str(path), "an existing file")
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    try:
        reader = readers[path.suffix.lower()]
    except KeyError:
        raise InvalidValueError(key, str(path), "a file that ends in .csv or .parquet") from None
    for where, cells in reader(path):
        yield where, {column: cell for column, cell in cells.items() if not _empty(cell)}


def _csv_rows(path: Path) -> Iterator[tuple[str, Cells]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True, skipinitialspace=True)
            for cells in reader:
                where = f"{path.name}, line {reader.line_num}"
                if None in cells:  # where DictReader puts what the header has no name for
                    surplus = cells[None]
                    raise FileContentError(where, "surplus cells", surplus, "as many as the header names")
                yield where, {column.strip(): cell for column, cell in cells.items()}
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileContentError(path.name, "content", str(error), "CSV text in UTF-8") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Cells]]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import read_table

    try:
        table = read_table(path)
    except ArrowInvalid as error:
        raise FileContentError(path.name, "content", str(error), "a Parquet table") from error
    for number, cells in enumerate(table.to_pylist(), start=1):
        yield f"{path.name}, row {number}", cells


def _empty(cell: object) -> bool:
    missing_number = isinstance(cell, float) and math.isnan(cell)
    return cell is None or missing_number or (isinstance(cell, str) and not cell.strip())
