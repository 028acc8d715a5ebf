"""A sweep in short: the mean speedup of each case and plan over its batches and contexts, chunk by chunk.

A case is a model on a GPU in a phase or request, run in one way. Means are geometric, over the scenarios in
which dense and pruned model fit into memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.simulation.sweeping.result import SweepResult

if TYPE_CHECKING:
    import pandas as pd

SWEEP_CASE = ("model", "gpu", "phase", "request", "dtype", "kv_dtype", "execution", "cuda_graph")
"""Columns that tell cases apart."""

_PLAN = ("plan", "pruning", "family", "sparsity")
_VALUES = ("sparsity_realised", "predicted", "bound", "fits_memory", "dense_fits_memory")


def sweep_summary(result: SweepResult) -> pd.DataFrame:
    """One row for each case and plan, in the order of the table.

    Columns: SWEEP_CASE, `plan pruning family sparsity` (`pruning`: the plan without its sparsity),
    `sparsity_realised scenarios fitting`, `predicted` and `bound` (geometric means),
    `low high` (the least and the greatest predicted speedup) and `fastest`: whether no other plan of this
    case and sparsity has a greater mean. Means are NaN where nothing fits.
    """
    import pandas as pd

    keys = [*SWEEP_CASE, *_PLAN]
    parts = [_sums(chunk, keys) for chunk in result.chunks([*keys, *_VALUES])]
    merged = pd.concat(parts, ignore_index=True).groupby(keys, sort=False, dropna=False)
    summed = merged.agg(
        sparsity_realised=("sparsity_realised", "first"),
        scenarios=("scenarios", "sum"),
        fitting=("fitting", "sum"),
        log_predicted=("log_predicted", "sum"),
        log_bound=("log_bound", "sum"),
        low=("low", "min"),
        high=("high", "max"),
    ).reset_index()
    counted = summed["fitting"].where(summed["fitting"] > 0)
    summed["predicted"] = np.exp(summed.pop("log_predicted") / counted)
    summed["bound"] = np.exp(summed.pop("log_bound") / counted)
    summed["pruning"] = summed.pop("pruning")  # after the numbers, as --json has had it
    alike = summed.groupby([*SWEEP_CASE, "sparsity"], sort=False, dropna=False)
    best = alike["predicted"].transform("max")
    summed["fastest"] = summed["predicted"] == best
    return summed


def _sums(chunk: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """What can be added up over chunks."""
    fits = chunk["fits_memory"] & chunk["dense_fits_memory"]
    predicted = chunk["predicted"].where(fits)
    measured = chunk.assign(
        fitting=fits.astype(np.int64),
        log_predicted=np.log(predicted),
        log_bound=np.log(chunk["bound"].where(fits)),
        predicted=predicted,
    )
    found = measured.groupby(keys, sort=False, dropna=False, observed=True).agg(
        sparsity_realised=("sparsity_realised", "first"),
        scenarios=("fitting", "size"),
        fitting=("fitting", "sum"),
        log_predicted=("log_predicted", "sum"),
        log_bound=("log_bound", "sum"),
        low=("predicted", "min"),
        high=("predicted", "max"),
    )
    found = found.reset_index()
    texts = found.select_dtypes("category").columns
    return found.astype(dict.fromkeys(texts, object))
