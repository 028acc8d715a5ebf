"""The ops behind a comparison: what each op of the dense model and of every plan takes in each scenario.

Rooflines and lists of the slowest kernels are drawn from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.costs import LIMITERS
from infersim.domain.shapes import Gemm
from infersim.simulation.speedups.case_timings import CaseTimings
from infersim.simulation.speedups.cases import REQUEST, Case
from infersim.simulation.speedups.columns import MS
from infersim.simulation.speedups.resolving import DENSE
from infersim.simulation.timing.timeline import Timeline

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
        "floor_ms": costs.cold_roofline_s * MS,
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


_TOTALS = ("count", "flop", "kernel_bytes", "compulsory_bytes", "floor_ms", "kernel_ms", "launch_ms")
_LIKE_THE_LARGEST = ("limiter", "in_range", "m", "n", "k")


def op_frames(
    timings: Iterable[CaseTimings], scenarios: pd.DataFrame, *, with_dense: bool = True
) -> pd.DataFrame:
    """One row for each GPU, scenario, plan (the dense model first) and op, ops in order of execution.

    Of `scenarios`, rows of `gpu gpus phase batch context`; those of `timings` that are none of them are left
    out. Of plans of one title the first is taken.

    Ops of one name are added up over blocks and decode steps; limiter and dimensions (M, N, K of GEMMs, else
    NaN) are those of the largest of them. Columns: `model gpu gpus phase batch context plan op part`, the
    totals of `op_table`, `latency_ms` (launch included), `share` of the plan's latency, `limiter in_range m n
    k`, and the plan's whole latency `total_ms` with its 80 % interval `total_lower_ms total_upper_ms`.
    """
    import pandas as pd

    frames = [
        _described(timeline, each.case, places).assign(
            model=each.dense.program.transformer.name,
            gpu=each.profile.name,
            gpus=each.case.gpus,
            plan=name,
        )
        for each in timings
        if (places := _places(each, scenarios))
        for name, timeline in (({DENSE: each.dense} if with_dense else {}) | each.by_title()).items()
    ]
    return pd.concat(frames, ignore_index=True)


def _places(timings: CaseTimings, scenarios: pd.DataFrame) -> list[int]:
    """Which scenarios of a case are among those asked for, each once."""
    case = timings.case
    here = scenarios[
        (scenarios["gpu"] == timings.profile.name)
        & (scenarios["gpus"] == case.gpus)
        & (scenarios["phase"] == case.phase)
    ]
    wanted = set(zip(here["batch"], here["context"], strict=True))
    first = {scenario: place for place, scenario in reversed(list(enumerate(case.scenarios)))}
    return sorted(place for scenario, place in first.items() if scenario in wanted)


def _described(timeline: Timeline, case: Case, places: Sequence[int]) -> pd.DataFrame:
    table = op_table(timeline, places).assign(**_gemm_dimensions(timeline, places))
    if case.phase == REQUEST:  # a name may occur in both phases
        table["op"] = table["phase"] + "." + table["op"]
    table = _added_up(table.assign(latency_ms=table["kernel_ms"] + table["launch_ms"]))
    scenario = table["scenario"]
    totals = {
        "total_ms": timeline.latency_s,
        "total_lower_ms": timeline.lower_s,
        "total_upper_ms": timeline.upper_s,
    }
    table = table.assign(
        phase=case.phase,
        batch=case.batch.ravel()[scenario].astype(np.int64),
        context=case.context.ravel()[scenario].astype(np.int64),
        **{name: value.ravel()[scenario] * MS for name, value in totals.items()},
    )
    return table.assign(share=table["latency_ms"] / table["total_ms"]).drop(columns="scenario")


def _gemm_dimensions(timeline: Timeline, places: Sequence[int]) -> dict[str, np.ndarray]:
    """M, N, K in the order of `op_table`: ops outermost, scenarios inside."""
    extent = timeline.latency_s.shape

    def column(name: str) -> Iterator[np.ndarray]:
        for op in timeline.program.ops:
            value = getattr(op.shape, name) if isinstance(op.shape, Gemm) else np.nan
            yield np.broadcast_to(np.asarray(value, dtype=np.float64), extent).ravel()[list(places)]

    return {name: np.concatenate(list(column(name))) for name in ("m", "n", "k")}


def _added_up(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each scenario, op and part."""
    groups = table.groupby(["scenario", "op", "part"], sort=False)
    largest = table.loc[groups["latency_ms"].idxmax(), list(_LIKE_THE_LARGEST)]
    totals = groups[[*_TOTALS, "latency_ms"]].sum().reset_index()
    return totals.assign(**{name: largest[name].to_numpy() for name in _LIKE_THE_LARGEST})
