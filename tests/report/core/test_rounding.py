"""Rounding: each rule of the module's table, at its edges."""

from __future__ import annotations

import math
from math import nan

import pytest

from infersim.report.core import rounding


def test_speedups_and_intervals_have_two_decimals() -> None:
    assert rounding.speedup(1.714) == "1.71x"
    assert rounding.speedup(12.345) == "12.35x"
    assert rounding.speedup_between(1.714, 1.63, 1.8) == "1.71x (1.63–1.80)"


@pytest.mark.parametrize(
    ("value", "text"), [(0.7239, "0.724"), (1.0, "1.000"), (1.00049, "1.000"), (1.2304, "↑1.230")]
)
def test_factors_have_three_decimals_and_an_arrow_for_a_gain(value: float, text: str) -> None:
    assert rounding.factor(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "50 %"), (0.498, "49.8 %"), (0.125, "12.5 %"), (0.0, "0 %"), (-0.0001, "0 %")]
)
def test_fractions_have_at_most_one_decimal(value: float, text: str) -> None:
    assert rounding.fraction(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.968, "97 %"), (1.07, "107 %"), (-0.12, "-12 %"), (0.0, "0 %"), (0.004, "< 1 %"), (-0.004, "0 %")],
)
def test_shares_are_whole(value: float, text: str) -> None:
    assert rounding.share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1997.39, "1,997"),
        (100.0, "100"),
        (38.01, "38.0"),
        (9.998, "10.00"),
        (1.0, "1.00"),
        (0.0524, "0.0524"),
        (0.0, "0"),
    ],
)
def test_quantities_keep_three_digits(value: float, text: str) -> None:
    assert rounding.quantity(value) == text


def test_long_durations_are_in_seconds() -> None:
    assert rounding.duration(9999.0, 9000.0, 11000.0) == "9,999 ms (9,000–11,000)"
    assert rounding.duration(10000.0, 9000.0, 11000.0) == "10.0 s (9.00–11.0)"


@pytest.mark.parametrize(
    ("value", "text"), [(4.294967e9, "4.29 GB"), (999.0, "999 B"), (1000.0, "1.00 kB"), (0.0, "0 B")]
)
def test_bytes_have_decimal_prefixes(value: float, text: str) -> None:
    assert rounding.prefixed(value, "B") == text


def test_counts_are_whole_unless_expected_numbers() -> None:
    assert rounding.count(131072.0) == "131072"
    assert rounding.count(16.5) == "16.5"


def test_unknown_numbers_are_a_dash() -> None:
    one = (
        rounding.speedup,
        rounding.factor,
        rounding.fraction,
        rounding.share,
        rounding.quantity,
        rounding.count,
    )
    assert [write(nan) for write in one] == ["–"] * len(one)
    assert rounding.interval(nan, 1.0) == "–"
    assert rounding.prefixed(nan, "B") == "–"


@pytest.mark.parametrize(("value", "text"), [(0.04, "+4 %"), (-0.11, "-11 %"), (-0.001, "+0 %")])
def test_differences_have_a_sign_and_no_minus_zero(value: float, text: str) -> None:
    assert rounding.difference(value) == text


def test_a_log_width_is_what_it_adds() -> None:
    assert rounding.from_log(math.log(1.15)) == "15 %"
