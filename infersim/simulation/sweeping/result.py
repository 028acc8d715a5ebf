"""What a sweep leaves: a table, in a file or in memory, that is read whole or chunk by chunk, and its means.

A mean is that of a case and plan over its batches and contexts: geometric, over the scenarios in which
dense and pruned model fit into memory. A case is a model on a GPU in a phase or request, run in one way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infersim.domain.errors import UnknownNameError
from infersim.files.opening import opened
from infersim.files.parquet import arrow_frame, parquet_groups, parquet_table
from infersim.simulation.frame_kinds import FrameKind, marked
from infersim.simulation.sweeping.resolved import LeftOut

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepResult:
    """`source` is the Parquet file, or the table itself; `left_out` is what could not be, with reasons."""

    source: Path | pa.Table
    left_out: tuple[LeftOut, ...]

    @property
    def rows(self) -> int:
        """How many scenarios there are."""
        if isinstance(self.source, Path):
            with opened(self.source, "sweep") as file:
                return int(pq.read_metadata(file).num_rows)
        return int(self.source.num_rows)

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The whole table, or some `columns`, as a frame; text is categorical.

        Raises UnknownNameError for a column that there is not.
        """
        if isinstance(self.source, Path):
            with opened(self.source, "sweep") as file:
                table = parquet_table(file, columns)
        else:
            table = self.source
        table = table if columns is None else _chosen(table, columns)
        served = "concurrency" in table.column_names
        return marked(arrow_frame(table), FrameKind.SERVE if served else FrameKind.COMPARE)

    def chunks(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns, as many rows at a time as were computed together."""
        if isinstance(self.source, Path):
            with opened(self.source, "sweep") as file:
                yield from parquet_groups(file, columns)
        else:
            yield self.frame(columns)


def _chosen(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Some columns, in the order that they are asked for; a file leaves out those that it lacks."""
    for name in columns:
        if name not in table.column_names:
            raise UnknownNameError("column", name, table.column_names)
    return table.select(list(columns))


SWEEP_CASE = ("model", "gpu", "gpus", "phase", "request", "dtype", "kv_dtype", "execution", "cuda_graph")
"""Columns that tell cases apart."""

_PLAN = ("plan", "pruning", "family", "sparsity")
_VALUES = ("sparsity_realised", "predicted", "bound", "fits_memory", "dense_fits_memory")


def sweep_summary(result: SweepResult) -> pd.DataFrame:
    """One row for each case and plan, in the order of the table.

    Columns: SWEEP_CASE, `plan pruning family sparsity` (`pruning`: the plan without its sparsity),
    `sparsity_realised scenarios fitting`, `predicted` and `bound` (geometric means),
    `low high` (the least and the greatest predicted speedup) and `fastest`: whether no other plan of this
    case and sparsity has a greater mean. Means are NaN where nothing fits.
    """
    import pandas as pd

    keys = [*SWEEP_CASE, *_PLAN]
    parts = [_sums(chunk, keys) for chunk in result.chunks([*keys, *_VALUES])]
    merged = pd.concat(parts, ignore_index=True).groupby(keys, sort=False, dropna=False)
    summed = merged.agg(
        sparsity_realised=("sparsity_realised", "first"),
        scenarios=("scenarios", "sum"),
        fitting=("fitting", "sum"),
        log_predicted=("log_predicted", "sum"),
        log_bound=("log_bound", "sum"),
        low=("low", "min"),
        high=("high", "max"),
    ).reset_index()
    counted = summed["fitting"].where(summed["fitting"] > 0)
    summed["predicted"] = np.exp(summed.pop("log_predicted") / counted)
    summed["bound"] = np.exp(summed.pop("log_bound") / counted)
    summed["pruning"] = summed.pop("pruning")  # after the numbers, as --json has had it
    alike = summed.groupby([*SWEEP_CASE, "sparsity"], sort=False, dropna=False)
    best = alike["predicted"].transform("max")
    summed["fastest"] = summed["predicted"] == best
    return summed


def _sums(chunk: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """What can be added up over chunks."""
    fits = chunk["fits_memory"] & chunk["dense_fits_memory"]
    predicted = chunk["predicted"].where(fits)
    measured = chunk.assign(
        fitting=fits.astype(np.int64),
        log_predicted=np.log(predicted),
        log_bound=np.log(chunk["bound"].where(fits)),
        predicted=predicted,
    )
    found = measured.groupby(keys, sort=False, dropna=False, observed=True).agg(
        sparsity_realised=("sparsity_realised", "first"),
        scenarios=("fitting", "size"),
        fitting=("fitting", "sum"),
        log_predicted=("log_predicted", "sum"),
        log_bound=("log_bound", "sum"),
        low=("predicted", "min"),
        high=("predicted", "max"),
    )
    found = found.reset_index()
    texts = found.select_dtypes("category").columns
    return found.astype(dict.fromkeys(texts, object))
