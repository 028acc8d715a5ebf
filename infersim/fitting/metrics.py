"""How good predictions are: errors of latencies and coverage of intervals; speedups are in `pruned_pairs`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSummary:
    """Errors of predicted against measured values, as fractions (0.05 is 5 %).

    `mape`, `median_ape` and `p90_ape` are the mean, median and 90th percentile of |predicted / measured - 1|;
    `bias` is the mean of log(predicted / measured), positive where predictions are too slow.
    """

    rows: int
    mape: float
    median_ape: float
    p90_ape: float
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageSummary:
    """Intervals against what was measured: share of rows inside, and mean half-width in natural log."""

    rows: int
    coverage: float
    mean_log_half_width: float


def error_summary(predicted: Array, measured: Array) -> ErrorSummary:
    """Summarise errors; not-a-number throughout where there are no rows."""
    if not len(measured):
        return ErrorSummary(rows=0, mape=np.nan, median_ape=np.nan, p90_ape=np.nan, bias=np.nan)
    errors = np.abs(predicted / measured - 1.0)
    return ErrorSummary(
        rows=len(measured),
        mape=float(errors.mean()),
        median_ape=float(np.median(errors)),
        p90_ape=float(np.quantile(errors, 0.9)),
        bias=float(np.log(predicted / measured).mean()),
    )


def coverage_summary(measured: Array, lower: Array, upper: Array) -> CoverageSummary:
    """Share of `measured` within [lower, upper], bounds included, and how wide the intervals are."""
    if not len(measured):
        return CoverageSummary(rows=0, coverage=np.nan, mean_log_half_width=np.nan)
    inside = (lower <= measured) & (measured <= upper)
    return CoverageSummary(
        rows=len(measured),
        coverage=float(inside.mean()),
        mean_log_half_width=float(np.log(upper / lower).mean() / 2.0),
    )
