"""Error figures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.fitting.fits.intervals import coverage_summary, error_summary


def test_errors_of_a_table_worked_out_by_hand() -> None:
    measured = np.array([10.0, 10.0, 20.0, 40.0])
    predicted = np.array([11.0, 9.0, 20.0, 60.0])  # off by 10 %, 10 %, 0 % and 50 %
    errors = error_summary(predicted, measured)
    assert errors.rows == 4
    assert errors.mape == pytest.approx(0.175)
    assert errors.median_ape == pytest.approx(0.1)
    assert errors.p90_ape == pytest.approx(0.1 + 0.7 * (0.5 - 0.1))  # at 2.7 of the sorted 0, 0.1, 0.1, 0.5
    assert errors.bias == pytest.approx((math.log(1.1) + math.log(0.9) + math.log(1.5)) / 4)


@given(factor=st.floats(0.1, 10.0), unit=st.floats(1e-6, 1e6))
def test_a_constant_factor_is_all_bias_in_any_unit(factor: float, unit: float) -> None:
    measured = np.array([1.0, 5.0, 700.0]) * unit
    errors = error_summary(factor * measured, measured)
    assert errors.bias == pytest.approx(math.log(factor), abs=1e-12)
    assert errors.mape == pytest.approx(abs(factor - 1.0), abs=1e-12)


def test_coverage_counts_the_bounds_as_inside() -> None:
    measured = np.array([1.0, 2.0, 3.0, 4.0])
    cover = coverage_summary(
        measured, lower=np.array([1.0, 1.0, 3.1, 2.0]), upper=np.array([2.0, 2.0, 3.2, 8.0])
    )
    assert cover.coverage == 0.75
    assert cover.mean_log_half_width == pytest.approx((4 * math.log(2) + math.log(3.2 / 3.1)) / 8)


def test_no_rows_have_no_errors_rather_than_perfect_ones() -> None:
    nothing = np.array([])
    assert math.isnan(error_summary(nothing, nothing).mape)
    assert math.isnan(coverage_summary(nothing, nothing, nothing).coverage)
