"""Intervals from left-out errors: they cover, by regime, and pairs are narrower where errors are shared."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.fitting.intervals import at_least, conformal_quantile, fit_intervals


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
    fit = fit_intervals(errors, regimes, ("calm", "noisy", "rare"), np.zeros((802, 1)), (1.0,), (0.0,))
    assert fit.by_regime["calm"] < 0.05 < 0.2 < fit.by_regime["noisy"]
    assert fit.by_regime["calm"] < fit.by_regime["rare"] < fit.by_regime["noisy"]
    assert fit.outside > fit.by_regime["noisy"]


def test_errors_that_neighbours_share_cancel_in_a_ratio() -> None:
    rng = np.random.default_rng(2)
    place = np.repeat(np.arange(40.0), 5)
    shared = rng.normal(0, 0.2, 40)[place.astype(int)]
    errors = shared + rng.normal(0, 0.02, 200)
    fit = fit_intervals(errors, np.zeros(200, dtype=np.intp), ("all",), place[:, None], (0.5,), (0.0,))
    assert fit.pair == pytest.approx(1.28 * 0.02 * np.sqrt(2), rel=0.2)
    assert fit.by_regime["all"] > 5 * fit.pair


def test_without_related_samples_errors_are_taken_as_unrelated() -> None:
    errors = np.random.default_rng(3).normal(0, 0.1, 30)
    fit = fit_intervals(
        errors, np.zeros(30, dtype=np.intp), ("all",), np.arange(30.0)[:, None] * 10, (1.0,), (0.0,)
    )
    assert fit.pair == pytest.approx(np.sqrt(2) * conformal_quantile(errors))


def test_few_rows_widen_every_half_width() -> None:
    errors = np.array([0.001, -0.002, 0.001])
    narrow = fit_intervals(errors, np.zeros(3, dtype=np.intp), ("all",), np.zeros((3, 1)), (1.0,), (0.0,))
    wide = at_least(narrow, 0.25)
    assert narrow.by_regime["all"] < 0.01
    assert wide.by_regime["all"] == wide.pair == 0.25
    assert wide.outside > 0.25
