"""The one way to read Parquet: in the thread that asks.

Arrow's pools are still at work when a process ends that has read a Python file with them: it aborts then, or
never ends (apache/arrow issues 34314 and 50482), now and then and on busy machines. Files here are small, or
read a part at a time, so that the pools gain nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def parquet_table(file: BinaryIO | bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """An open file, or the content of one, as a table; raises pyarrow.ArrowException."""
    import pyarrow.parquet as pq

    content = BytesIO(file) if isinstance(file, bytes) else file
    with pq.ParquetFile(content, pre_buffer=False) as table:
        return table.read(columns=None if columns is None else list(columns), use_threads=False)


def parquet_groups(file: BinaryIO, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Some columns of an open file, a row group at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as table:
        for index in range(table.num_row_groups):
            yield arrow_frame(table.read_row_group(index, columns=list(columns), use_threads=False))


def arrow_frame(table: pa.Table, **options: Any) -> pd.DataFrame:
    """A table as a frame; `options` are those of `pyarrow.Table.to_pandas`."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False, **options)
    return frame
