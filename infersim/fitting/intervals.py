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

FEW_PAIRS = 40


def conformal_quantile(errors: Array) -> float:
    """The COVERAGE quantile of |errors| with the finite-sample correction of split conformal prediction."""
    if not len(errors):
        return float("nan")
    level = min(np.ceil((len(errors) + 1) * COVERAGE) / len(errors), 1.0)
    return float(np.quantile(np.abs(errors), level))


def fit_intervals(
    errors: Array,
    regimes: npt.NDArray[np.intp],
    names: Sequence[str],
    coordinates: Array,
    reach: Sequence[float],
    least: Sequence[float],
) -> IntervalFit:
    """Half-widths from `errors` (natural log, left out).

    `coordinates` (rows x features) and `reach` say which samples are related kernels, whose ratio a
    pruning speedup is: those within `reach` of each other along every feature, and at `least` so large.
    """
    overall = conformal_quantile(errors)
    by_regime = {}
    for index, name in enumerate(names):
        own = errors[regimes == index]
        if len(own):
            weight = len(own) / (len(own) + REGIME_WEIGHT)
            by_regime[name] = weight * conformal_quantile(own) + (1 - weight) * overall
    large = (coordinates >= np.array(least)).all(axis=1)
    pair = _pair_half_width(errors[large], coordinates[large], reach)
    widest = max(by_regime.values(), default=overall)
    return IntervalFit(
        by_regime=by_regime,
        pair=overall * np.sqrt(2) if pair is None else pair,
        outside=OUTSIDE_WIDENING * widest,
    )


def at_least(interval: IntervalFit, width: float) -> IntervalFit:
    """The interval with no half-width below `width`."""
    return IntervalFit(
        by_regime={name: max(own, width) for name, own in interval.by_regime.items()},
        pair=max(interval.pair, width),
        outside=max(interval.outside, OUTSIDE_WIDENING * width),
    )


def _pair_half_width(errors: Array, coordinates: Array, reach: Sequence[float]) -> float | None:
    """Quantile of the differences of errors of related samples; None where there are few."""
    if len(errors) < 2:
        return None
    first, second = np.triu_indices(len(errors), k=1)
    near = np.ones(len(first), dtype=np.bool_)
    for column, distance in zip(coordinates.T, reach, strict=True):
        near &= np.abs(column[first] - column[second]) <= distance
    if near.sum() < FEW_PAIRS:
        return None
    return conformal_quantile(errors[first[near]] - errors[second[near]])
