"""A grid as an Arrow table: the columns of `compare`, how the model was run, and fixed types.

A dry run computes one chunk; the rest of its estimate is proportional.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from infersim.simulation.speedups.comparison import compare
from infersim.simulation.sweeping.grid import Grid
from infersim.simulation.sweeping.resolved import ResolvedSweep
from infersim.simulation.sweeping.served import ServedGrid, served_grid_frame
from infersim.workload.formats import as_stored, dtype_name

if TYPE_CHECKING:
    import pandas as pd


AnyGrid = Grid | ServedGrid

SETTING_COLUMNS = ("request", "dtype", "kv_dtype", "execution", "cuda_graph")
"""Columns after `context` that `compare` does not have: there they are arguments."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
_TYPES = {"i": pa.int64(), "b": pa.bool_(), "f": pa.float64()}
"""Arrow types by numpy's kind; whatever else a frame holds is text."""


def grid_frame(grid: AnyGrid) -> pd.DataFrame:
    """What `compare` says of `grid`, with SETTING_COLUMNS and `pruning`; raises what `compare` raises.

    `pruning` is the plan without its sparsity.
    """
    if isinstance(grid, ServedGrid):
        return served_grid_frame(grid)
    setting = grid.scenarios
    frame = compare(grid.model, grid.plans, grid.gpus, scenarios=setting)
    said = {
        "request": "" if setting.request is None else setting.request.name,
        "dtype": dtype_name(grid.model, setting.execution),
        "kv_dtype": as_stored(setting.execution, grid.model).cache_dtype.value,
        "execution": setting.execution.layout.value,
        "cuda_graph": setting.execution.cuda_graph,
    }
    place = list(frame.columns).index("context") + 1
    for offset, name in enumerate(SETTING_COLUMNS):
        frame.insert(place + offset, name, said[name])
    prunings = {plan.title: plan.pruning for plan in grid.plans}
    frame.insert(list(frame.columns).index("plan") + 1, "pruning", frame["plan"].map(prunings))
    return frame


def grid_table(grid: AnyGrid) -> pa.Table:
    """`grid_frame` in types that do not depend on its values; text is dictionary-encoded."""
    frame = grid_frame(grid)
    columns = {}
    for name in frame.columns:
        values = frame[name]
        kind = _TYPES.get(values.dtype.kind)
        columns[name] = (
            pa.array(values.to_numpy(), type=kind)
            if kind is not None
            else pa.array(values.astype(object), type=pa.string()).dictionary_encode().cast(_TEXT)
        )
    return pa.table(columns)


def grid_parquet(grid: AnyGrid) -> bytes:
    """`grid_table` as a Parquet file of one row group: what a worker sends back."""
    table = grid_table(grid)
    content = BytesIO()
    with parquet_writer(content, table.schema) as writer:
        writer.write_table(table, row_group_size=len(table))
    return content.getvalue()


def parquet_writer(target: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of such tables. Only text has a dictionary in the file: few of the numbers are equal."""
    text = [field.name for field in schema if field.type == _TEXT]
    return pq.ParquetWriter(target, schema, compression="zstd", use_dictionary=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Rows and chunks of a sweep; seconds of one core and bytes as one chunk of `tried_rows` has them."""

    rows: int
    chunks: int
    tried_rows: int
    core_s: float
    file_bytes: float


def estimate_sweep(
    resolved: ResolvedSweep, chunk_rows: int, clock: Callable[[], float] = time.perf_counter
) -> Estimate:
    """Compute the middle chunk, a second time once libraries are loaded, and scale it."""
    chunks = resolved.chunks(chunk_rows)
    tried = chunks[len(chunks) // 2]
    smallest: Iterator[AnyGrid] = iter(tried.chunks(1))
    grid_parquet(next(smallest))
    start = clock()
    content = grid_parquet(tried)
    seconds = clock() - start
    weight = sum(chunk.rows * chunk.weight for chunk in chunks)
    return Estimate(
        rows=resolved.rows,
        chunks=len(chunks),
        tried_rows=tried.rows,
        core_s=seconds * weight / (tried.rows * tried.weight),
        file_bytes=len(content) * resolved.rows / tried.rows,
    )
