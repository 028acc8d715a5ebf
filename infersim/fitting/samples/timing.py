"""Samples by how they were timed: what a lone kernel's start adds, and which rows a fit can be made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.errors import InvalidValueError
from infersim.fitting.samples.schema import Timed

LONE_START_US = 3.0
"""What a profiler's duration of a kernel on an idle GPU holds beyond that of one which follows another.

From the B200 entries of XLA's table of GEMMs (openxla/xla, default_matmul_perf_table; Apache-2.0), which
tools/matmul_perf_table_gen.cc made: operands are copied to the GPU before each of ten runs, CUPTI times the
kernel, and the median counts. 39 GEMMs of 256 to 512 tokens, 5 to 13 us long, take 3.1 us more than this
model says of a CUDA graph (half of them 2.8 to 3.3); on H100, which that was not derived from, 2.8 us.
"""

LEAST_US = 0.1
"""No kernel is shorter."""


def ways_of_timing(frame: pd.DataFrame) -> npt.NDArray[np.object_]:
    """How each row was timed; `Timed.GRAPH` where it does not say."""
    if "timed" not in frame.columns:
        return np.full(len(frame), Timed.GRAPH, dtype=object)
    said = frame["timed"].to_numpy(dtype=object)
    return np.array([Timed.GRAPH if pd.isna(way) else Timed(way) for way in said], dtype=object)


def as_in_a_graph(frame: pd.DataFrame) -> pd.DataFrame:
    """Samples as their kernels would take in a CUDA graph: a lone kernel's without its start.

    Raises InvalidValueError for rows in which the host's time hides the kernel's.
    """
    ways = ways_of_timing(frame)
    if (ways == Timed.HOST).any():
        raise InvalidValueError(
            "samples.timed", Timed.HOST.value, f"{Timed.GRAPH} or {Timed.ALONE}, to be fitted"
        )
    alone = ways == Timed.ALONE
    if not alone.any():
        return frame
    latency = frame["latency_us"].to_numpy(dtype=np.float64)
    lone = np.maximum(latency - LONE_START_US, LEAST_US)
    return frame.assign(latency_us=np.where(alone, lone, latency), timed=None)
