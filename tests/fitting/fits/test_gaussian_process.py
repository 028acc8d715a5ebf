"""The residual's Gaussian process: it interpolates, forgets far away, and tells its errors honestly."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.fitting.fits.gaussian_process import Component, condition, scaled
from infersim.fitting.fits.smooth_residual import Smooth, fit_smooth

LINE = Component(length_scales=(4.0,), amplitude=0.1)


def _wave(
    points: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 0.2 * np.sin(points / 2.0)


def test_a_smooth_curve_is_learned_and_far_away_forgotten() -> None:
    at = np.linspace(0, 15, 60)
    posterior = condition([LINE], [scaled(LINE, at[:, None])], _wave(at))
    between = np.linspace(1, 14, 200)
    np.testing.assert_allclose(
        posterior.mean(0, scaled(LINE, between[:, None])), _wave(between), rtol=0, atol=0.02
    )
    assert abs(posterior.mean(0, scaled(LINE, np.array([[500.0]])))[0]) < 1e-3


def test_left_out_errors_are_those_of_really_leaving_out() -> None:
    rng = np.random.default_rng(0)
    at, groups = rng.uniform(0, 15, 40), np.arange(40) // 4
    values = _wave(at) + rng.normal(0, 0.03, 40)
    posterior = condition([LINE], [scaled(LINE, at[:, None])], values)
    errors = posterior.left_out(values, groups)
    kept = groups != 3
    kernel = posterior.amplitudes[0] ** 2 * np.exp(-np.abs(at[:, None] - at) / 4.0)
    covariance = kernel[np.ix_(kept, kept)] + posterior.noise**2 * np.eye(kept.sum())
    predicted = kernel[np.ix_(~kept, kept)] @ np.linalg.solve(covariance, values[kept])
    np.testing.assert_allclose(errors[~kept], values[~kept] - predicted, rtol=1e-8, atol=1e-12)


def test_differences_are_those_of_leaving_both_groups_out() -> None:
    rng = np.random.default_rng(4)
    at, groups = rng.uniform(0, 15, 40), np.arange(40) // 4
    values = _wave(at) + rng.normal(0, 0.03, 40)
    posterior = condition([LINE], [scaled(LINE, at[:, None])], values)
    found = posterior.left_out_differences(groups, np.array([[0, 13], [15, 0], [1, 2]]))
    both = np.where(np.isin(groups, (0, 3)), 0, groups)  # one group of the two
    errors = posterior.left_out(values, both)
    np.testing.assert_allclose(found[:2], [errors[0] - errors[13], errors[15] - errors[0]])
    alone = posterior.left_out(values, groups)
    assert found[2] == pytest.approx(alone[1] - alone[2])


def test_noise_is_told_from_signal() -> None:
    rng = np.random.default_rng(1)
    at = rng.uniform(0, 15, 300)
    posterior = condition([LINE], [scaled(LINE, at[:, None])], rng.normal(0, 0.08, 300))
    assert posterior.noise == pytest.approx(0.08, rel=0.2)
    assert np.abs(posterior.mean(0, scaled(LINE, np.linspace(0, 15, 50)[:, None]))).mean() < 0.03


def test_a_grid_holds_what_the_process_expects() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 8, 200)
    smooth = Smooth(component=LINE, axes=("x",), knots_per_unit=(4.0,), derive=lambda at: at["x"][:, None])
    fit = fit_smooth((smooth,), {"x": x}, _wave(x), np.arange(200), np.array([[0, 1]]))
    (grid,) = fit.grids
    knots = np.linspace(grid.axes[0].low, grid.axes[0].high, grid.axes[0].count)
    np.testing.assert_allclose(grid.values, _wave(knots), rtol=0, atol=0.03)
    assert np.abs(fit.left_out_errors).mean() < 0.02
