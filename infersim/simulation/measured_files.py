"""Read measured speedups from CSV or Parquet; a bad row is an error that names file, line, column and value.

Imports pydantic, so `published` imports this module only when it reads a file.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.profile_files.names import shipped_file
from infersim.profile_files.validation import content_error
from infersim.pruning.registry import families
from infersim.simulation.measured import OTHER, MeasuredSpeedup, MeasuredTable, Scope, Timed, Unit
from infersim.workload.presets import list_models, model_aliases

Cells = Mapping[str, object]
"""The cells of one row that hold something, by column."""

_ROUNDING = 0.01
"""How far a stated speedup may lie from dense / pruned: both sides are usually rounded."""

_NEEDED = {
    Timed.PREFILL: ("model", "sparsity", "batch", "context"),
    Timed.DECODE: ("model", "sparsity", "batch", "context"),
    Timed.REQUEST: ("model", "sparsity", "batch", "context", "output_len"),
    Timed.GEMM: ("sparsity", "m", "n", "k"),
}

_ADAPTER = TypeAdapter(MeasuredSpeedup)


def read_cited(path: Path) -> MeasuredTable:
    """Published facts: every row must bear its own id, source and locator. Raises as `read_own` does."""
    return _table(path, (_checked(where, cells) for where, cells in _rows(path)))


def read_own(path: Path) -> MeasuredTable:
    """A user's measurements: what is not stated of the source is the file and the row's place in it.

    `dense_ms` and `pruned_ms` may stand for `dense`, `pruned` and `unit`. Raises FileContentError for a bad
    row or damaged content, InvalidValueError for a path that cannot be read.
    """
    return _table(path, (_checked(where, _own(where, path, cells)) for where, cells in _rows(path)))


def _table(path: Path, rows: Iterable[MeasuredSpeedup]) -> MeasuredTable:
    table = MeasuredTable.of(rows)
    if not table.rows:
        raise FileContentError(path.name, "rows", 0, "at least one measured speedup")
    return table


def _own(where: str, path: Path, cells: Cells) -> Cells:
    """A user's row as a cited one, with infersim's names for the GPU and the model where it has any."""
    own = {"id": where, "source": path.name, "locator": where, **cells}
    for column, name_of in (("gpu", _gpu_name), ("model", _model_name)):
        if isinstance(name := own.get(column), str):
            own[column] = name_of(name.strip())
    for column in ("dense", "pruned"):
        if (milliseconds := own.pop(f"{column}_ms", None)) is not None:
            own |= {column: milliseconds, "unit": Unit.MILLISECONDS}
    return own


@cache
def _gpu_name(name: str) -> str:
    """The canonical name of a GPU that infersim knows; any other is the user's own profile and stays."""
    try:
        return shipped_file(name).stem
    except UnknownNameError:
        return name


@cache
def _model_name(name: str) -> str:
    """The preset that a name or alias stands for; any other is the user's own model and stays."""
    for preset in list_models():
        if name.lower() in (spelling.lower() for spelling in (preset, *model_aliases(preset))):
            return preset
    return name


def _rows(path: Path) -> Iterator[tuple[str, Cells]]:
    """Each row with its place in the file ("file.csv, line 3") and its cells without the empty ones."""
    if not path.is_file():
        raise InvalidValueError("measured", str(path), "an existing file")
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    try:
        reader = readers[path.suffix.lower()]
    except KeyError:
        raise InvalidValueError("measured", str(path), "a file that ends in .csv or .parquet") from None
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


def _checked(where: str, cells: Cells) -> MeasuredSpeedup:
    """The record of one row; FileContentError for the first cell that is not what it must be."""
    stripped = {column: cell.strip() if isinstance(cell, str) else cell for column, cell in cells.items()}
    try:
        row = _ADAPTER.validate_python(stripped)
    except ValidationError as error:
        raise content_error(where, error) from None
    known = (*(family.name for family in families()), OTHER)
    if row.family not in known:
        raise FileContentError(where, "family", row.family, f"one of {', '.join(known)}")
    _check_scenario(where, row)
    _check_speedup(where, row)
    return row


def _check_scenario(where: str, row: MeasuredSpeedup) -> None:
    """A row that claims one known scenario states it."""
    if row.scope in (Scope.MEAN, Scope.PARTIAL):
        return
    for column in _NEEDED.get(row.phase, ()):
        if getattr(row, column) is None:
            expected = f"a value, as scope is {row.scope} and phase is {row.phase}"
            raise FileContentError(where, column, None, expected)


def _check_speedup(where: str, row: MeasuredSpeedup) -> None:
    """Where dense and pruned figures are given, the speedup is theirs."""
    if row.dense is None or row.pruned is None:
        return
    if row.unit is Unit.RATIO:
        raise FileContentError(where, "unit", None, "the unit of dense and pruned")
    implied = row.unit.speedup(row.dense, row.pruned)
    if not math.isclose(row.measured_speedup, implied, rel_tol=_ROUNDING, abs_tol=_ROUNDING / 2):
        expected = f"{implied:.3f}, as dense is {row.dense:g} and pruned {row.pruned:g} {row.unit}"
        raise FileContentError(where, "measured_speedup", row.measured_speedup, expected)
