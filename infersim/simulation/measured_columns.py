"""Columns of measured speedups: what was measured in each scenario of a comparison, where anything was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.pruning.plan import Plan
from infersim.simulation.cases import Case
from infersim.simulation.columns import Column
from infersim.simulation.measured import MeasuredSpeedup, MeasuredTable, Unit, match_measured

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
        if (gpu, plan.base.name, plan.family, case.phase) not in self.subjects:
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
                dtype=execution.precision.name,
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
