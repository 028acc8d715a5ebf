"""What strangers' tables ask for where a GPU was left out: the least that covers what intervals promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infersim.fitting.fits.intervals import COVERAGE
from stranger_unmeasured import added, weights


def rows(source: str, gpu: str, count: int, deviation: float, own: float = 0.1) -> pd.DataFrame:
    error = np.random.default_rng(len(source + gpu)).normal(0.0, deviation, count)
    return pd.DataFrame({"source": source, "gpu": gpu, "kind": "gemm bf16", "error": error, "own": own})


def covered(frame: pd.DataFrame, more: float) -> float:
    return float(weights(frame) @ (frame["error"].abs() <= np.hypot(frame["own"], more)))


def test_the_least_that_covers_the_mean_of_the_tables() -> None:
    frame = pd.concat([rows("a", "x", 2000, 0.2), rows("b", "yy", 900, 0.05), rows("b", "zzz", 700, 0.3)])
    found = added(frame)
    assert covered(frame, found + 1e-9) >= COVERAGE
    assert covered(frame, 0.98 * found) < COVERAGE


def test_errors_that_are_normal_ask_for_the_missing_variance() -> None:
    quantile = 1.2816  # of 80 % inside
    found = added(rows("a", "x", 20_000, 0.2))
    assert found == pytest.approx(np.sqrt((quantile * 0.2) ** 2 - 0.1**2), rel=0.03)


def test_nothing_is_added_to_intervals_that_are_wide_enough() -> None:
    assert added(rows("a", "x", 1000, 0.05)) == 0.0


def test_a_long_table_counts_as_much_as_a_short_one() -> None:
    few = pd.concat([rows("a", "x", 1000, 0.05), rows("b", "yy", 1000, 0.5)])
    many = pd.concat([rows("a", "x", 1000, 0.05), *[rows("b", "yy", 1000, 0.5)] * 30])
    assert added(many) == pytest.approx(added(few))
    assert weights(many).sum() == pytest.approx(1.0)
