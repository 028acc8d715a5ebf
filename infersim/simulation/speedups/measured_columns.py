"""Columns of measured speedups: what was measured in each scenario of a comparison, where anything was.

Also what became of a user's measured speedups: joined, or the reason why not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Array
from infersim.pruning.plan import Plan
from infersim.simulation.measured.table import (
    SPARSITY_TOLERANCE,
    MeasuredSpeedup,
    MeasuredTable,
    Unit,
    match_measured,
)
from infersim.simulation.speedups.cases import Case
from infersim.simulation.speedups.columns import Column
from infersim.workload.formats import dtype_name
from infersim.workload.scenario import Execution

if TYPE_CHECKING:
    import pandas as pd


def measured_account(table: MeasuredTable, frame: pd.DataFrame, execution: Execution) -> list[str]:
    """Sentences about `table`, whose rows `frame`, a comparison in this execution, may have joined.

    The first says how many rows stand beside predictions; then each reason why others do not, with how many
    it concerns, and what could not be measured at all.
    """
    joined = set(frame["measured_source"])
    aside = [row for row in table.rows if f"{row.source}, {row.locator}" not in joined]
    reasons = Counter(next(_reasons(row, frame, execution), "another row is nearer") for row in aside)
    total = len(table.rows)
    first = f"Measured: {total - len(aside)} of {total} speedups stand beside predictions."
    told = [f"Not joined: {count} of them: {reason}." for reason, count in reasons.most_common()]
    return [first, *told, *(f"Not measured: {failure}." for failure in table.failures)]


def _reasons(row: MeasuredSpeedup, frame: pd.DataFrame, execution: Execution) -> Iterator[str]:
    """Why a row is of none of the frame's scenarios, the plainest first."""
    if row.gpu not in set(frame["gpu"]):
        yield f"measured on {row.gpu}, and not on {_listed(frame['gpu'])}"
    if 1 not in set(frame["gpus"]):
        yield "measured on one GPU: compare with --gpus 1"
    if row.model not in set(frame["model"]):
        hint = (
            "; a stack of fewer layers is compared with --layers" if " layers)" in (row.model or "") else ""
        )
        yield f"of the model {row.model}, and not of {_listed(frame['model'])}{hint}"
    if row.dtype is not None and row.dtype != execution.precision.name:
        yield f"in {row.dtype}: compare with --dtype {row.dtype}"
    if row.execution is not None and row.execution != execution.layout.value:
        yield f"executed {row.execution}: compare with --execution {row.execution}"
    if row.cuda_graph is not None and row.cuda_graph != execution.cuda_graph:
        with_or_without = "with a CUDA graph: compare with --cuda-graph"
        without = "without a CUDA graph: compare with --no-cuda-graph"
        yield with_or_without if row.cuda_graph else without
    plans = frame[frame["family"] == row.family]
    if plans.empty:
        compared = ", ".join(map(str, frame["family"].unique()))
        yield f"of {row.family}, which is not compared (families asked for: {compared})"
    elif row.plan is not None and row.plan not in set(frame["plan"]):
        yield f"of the plan {row.plan}, which is not compared"
    elif (
        row.sparsity is None
        or not ((plans["sparsity_realised"] - row.sparsity).abs() <= SPARSITY_TOLERANCE).any()
    ):
        yield f"of {row.family} at another sparsity than those compared"
    for column in ("phase", "batch", "context"):
        if getattr(row, column) not in set(frame[column]):
            yield f"{column} {getattr(row, column)}, which is not compared"


def _listed(column: pd.Series[str]) -> str:
    return ", ".join(map(str, column.unique()))


_SECONDS = {Unit.MILLISECONDS: 1e-3, Unit.SECONDS: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredColumns:
    """The best match of each scenario, flat; NaN and empty text where there is none.

    `speedup` is of any scope, a mean over unknown scenarios included; `realised` only of the scope that may
    be set against a prediction. `dense_s` is the dense latency that `realised` started from, `pruned_s` the
    plan's, where stated.
    """

    speedup: Array
    realised: Array
    dense_s: Array
    pruned_s: Array
    scope: Column
    source: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredIndex:
    """A table with the subjects that it says anything about: most comparisons concern none of them."""

    table: MeasuredTable
    subjects: frozenset[tuple[str, str | None, str, str]]

    @classmethod
    def of(cls, table: MeasuredTable) -> MeasuredIndex:
        """Collect the subjects of `table`."""
        return cls(table=table, subjects=frozenset(key[0] for key in table.by_scenario) | table.means.keys())

    def columns(self, plan: Plan, gpu: str, case: Case) -> MeasuredColumns:
        """What was measured of `plan` on `gpu` in the scenarios of `case`."""
        # Speedups were measured on one GPU.
        if case.gpus > 1 or (gpu, plan.base.name, plan.family, case.phase) not in self.subjects:
            return _as_columns([None] * case.batch.size)
        execution = case.passes[0].scenario.execution
        found = [
            match_measured(
                self.table,
                gpu=gpu,
                model=plan.base.name,
                family=plan.family,
                sparsity=plan.sparsity_realised,
                phase=case.phase,
                batch=batch,
                context=context,
                output_len=case.output_len,
                dtype=dtype_name(plan.transformer, execution),
                plan=plan.title,
                execution=execution.layout.value,
                cuda_graph=execution.cuda_graph,
            )
            for batch, context in zip(case.batch.flat, case.context.flat, strict=True)
        ]
        return _as_columns([rows[0] if rows else None for rows in found])


def _as_columns(rows: list[MeasuredSpeedup | None]) -> MeasuredColumns:
    points = [row if row and row.gives_attainment else None for row in rows]
    return MeasuredColumns(
        speedup=np.array([row.measured_speedup if row else np.nan for row in rows]),
        realised=np.array([row.measured_speedup if row else np.nan for row in points]),
        dense_s=np.array([_seconds(row.dense, row.unit) if row else np.nan for row in points]),
        pruned_s=np.array([_seconds(row.pruned, row.unit) if row else np.nan for row in points]),
        scope=np.array([row.scope.value if row else "" for row in rows], dtype=object),
        source=np.array([f"{row.source}, {row.locator}" if row else "" for row in rows], dtype=object),
    )


def _seconds(figure: float | None, unit: Unit) -> float:
    return figure * _SECONDS[unit] if figure and unit in _SECONDS else np.nan
