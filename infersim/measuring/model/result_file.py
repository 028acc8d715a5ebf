"""The file that measured speedups go to: complete after each row, refused where it is of something else.

Every row is written with all before it to a new file, which then takes the file's place: at any moment the
file is whole, and what was measured is in it. Parquet cannot be appended to, and there are few rows.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.opening import opened
from infersim.files.parquet import parquet_table
from infersim.files.writing import UnwritableError, check_place, replacing

Row = Mapping[str, Any]

SETTING = (
    "gpu",
    "device",
    "threads",
    "clock",
    "torch",
    "model",
    "model_id",
    "dtype",
    "execution",
    "cuda_graph",
)
"""Columns that are the same in all rows of a file: rows of anything else are not to be compared."""

KEY = ("plan", "phase", "batch", "context")
"""Columns that tell a row from the others."""


class ResultFile:
    """Rows of one setting; those that an earlier run left are kept, and told by `has`."""

    def __init__(self, path: Path, setting: Row, plan_ids: Mapping[str, str]) -> None:
        """Read what is there; `plan_ids` are the fingerprints of the plans by title.

        Raises InvalidValueError for a path of another kind, and InfersimError for a file of another setting
        or other plans.
        """
        self._path = path
        if path.suffix not in _WRITERS:
            raise InvalidValueError("out", str(path), "a file that ends in .csv or .parquet")
        there = check_place(path, "out")
        self._setting = {name: setting[name] for name in SETTING}
        self._rows: list[Row] = self._read() if there is not None else []
        for row in self._rows:
            self._check(row, plan_ids)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, earlier ones first."""
        return tuple(self._rows)

    def has(self, key: Row) -> bool:
        """Whether there is a row of this plan and scenario."""
        wanted = tuple(_text(key[name]) for name in KEY)
        return any(tuple(_text(row.get(name)) for name in KEY) == wanted for row in self._rows)

    def append(self, row: Row) -> None:
        """Add a row; when this returns, the file holds it. InfersimError where it cannot be written."""
        self._rows.append({**self._setting, **row})
        try:
            with replacing(self._path, "out") as file:
                _WRITERS[self._path.suffix](file, self._rows)
        except UnwritableError as error:
            before = f"the {len(self._rows) - 1} rows before it are in the file"
            raise InfersimError(f"{self._path} cannot be written: {error.reason}; {before}") from error

    def _read(self) -> list[Row]:
        try:
            with opened(self._path, "out") as file:
                rows = _READERS[self._path.suffix](file)
        except (ValueError, csv.Error) as error:
            raise InfersimError(f"{self._path} is no file of measured speedups: {error}") from error
        for column in (*SETTING, *KEY, "plan_id"):
            if rows and column not in rows[0]:
                expected = "a file that measure model has written, or a new one"
                raise InvalidValueError("out", str(self._path), f"{expected}: it has no column {column}")
        return rows

    def _check(self, row: Row, plan_ids: Mapping[str, str]) -> None:
        for name, value in self._setting.items():
            if _text(row[name]) != _text(value):
                self._refuse(name, row[name], value)
        known = plan_ids.get(_text(row["plan"]))
        if known is not None and known != _text(row["plan_id"]):
            self._refuse(f"plan {row['plan']!r}", row["plan_id"], known)

    def _refuse(self, name: str, there: object, here: object) -> None:
        raise InfersimError(
            f"{self._path} holds measurements with {name} = {_text(there)!r}, and this run has "
            f"{_text(here)!r}: they are not to be mixed, so give another --out"
        )


def _text(value: object) -> str:
    """A cell as CSV has it, whatever type another format gave it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _write_csv(file: BinaryIO, rows: list[Row]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file.write(text.getvalue().encode())


def _read_csv(file: BinaryIO) -> list[Row]:
    with TextIOWrapper(file, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, strict=True))


def _write_parquet(file: BinaryIO, rows: list[Row]) -> None:
    import pandas as pd

    pd.DataFrame(list(rows)).to_parquet(file, index=False)


def _read_parquet(file: BinaryIO) -> list[Row]:
    rows: list[Row] = parquet_table(file).to_pylist()
    return rows


_WRITERS: Mapping[str, Callable[[BinaryIO, list[Row]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
_READERS: Mapping[str, Callable[[BinaryIO], list[Row]]] = {".csv": _read_csv, ".parquet": _read_parquet}
