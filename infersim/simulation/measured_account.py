"""What became of a user's measured speedups in a comparison: joined, or the reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.simulation.measured import SPARSITY_TOLERANCE, MeasuredSpeedup, MeasuredTable
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
    if row.plan is not None and row.plan not in set(frame["plan"]):
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
