"""What a sweep would take: one chunk is computed, the rest is proportional."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from infersim.simulation.sweeping.resolved import ResolvedSweep
from infersim.simulation.sweeping.table import grid_parquet


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
    grid_parquet(next(tried.chunks(1)))
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
