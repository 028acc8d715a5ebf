"""What a sweep leaves: a table, in a file or in memory, that is read whole or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

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
            return int(pq.read_metadata(self.source).num_rows)
        return int(self.source.num_rows)

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The whole table, or some `columns`, as a frame; text is categorical."""
        if isinstance(self.source, Path):
            table = pq.read_table(self.source, columns=columns)
        else:
            table = self.source if columns is None else self.source.select(columns)
        return marked(table.to_pandas(), FrameKind.COMPARE)

    def chunks(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns, as many rows at a time as were computed together."""
        if isinstance(self.source, Path):
            with pq.ParquetFile(self.source) as file:
                for index in range(file.num_row_groups):
                    yield file.read_row_group(index, columns=list(columns)).to_pandas()
        else:
            yield self.frame(columns)
