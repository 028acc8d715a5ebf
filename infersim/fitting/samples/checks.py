"""Row by row: is it a sample? Vectorised checks that name the first broken value of each row.

What a column must hold is in `sample_schema`; here it is applied, with the rules between columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.experts.routing_names import ROUTINGS, routing_named
from infersim.domain.errors import FileContentError
from infersim.domain.shapes import Phase
from infersim.fitting.samples.schema import (
    COLUMNS,
    DTYPES,
    EXCHANGES,
    LIBRARIES,
    PHASES,
    SPARSITIES,
    Cells,
    Column,
    Kind,
    Mask,
    Timed,
    read_cells,
    required_columns,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """A table with every known column in its final type.

    `culprit` holds for each row the index into `complaints` of its first broken rule, -1 for a good row; a
    complaint is (column, expectation).
    """

    frame: pd.DataFrame
    culprit: npt.NDArray[np.int64]
    complaints: tuple[tuple[str, str], ...]

    @property
    def bad(self) -> Mask:
        """Which rows are no samples."""
        return self.culprit >= 0


class _Complaints:
    """Collects complaints; each row keeps its first."""

    def __init__(self, rows: int) -> None:
        self.culprit = np.full(rows, -1, dtype=np.int64)
        self.texts: list[tuple[str, str]] = []

    def about(self, column: str, broken: Mask, expected: str) -> None:
        """Record that `column` should have been `expected` in the rows of `broken`."""
        fresh = broken & (self.culprit < 0)
        if fresh.any():
            self.culprit[fresh] = len(self.texts)
            self.texts.append((column, expected))


def check_names(file: str, frame: pd.DataFrame, own: Sequence[str]) -> None:
    """FileContentError if a column stands there twice; `own` are the file's spellings."""
    if not frame.columns.is_unique:
        raise FileContentError(file, "columns", ", ".join(own), "each column once, in whatever case")


def check_columns(file: str, frame: pd.DataFrame, own: Sequence[str]) -> None:
    """FileContentError if a column is missing that the kinds in `frame` need; `own` are the file's."""
    kinds = set(frame["kind"].dropna().astype(str).str.strip()) if "kind" in frame.columns else set()
    for kind in [kind for kind in Kind if kind in kinds]:
        lacking = [name for name in required_columns(kind) if name not in frame.columns]
        if lacking:
            raise _missing(file, own, lacking, f"kind {kind}")
    lacking = [name for name in ("gpu", "kind", "latency_us") if name not in frame.columns]
    if lacking:
        raise _missing(file, own, lacking, "every kind")


def _missing(file: str, own: Sequence[str], names: list[str], needed_by: str) -> FileContentError:
    defaults = " ".join(f"{name}=..." for name in names)
    expected = (
        f"also {', '.join(names)} for {needed_by} (defaults can say what the file does not: {defaults})"
    )
    return FileContentError(file, "columns", ", ".join(own), expected)


def check_rows(frame: pd.DataFrame) -> Checked:
    """Check every row of a table that has passed `check_columns`."""
    complaints = _Complaints(len(frame))
    cells = {
        column.name: read_cells(frame[column.name], column.rule)
        for column in COLUMNS
        if column.name in frame.columns
    }
    kind = cells["kind"].values
    complaints.about("kind", ~_among(kind, tuple(Kind)), f"one of {', '.join(Kind)}")
    for column in COLUMNS:
        if column.name in cells:
            cells[column.name] = _needed(cells[column.name], column, kind)
            _check_column(complaints, column, cells[column.name], kind)
    _check_words(complaints, cells, kind)
    _check_attention(complaints, cells, kind == Kind.ATTENTION)
    _check_collective(complaints, cells, kind == Kind.COLLECTIVE)
    _check_experts(complaints, cells, kind == Kind.MOE)
    if {"read_bytes", "write_bytes"} <= cells.keys():
        moves = (cells["read_bytes"].values > 0) | (cells["write_bytes"].values > 0)
        expected = "more than 0 bytes read or written"
        complaints.about("read_bytes", (kind == Kind.MEMORY) & ~moves, expected)
    typed = frame.assign(**{name: cell.values for name, cell in cells.items()})
    return Checked(frame=typed, culprit=complaints.culprit, complaints=tuple(complaints.texts))


def _needed(cell: Cells, column: Column, kind: npt.NDArray[Any]) -> Cells:
    """Cells of kinds that the column says nothing about are empty where they cannot be read."""
    idle = cell.broken & ~np.isin(kind.astype(str), (*column.kinds, *column.may))
    if not idle.any():
        return cell
    values = cell.values.copy()
    values[idle] = np.nan if values.dtype.kind == "f" else None
    return Cells(values=values, empty=cell.empty | idle, broken=cell.broken & ~idle)


def _check_column(complaints: _Complaints, column: Column, cell: Cells, kind: npt.NDArray[Any]) -> None:
    required = np.isin(kind.astype(str), column.kinds)
    complaints.about(column.name, required & (cell.empty | cell.broken), column.rule)
    complaints.about(column.name, cell.broken, f"{column.rule}, or empty")


def _check_words(complaints: _Complaints, cells: dict[str, Cells], kind: npt.NDArray[Any]) -> None:
    """Names that must be among the known ones: data types, phases, sparsities."""
    for of_kind, known in DTYPES.items():
        rows = kind == of_kind
        if rows.any():
            expected = f"one of {', '.join(known)}"
            complaints.about("dtype", rows & ~_among(cells["dtype"].values, known), expected)
    if "kv_dtype" in cells:
        known = DTYPES[Kind.ATTENTION]
        unknown = (
            (kind == Kind.ATTENTION) & ~cells["kv_dtype"].empty & ~_among(cells["kv_dtype"].values, known)
        )
        complaints.about("kv_dtype", unknown, f"one of {', '.join(known)}, or empty")
    if "timed" in cells:
        unknown = ~cells["timed"].empty & ~_among(cells["timed"].values, tuple(Timed))
        complaints.about("timed", unknown, f"one of {', '.join(Timed)}, or empty")
    if "sparsity" in cells:
        value = cells["sparsity"]
        unknown = (kind == Kind.SPARSE_GEMM) & ~_among(value.values, SPARSITIES)
        complaints.about("sparsity", unknown, f"one of {', '.join(SPARSITIES)}")
        dense = (kind == Kind.GEMM) & ~value.empty
        complaints.about("sparsity", dense, f"empty, or kind {Kind.SPARSE_GEMM}")


def _check_collective(complaints: _Complaints, cells: dict[str, Cells], rows: Mask) -> None:
    """What an exchange may be, and that it takes two."""
    if not rows.any():
        return
    complaints.about(
        "exchange", rows & ~_among(cells["exchange"].values, EXCHANGES), f"one of {', '.join(EXCHANGES)}"
    )
    complaints.about("gpus", rows & (cells["gpus"].values < 2), "at least 2: one GPU exchanges nothing")
    if "library" in cells:
        unknown = rows & ~cells["library"].empty & ~_among(cells["library"].values, LIBRARIES)
        complaints.about(
            "library", unknown, f"{' or '.join(LIBRARIES)}, or empty for an engine's own kernels"
        )


def _check_attention(complaints: _Complaints, cells: dict[str, Cells], rows: Mask) -> None:
    """Rules between an attention row's dimensions; what is no number was complained about before."""
    if not rows.any():
        return
    phase = cells["phase"].values
    query, context = cells["query_len"].values, cells["context_len"].values
    heads, kv_heads = cells["num_heads"].values, cells["num_kv_heads"].values
    complaints.about("phase", rows & ~_among(phase, PHASES), f"one of {', '.join(PHASES)}")
    complaints.about("query_len", rows & (query > context), "at most context_len, which counts the query too")
    complaints.about("query_len", rows & (phase == Phase.DECODE) & (query != 1), "1 in phase decode")
    shared = np.fmod(heads, kv_heads, out=np.ones(len(rows)), where=rows & (kv_heads > 0))
    complaints.about("num_heads", rows & (shared != 0), "a multiple of num_kv_heads")


def _check_experts(complaints: _Complaints, cells: dict[str, Cells], rows: Mask) -> None:
    """Rules between an expert layer's dimensions: experts and widths divide among GPUs."""
    if not rows.any():
        return
    experts, top_k = cells["num_experts"].values, cells["top_k"].values
    complaints.about("top_k", rows & (top_k > experts), "at most num_experts")
    for how, whole in (("tensor_parallel", "ffn_width"), ("expert_parallel", "num_experts")):
        if how in cells:
            given = rows & (cells[how].values > 0)
            rest = np.fmod(cells[whole].values, cells[how].values, out=np.zeros(len(rows)), where=given)
            complaints.about(how, given & (rest != 0), f"a divisor of {whole}")
    if "routing" in cells:
        names = cells["routing"].values.astype(str)
        known = [name for name in np.unique(names) if routing_named(name) is not None]
        unknown = rows & ~cells["routing"].empty & ~_among(names, tuple(known))
        complaints.about("routing", unknown, f"{ROUTINGS}, or empty")


def _among(values: npt.NDArray[Any], known: tuple[str, ...]) -> Mask:
    return np.isin(values.astype(str), known)
