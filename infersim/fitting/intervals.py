"""80 % intervals from left-out errors: a quantile in each regime, and one for ratios of related kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.fit import IntervalFit

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
