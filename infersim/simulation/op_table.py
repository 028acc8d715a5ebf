"""The table of ops behind a timeline: what a roofline or a list of the slowest kernels is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.costs import LIMITERS
from infersim.simulation.columns import MS
from infersim.simulation.timeline import Timeline

if TYPE_CHECKING:
    import pandas as pd


def op_table(timeline: Timeline, places: Sequence[int] | None = None) -> pd.DataFrame:
    """One row for each op and scenario, ops in order of execution; `places` are the scenarios to take.

    `scenario` counts the scenarios along the flattened axes, `places` too (None: all). `count` is the number
    of executions (expected, so it may be a fraction), and all of `flop`, `kernel_bytes` (operands and
    result), `compulsory_bytes` (weights and cache), `floor_ms`, `kernel_ms`, `launch_ms` are totals over
    them. `limiter` says what bounds the kernel, `in_range` whether its shape was calibrated.
    """
    import pandas as pd

    costs, program = timeline.costs, timeline.program
    chosen = np.arange(timeline.latency_s.size) if places is None else np.array(places, dtype=np.intp)
    columns = {
        "count": program.counts,
        "flop": costs.flop,
        "kernel_bytes": costs.kernel_bytes,
        "compulsory_bytes": costs.model_bytes,
        "floor_ms": np.maximum(costs.matrix_s, costs.stream_s) * MS,
        "kernel_ms": costs.kernel_s * MS,
        "launch_ms": costs.launch_s * MS,
        "limiter": np.array([limiter.value for limiter in LIMITERS], dtype=object)[costs.limiter],
        "in_range": costs.in_range,
    }
    return pd.DataFrame(
        {
            "phase": np.repeat(
                [program.passes[index].scenario.phase for index, _ in program.places], len(chosen)
            ),
            "op": np.repeat([op.name for op in program.ops], len(chosen)),
            "part": np.repeat([op.part for op in program.ops], len(chosen)),
            "scenario": np.tile(chosen, len(program.ops)),
            **{
                name: column.reshape(len(program.ops), -1)[:, chosen].ravel()
                for name, column in columns.items()
            },
        }
    )
