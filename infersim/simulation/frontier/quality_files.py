"""Read losses of quality from CSV or Parquet; a bad row is an error with file, line, column and value.

Imports pydantic, so `frontier_quality` imports this module only when it reads a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from infersim.domain.errors import FileContentError, InfersimError
from infersim.files.errors import content_error
from infersim.files.locations import data_folder
from infersim.files.reading import Cells, check_spelt, rows_of
from infersim.pruning.families.registry import families, family_named
from infersim.simulation.frontier.quality import QualityPoint, QualityTable, relative_loss_percent
from infersim.simulation.measured.files import canonical_gpu, canonical_model


@cache
def load_quality() -> QualityTable:
    """The curated table of cited facts, `calibration/published_quality.csv`."""
    from infersim.simulation.frontier.quality_files import read_cited_quality

    return read_cited_quality(data_folder("calibration") / "published_quality.csv")


def load_own_quality(path: str | Path) -> QualityTable:
    """A user's own losses, a .csv or .parquet file with the columns of the published table.

    Needed: `family`, `sparsity`, and `quality_loss_percent` or `dense` and `pruned`. Raises FileContentError
    naming file, line, column, value and expectation; InvalidValueError for a path that cannot be read.
    """
    from infersim.simulation.frontier.quality_files import read_own_quality

    return read_own_quality(Path(path))


_ROUNDING_PERCENT = 0.1
"""How far a stated loss may lie from what dense and pruned amount to: all three are usually rounded."""

LARGEST_GAIN = 5.0
"""An accuracy does not rise so many times by pruning: dense and pruned stand on two scales."""

_ADAPTER = TypeAdapter(QualityPoint)
_COLUMNS = frozenset(field.name for field in fields(QualityPoint))


def read_cited_quality(path: Path) -> QualityTable:
    """Published facts: every row bears its own id, source and locator. Raises as `read_own_quality` does."""
    return _table(path, (_checked(where, cells) for where, cells in rows_of(path, "quality")))


def read_own_quality(path: Path) -> QualityTable:
    """A user's losses: what is not stated of the source is the file and the row's place in it."""
    return _table(
        path, (_checked(where, _own(where, path, cells)) for where, cells in rows_of(path, "quality"))
    )


def _table(path: Path, rows: Iterable[QualityPoint]) -> QualityTable:
    table = QualityTable(rows=tuple(rows))
    if not table.rows:
        raise FileContentError(path.name, "rows", 0, "at least one loss of quality")
    return table


def _own(where: str, path: Path, cells: Cells) -> Cells:
    own = {"id": where, "source": path.name, "locator": where, **cells}
    for column, name_of in (("model", canonical_model), ("measured_gpu", canonical_gpu)):
        if isinstance(name := own.get(column), str):
            own[column] = name_of(name.strip())
    for column in ("sparsity", "family"):
        if column not in own:
            raise FileContentError(
                where, column, None, "a value, but the cell is empty or the column missing"
            )
    return own


def _checked(where: str, cells: Cells) -> QualityPoint:
    """The record of one row; FileContentError for the first cell that is not what it must be."""
    stripped = {column: cell.strip() if isinstance(cell, str) else cell for column, cell in cells.items()}
    check_spelt(stripped, _COLUMNS, where)
    implied = _implied_loss(where, stripped)
    if "quality_loss_percent" not in stripped and implied is not None:
        stripped["quality_loss_percent"] = implied
    try:
        row = _ADAPTER.validate_python(stripped)
    except ValidationError as error:
        raise content_error(where, error) from None
    _check_plan(where, row)
    if implied is not None and not math.isclose(
        row.quality_loss_percent, implied, rel_tol=0.01, abs_tol=_ROUNDING_PERCENT
    ):
        expected = f"{implied:.2f}, as dense is {row.dense:g} and pruned {row.pruned:g}"
        raise FileContentError(where, "quality_loss_percent", row.quality_loss_percent, expected)
    return row


def _implied_loss(where: str, cells: Cells) -> float | None:
    """The loss that dense and pruned values amount to, None where they are not both given."""
    given = [cells[column] for column in ("dense", "pruned") if column in cells]
    if len(given) == 1:
        missing = "pruned" if "dense" in cells else "dense"
        raise FileContentError(where, missing, None, "a value: dense and pruned come together")
    if not given:
        return None
    try:
        dense, pruned = (float(str(value)) for value in given)
    except ValueError:
        return None  # told by the check of the cell itself
    if not 0 < dense < math.inf:
        raise FileContentError(where, "dense", cells["dense"], "a positive number")
    words = f"{cells.get('metric', '')} {cells.get('task_type', '')}".lower()
    perplexity = "perplexity" in words
    if not perplexity and pruned > LARGEST_GAIN * dense:
        expected = f"a value on the scale of dense ({dense:g}): a fraction, or percent, for both"
        raise FileContentError(where, "pruned", cells["pruned"], expected)
    return relative_loss_percent(dense, pruned, perplexity=perplexity)


def _check_plan(where: str, row: QualityPoint) -> None:
    """The family is known, and has such a sparsity and such options."""
    known = [family.name for family in families()]
    if row.family not in known:
        raise FileContentError(where, "family", row.family, f"one of {', '.join(known)}")
    family = family_named(row.family)
    if row.sparsity is not None and not family.accepts(row.sparsity):
        raise FileContentError(
            where, "sparsity", row.sparsity, f"{family.fixed_sparsity}, as of all {family.name}"
        )
    try:
        family.check_options(row.plan_options)
    except InfersimError as error:
        raise FileContentError(where, "options", row.options, f"options that exist ({error})") from None
