"""Errors of the speedups of pruned GEMMs, beside those of two ways to guess them without measuring."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.pruned_pairs import Axis, pruned_pairs, speedup_errors
from infersim.fitting.samples.schema import Kind

AXES: tuple[Axis, ...] = ("n", "k", "m")

CUTS: tuple[tuple[str, tuple[Axis, ...]], ...] = (
    ("n or k", ("n", "k")),
    ("n", ("n",)),
    ("k", ("k",)),
    ("m", ("m",)),
)
"""Names of cuts with the axes they pool: fewer heads, channels or ranks cut N or K, fewer tokens cut M."""

SPEEDUP_COLUMNS = (
    *("dtype", "cut", "pairs", "mape", "median_ape", "p90_ape", "bias", "coverage", "log_half_width"),
    *("flops_mape", "flops_median_ape", "roofline_mape", "roofline_median_ape"),
)


def speedup_table(predictions: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Errors of predicted speedups on the `pruned_pairs` of dense GEMMs among `predictions`, as fractions.

    Columns: `dtype`, `cut` (of CUTS), `pairs`, `mape`, `median_ape`, `p90_ape`, `bias`, `coverage` and mean
    `log_half_width` of the speedup's 80 % interval, then the errors of the FLOPs ratio (`flops_...`) and of
    the ratio of plain rooflines (`roofline_...`). Cuts without a pair are left out.
    """
    gemms = predictions[(predictions["kind"] == Kind.GEMM).to_numpy()]
    lines = []
    for dtype in sorted(gemms["dtype"].unique()) if len(gemms) else []:
        rows = gemms[gemms["dtype"] == dtype]
        pairs = {axis: pruned_pairs(rows, axis, seed=seed) for axis in AXES}
        for cut, axes in CUTS:
            pooled = pd.concat([pairs[axis] for axis in axes], ignore_index=True)
            if len(pooled):
                lines.append({"dtype": dtype, "cut": cut, "pairs": len(pooled), **_errors(pooled, rows)})
    return pd.DataFrame(lines, columns=list(SPEEDUP_COLUMNS))


def _errors(pairs: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    errors = speedup_errors(pairs, _column(rows, "predicted_us"), _column(rows, "pair_log_half_width"))
    roofline = speedup_errors(pairs, _column(rows, "roofline_us")).predicted
    coverage = errors.coverage
    return {
        **asdict(errors.predicted),
        "coverage": np.nan if coverage is None else coverage.coverage,
        "log_half_width": np.nan if coverage is None else coverage.mean_log_half_width,
        "flops_mape": errors.flops.mape,
        "flops_median_ape": errors.flops.median_ape,
        "roofline_mape": roofline.mape,
        "roofline_median_ape": roofline.median_ape,
    }


def _column(rows: pd.DataFrame, name: str) -> Array:
    return rows[name].to_numpy(dtype=np.float64)
