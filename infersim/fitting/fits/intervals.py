"""80 % intervals from left-out errors: a quantile in each regime, and one for ratios of related kernels.

Also how good predictions are (errors of latencies, coverage of intervals), and how the intervals of a fit
that starts from other GPUs become its own as samples come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.fit import IntervalFit


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


PRIOR_ROWS = 20.0
"""The widths of a prior count like those of so many own samples."""


def blended(own: IntervalFit, prior: IntervalFit, rows: int) -> IntervalFit:
    """Half-widths between those of the prior and of `rows` own samples, which count the more they are.

    In quadrature, as variances of the same errors; regimes that only one of the two knows keep its width.
    """
    weight = rows / (rows + PRIOR_ROWS)

    def between(mine: float, theirs: float) -> float:
        return float(np.sqrt(weight * mine**2 + (1 - weight) * theirs**2))

    names = {**prior.by_regime, **own.by_regime}
    return IntervalFit(
        by_regime={
            name: between(own.by_regime.get(name, width), prior.by_regime.get(name, width))
            for name, width in names.items()
        },
        pair=between(own.pair, prior.pair),
        outside=between(own.outside, prior.outside),
    )


COVERAGE = 0.8
REGIME_WEIGHT = 25.0
"""A regime's own quantile counts like this many samples of the whole's: few samples lean on all."""

OUTSIDE_WIDENING = 2.5
"""Outside the calibrated range an interval is at least this much wider than the widest regime inside."""

PAIR_WEIGHT = 100.0
"""Half-widths of ratios lean on those of single kernels as if these came from so many pairs."""

MAX_PAIRS = 1500
"""Pairs beyond which a quantile gains nothing."""


def conformal_quantile(errors: Array) -> float:
    """The COVERAGE quantile of |errors| with the finite-sample correction of split conformal prediction."""
    if not len(errors):
        return float("nan")
    level = min(np.ceil((len(errors) + 1) * COVERAGE) / len(errors), 1.0)
    return float(np.quantile(np.abs(errors), level))


def related_pairs(coordinates: Array, reach: Sequence[float], least: Sequence[float]) -> npt.NDArray[np.intp]:
    """Pairs of samples (pairs x 2 rows) whose ratio is like a pruning speedup, evenly spread to MAX_PAIRS.

    `coordinates` (rows x features) are at `least` so large. The distances along all features, each over its
    `reach`, add up to at most 1: pruning cuts one axis far or several a little.
    """
    large = np.flatnonzero((coordinates >= np.array(least)).all(axis=1))
    first, second = np.triu_indices(len(large), k=1)
    apart = np.zeros(len(first))
    for column, furthest in zip(coordinates[large].T, reach, strict=True):
        apart += np.abs(column[first] - column[second]) / furthest
    near = apart <= 1
    pairs = np.stack((large[first[near]], large[second[near]]), axis=1)
    return pairs[np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MAX_PAIRS)).astype(np.intp))]


def fit_intervals(
    errors: Array,
    regimes: npt.NDArray[np.intp],
    names: Sequence[str],
    pairs: npt.NDArray[np.intp],
    pair_differences: Array,
) -> IntervalFit:
    """Half-widths from left-out errors in natural log.

    `errors` one a sample; `pair_differences` of the errors of related samples, one for each of `pairs`
    (pairs x 2 rows). What few pairs leave open follows from the errors of their samples, half of whose
    variance related kernels share.
    """
    overall = conformal_quantile(errors)
    by_regime = {}
    for index, name in enumerate(names):
        own = errors[regimes == index]
        if len(own):
            weight = len(own) / (len(own) + REGIME_WEIGHT)
            by_regime[name] = weight * conformal_quantile(own) + (1 - weight) * overall
    widest = max(by_regime.values(), default=overall)
    weight = len(pairs) / (len(pairs) + PAIR_WEIGHT)
    half_shared = conformal_quantile(errors[np.unique(pairs)]) if len(pairs) else overall
    of_pairs = conformal_quantile(pair_differences) if len(pairs) else half_shared
    return IntervalFit(
        by_regime=by_regime,
        pair=weight * of_pairs + (1 - weight) * half_shared,
        outside=OUTSIDE_WIDENING * widest,
    )


def at_least(interval: IntervalFit, width: float) -> IntervalFit:
    """The interval with no half-width below `width`."""
    return IntervalFit(
        by_regime={name: max(own, width) for name, own in interval.by_regime.items()},
        pair=max(interval.pair, width),
        outside=max(interval.outside, OUTSIDE_WIDENING * width),
    )
