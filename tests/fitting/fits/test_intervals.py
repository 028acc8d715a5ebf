"""Intervals from left-out errors: they cover, by regime, and pairs are narrower where errors are shared."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.fitting.fits.intervals import (
    MAX_PAIRS,
    at_least,
    conformal_quantile,
    fit_intervals,
    related_pairs,
)

NO_PAIRS = np.zeros((0, 2), dtype=np.intp)
NO_DIFFERENCES = np.zeros(0)


def test_the_quantile_covers_four_fifths_of_new_errors() -> None:
    rng = np.random.default_rng(0)
    covered = [
        float(np.mean(np.abs(rng.laplace(size=2000)) <= conformal_quantile(rng.laplace(size=50))))
        for _ in range(300)
    ]
    assert np.mean(covered) == pytest.approx(0.8, abs=0.02)


def test_a_noisy_regime_gets_a_wide_interval_and_few_samples_lean_on_all() -> None:
    rng = np.random.default_rng(1)
    errors = np.concatenate((rng.normal(0, 0.02, 400), rng.normal(0, 0.2, 400), rng.normal(0, 0.02, 2)))
    regimes = np.repeat([0, 1, 2], [400, 400, 2])
    fit = fit_intervals(errors, regimes, ("calm", "noisy", "rare"), NO_PAIRS, NO_DIFFERENCES)
    assert fit.by_regime["calm"] < 0.05 < 0.2 < fit.by_regime["noisy"]
    assert fit.by_regime["calm"] < fit.by_regime["rare"] < fit.by_regime["noisy"]
    assert fit.outside > fit.by_regime["noisy"]


def test_errors_that_neighbours_share_cancel_in_a_ratio() -> None:
    rng = np.random.default_rng(2)
    place = np.repeat(np.arange(40.0), 5)
    shared = rng.normal(0, 0.2, 40)[place.astype(int)]
    errors = shared + rng.normal(0, 0.02, 200)
    pairs = related_pairs(place[:, None], (0.5,), (0.0,))
    assert len(pairs) == 40 * 10
    differences = errors[pairs[:, 0]] - errors[pairs[:, 1]]
    fit = fit_intervals(errors, np.zeros(200, dtype=np.intp), ("all",), pairs, differences)
    own, half_shared = 1.28 * 0.02 * np.sqrt(2), fit.by_regime["all"]
    assert fit.pair == pytest.approx(0.8 * own + 0.2 * half_shared, rel=0.15)
    assert half_shared > 2 * fit.pair


def test_without_related_samples_half_the_variance_is_taken_as_shared() -> None:
    errors = np.random.default_rng(3).normal(0, 0.1, 30)
    pairs = related_pairs(np.arange(30.0)[:, None] * 10, (1.0,), (0.0,))
    assert pairs.shape == (0, 2)
    fit = fit_intervals(errors, np.zeros(30, dtype=np.intp), ("all",), pairs, NO_DIFFERENCES)
    assert fit.pair == pytest.approx(conformal_quantile(errors))


def test_related_samples_are_large_and_near_along_all_features_together() -> None:
    at = np.array([[5.0, 12.0], [5.0, 12.9], [5.4, 12.9], [5.0, 2.0], [5.0, 2.1]])
    pairs = related_pairs(at, (1.0, 1.0), (0.0, 10.0))
    assert pairs.tolist() == [[0, 1], [1, 2]]


def test_many_pairs_are_thinned_evenly() -> None:
    pairs = related_pairs(np.zeros((100, 1)), (1.0,), (0.0,))
    assert len(pairs) == MAX_PAIRS
    assert pairs[0].tolist() == [0, 1]
    assert pairs[-1].tolist() == [98, 99]


def test_few_rows_widen_every_half_width() -> None:
    errors = np.array([0.001, -0.002, 0.001])
    narrow = fit_intervals(errors, np.zeros(3, dtype=np.intp), ("all",), NO_PAIRS, NO_DIFFERENCES)
    wide = at_least(narrow, 0.25)
    assert narrow.by_regime["all"] < 0.01
    assert wide.by_regime["all"] == wide.pair == 0.25
    assert wide.outside > 0.25
