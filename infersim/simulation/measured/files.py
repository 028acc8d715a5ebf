"""Measured speedups in files: those that travel with infersim, and a user's own in the same form.

CSV or Parquet; a bad row is an error that names file, line, column and value. `calibration/README.md` says
what each column means; matching lives in `table`, results of a benchmark in `benchmark_results`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from infersim.domain.errors import FileContentError, UnknownNameError
from infersim.files.errors import content_error
from infersim.files.locations import data_folder
from infersim.files.reading import Cells, check_spelt, rows_of
from infersim.profile_files.names import shipped_file
from infersim.pruning.families.registry import families
from infersim.simulation.measured.table import (
    OTHER,
    MeasuredSpeedup,
    MeasuredTable,
    Scope,
    Timed,
    Unit,
    match_measured,
)
from infersim.workload.presets import list_models, model_aliases

__all__ = ["MeasuredSpeedup", "MeasuredTable", "Scope", "load_measured", "load_published", "match_measured"]


@cache
def load_published() -> MeasuredTable:
    """The curated table of cited facts, `calibration/published_speedups.csv`."""
    from infersim.simulation.measured.files import read_cited

    return read_cited(data_folder("calibration") / "published_speedups.csv")


def load_measured(path: str | Path, *, gpu: str | None = None) -> MeasuredTable:
    """A user's own speedups, a .csv or .parquet file with the columns of the published table.

    Or the result folder of a PruningInferSim benchmark (`metric_results`, or one of its .txt files), whose
    files do not say the GPU: it is `gpu`.

    Needed: `gpu model family sparsity phase batch context measured_speedup` (and `output_len` for requests);
    `dense_ms` and `pruned_ms`, where given, must amount to the speedup. Raises FileContentError naming file,
    line, column, value and expectation; InvalidValueError for a path that cannot be read.
    """
    from infersim.simulation.measured.benchmark_results import is_results, read_results
    from infersim.simulation.measured.files import read_own

    path = Path(path)
    return (
        read_results(path, None if gpu is None else canonical_gpu(gpu))
        if is_results(path)
        else read_own(path)
    )


_ROUNDING = 0.01
"""How far a stated speedup may lie from dense / pruned: both sides are usually rounded."""

_NEEDED = {
    Timed.PREFILL: ("model", "sparsity", "batch", "context"),
    Timed.DECODE: ("model", "sparsity", "batch", "context"),
    Timed.REQUEST: ("model", "sparsity", "batch", "context", "output_len"),
    Timed.GEMM: ("sparsity", "m", "n", "k"),
}

OK = "ok"
"""Status of a row that was measured; rows without a status were."""

_ADAPTER = TypeAdapter(MeasuredSpeedup)
_COLUMNS = frozenset(field.name for field in fields(MeasuredSpeedup))


def read_cited(path: Path) -> MeasuredTable:
    """Published facts: every row must bear its own id, source and locator. Raises as `read_own` does."""
    return _table(path, (_checked(where, cells) for where, cells in rows_of(path, "measured")))


def read_own(path: Path) -> MeasuredTable:
    """A user's measurements: what is not stated of the source is the file and the row's place in it.

    `dense_ms` and `pruned_ms` may stand for `dense`, `pruned` and `unit`. Rows whose `status` is another than
    `ok` tell why there is no speedup, and become the table's failures. Raises FileContentError for a bad row
    or damaged content, InvalidValueError for a path that cannot be read.
    """
    rows = list(rows_of(path, "measured"))
    measured = [(where, cells) for where, cells in rows if _status(cells) == OK]
    failures = [
        f"{cells.get('plan', where)}: {_status(cells)}" for where, cells in rows if _status(cells) != OK
    ]
    checked = (_checked(where, _own(where, path, cells)) for where, cells in measured)
    return _table(path, checked, failures)


def _status(cells: Cells) -> str:
    return str(cells.get("status", OK)).strip()


def _table(path: Path, rows: Iterable[MeasuredSpeedup], failures: Iterable[str] = ()) -> MeasuredTable:
    table = MeasuredTable.of(rows, dict.fromkeys(failures))
    if not table.rows and not table.failures:
        raise FileContentError(path.name, "rows", 0, "at least one measured speedup")
    return table


def _own(where: str, path: Path, cells: Cells) -> Cells:
    """A user's row as a cited one, with infersim's names for the GPU and the model where it has any."""
    own = {"id": where, "source": path.name, "locator": where, **cells}
    for column, name_of in (("gpu", canonical_gpu), ("model", canonical_model)):
        if isinstance(name := own.get(column), str):
            own[column] = name_of(name.strip())
    for column in ("dense", "pruned"):
        if (milliseconds := own.pop(f"{column}_ms", None)) is not None:
            own |= {column: milliseconds, "unit": Unit.MILLISECONDS}
    return own


@cache
def canonical_gpu(name: str) -> str:
    """The canonical name of a GPU that infersim knows; any other is the user's own profile and stays."""
    try:
        return shipped_file(name).stem
    except UnknownNameError:
        return name


@cache
def canonical_model(name: str) -> str:
    """The preset that a name or alias stands for; any other is the user's own model and stays."""
    for preset in list_models():
        if name.lower() in (spelling.lower() for spelling in (preset, *model_aliases(preset))):
            return preset
    return name


def _checked(where: str, cells: Cells) -> MeasuredSpeedup:
    """The record of one row; FileContentError for the first cell that is not what it must be."""
    stripped = {column: cell.strip() if isinstance(cell, str) else cell for column, cell in cells.items()}
    check_spelt(stripped, _COLUMNS, where)
    try:
        row = _ADAPTER.validate_python(stripped)
    except ValidationError as error:
        raise content_error(where, error) from None
    known = (*(family.name for family in families()), OTHER)
    if not set(row.family.split(" + ")) <= set(known):
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
