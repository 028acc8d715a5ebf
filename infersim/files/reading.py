"""Reading files that people write: TOML tables, and rows of CSV or Parquet with their place in the file.

What tables must say is checked by who reads them; errors name file, key, value and expectation.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.bounds import check_bounds, check_toml, too_deep
from infersim.files.errors import schema_error
from infersim.files.opening import TOML_LIMIT, opened, opened_text, read_text
from infersim.files.parquet import parquet_table
from infersim.files.tables import Table

_NEAR = 0.85
"""How like a known column (difflib's ratio) a slip of it is."""

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
    for where, cells in reader(path, key):
        yield where, {column: cell for column, cell in cells.items() if not _empty(cell)}


def _csv_rows(path: Path, key: str) -> Iterator[tuple[str, Cells]]:
    try:
        with opened_text(path, key, newline="") as file:
            reader = csv.DictReader(file, strict=True, skipinitialspace=True)
            check_columns([column.strip() for column in reader.fieldnames or ()], path.name)
            for cells in reader:
                where = f"{path.name}, line {reader.line_num}"
                if None in cells:  # where DictReader puts what the header has no name for
                    surplus = cells[None]
                    raise FileContentError(where, "surplus cells", surplus, "as many as the header names")
                yield where, {column.strip(): cell for column, cell in cells.items()}
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileContentError(path.name, "content", str(error), "CSV text in UTF-8") from error


def _parquet_rows(path: Path, key: str) -> Iterator[tuple[str, Cells]]:
    from pyarrow import ArrowException

    try:
        with opened(path, key) as file:
            table = parquet_table(file)
            check_columns(table.column_names, path.name)
            rows = table.to_pylist()  # text that is no UTF-8 comes to light here
    except (ArrowException, ValueError) as error:
        raise FileContentError(path.name, "content", str(error), "a Parquet table") from error
    for number, cells in enumerate(rows, start=1):
        yield f"{path.name}, row {number}", cells


def check_columns(names: Sequence[str], file: object) -> None:
    """Raise FileContentError for a column that is named twice: one of the two would be passed over."""
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            raise FileContentError(file, f"column {place + 1}", name, "each column once")
        if name:
            seen.add(name)


def check_spelt(cells: Cells, known: Iterable[str], where: object) -> None:
    """Raise FileContentError for a column that is spelt nearly as a `known` one that is not there.

    Other columns are the user's own, and no business of ours.
    """
    for slip, meant in _slips(frozenset(cells), frozenset(known)):
        raise FileContentError(
            where, f"column {slip}", cells[slip], f"{meant}, or a name that is less like it"
        )


@cache
def _slips(columns: frozenset[str], known: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Unknown columns with the known one that each is near, where that is not there."""
    from difflib import get_close_matches

    near = ((name, get_close_matches(name, known - columns, 1, _NEAR)) for name in sorted(columns - known))
    return tuple((name, found[0]) for name, found in near if found)


def _empty(cell: object) -> bool:
    missing_number = isinstance(cell, float) and math.isnan(cell)
    return cell is None or missing_number or (isinstance(cell, str) and not cell.strip())


def read_toml(path: Path, name: object = None) -> dict[str, Any]:
    """The tables of `path`; FileContentError, which calls it `name`, where it is no text or no TOML."""
    return parse_toml(read_text(path, "file", TOML_LIMIT, name), path if name is None else name)


def parse_toml(text: str, named: object) -> dict[str, Any]:
    """`text` as tables; FileContentError, which calls it `named`, where it is no TOML of few levels."""
    check_toml(text, named)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise too_deep(named) from None
    except ValueError as error:  # TOML's own, and Python's word for integers of thousands of digits
        raise FileContentError(named, "the file", "damaged", f"valid TOML: {error}") from None
    check_bounds(tables, named)
    return tables


TableT = TypeVar("TableT", bound=Table)


def tables_from_file(file: Path, key: str, root: type[TableT], nested: Mapping[str, type[Table]]) -> TableT:
    """The whole `file` as `root`; `key` is what the user calls it, `nested` as in `schema_error`.

    Raises InvalidValueError where there is no such file, FileContentError for what it must not hold.
    """
    if not file.is_file():
        raise InvalidValueError(key, str(file), "an existing TOML file")
    return checked_tables(read_toml(file), file, root, nested)


def checked_tables(
    content: Mapping[str, object], file: object, root: type[TableT], nested: Mapping[str, type[Table]]
) -> TableT:
    """`content`, which errors call `file`, as `root`; raises FileContentError."""
    try:
        return root.model_validate(content)
    except ValidationError as error:
        raise schema_error(file, error, root, nested) from None
