"""What bad samples cost: calibrated on damaged samples, scored on clean ones of other shapes.

The samples come from the cost model itself, with known parameters and 5 % noise, so that the best possible
error is near zero. Each limit is what the damage may add to the error of the undamaged calibration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.calibration import calibrate
from infersim.fitting.samples.unit_check import WrongUnitError
from infersim.fitting.validation.validation import Validation, validate
from infersim.profile_files.profiles import load_profile
from tests.fitting.synthetic_samples import (
    GPU,
    attention_shapes,
    gemm_shapes,
    known_kind,
    known_profile,
    measured,
)

pytestmark = pytest.mark.slow

NOISE = 0.05
TRUTH = known_profile(
    known_kind("gemm.bf16", efficiency=0.7, chain_us=0.06, launch_us=3.0, dram_efficiency=0.85),
    known_kind("attention.decode", launch_us=11.0),
    known_kind("attention.prefill", efficiency=0.6),
)
SHAPES = {
    "gemm": (gemm_shapes(220, 1), gemm_shapes(1500, 99)),
    "attention": (attention_shapes(220, 1, "decode"), attention_shapes(1500, 99, "decode")),
}
"""Shapes to calibrate on and shapes to score on, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a calibration predicts clean samples of other shapes."""

    mape: float
    coverage: float
    log_half_width: float


def uncalibrated() -> HardwareProfile:
    return replace(load_profile(GPU), fit=None, calibration=Calibration.NONE, fit_source=None)


def samples(kind: str) -> pd.DataFrame:
    return measured(SHAPES[kind][0], TRUTH, noise=NOISE, seed=5)


def scored(profile: HardwareProfile, kind: str) -> Validation:
    return validate(profile, measured(SHAPES[kind][1], TRUTH))


def score(damaged: pd.DataFrame, kind: str) -> Score:
    whole = scored(calibrate(uncalibrated(), damaged), kind).errors.iloc[0]
    return Score(
        mape=float(whole["mape"]),
        coverage=float(whole["coverage"]),
        log_half_width=float(whole["log_half_width"]),
    )


@pytest.fixture(scope="module", params=list(SHAPES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def undamaged(kind: str) -> Score:
    return score(samples(kind), kind)


def test_undamaged_samples_are_fitted_far_below_their_noise(undamaged: Score) -> None:
    assert undamaged.mape < 0.02
    # Clean samples lie within intervals that expect noise.
    assert undamaged.coverage > 0.95


def test_shuffling_costs_nothing(kind: str, undamaged: Score) -> None:
    shuffled = samples(kind).sample(frac=1.0, random_state=3)
    assert score(shuffled, kind) == undamaged


def test_duplicates_cost_less_than_the_noise(kind: str, undamaged: Score) -> None:
    once = samples(kind)
    assert score(pd.concat([once, once], ignore_index=True), kind).mape < undamaged.mape + 0.03


def test_gross_outliers_cost_less_than_a_percent(kind: str, undamaged: Score) -> None:
    damaged = samples(kind)
    hit = np.random.default_rng(0).choice(len(damaged), size=len(damaged) // 20, replace=False)
    damaged.loc[hit, "latency_us"] *= 10
    found = score(damaged, kind)
    assert found.mape < undamaged.mape + 0.01
    # Nor may one row in twenty swell the intervals of the others.
    assert found.log_half_width < 1.5 * undamaged.log_half_width


def test_a_missing_kind_costs_the_others_nothing(kind: str, undamaged: Score) -> None:
    other = next(name for name in SHAPES if name != kind)
    profile = calibrate(uncalibrated(), samples(kind))
    assert float(scored(profile, kind).errors["mape"].iloc[0]) == undamaged.mape
    missing = scored(profile, other)
    assert missing.outside_range == len(missing.predictions)
    pd.testing.assert_frame_equal(missing.predictions, scored(uncalibrated(), other).predictions)


def test_a_kind_that_is_missing_now_keeps_its_earlier_fit() -> None:
    first = calibrate(uncalibrated(), samples("attention"))
    second = calibrate(first, samples("gemm"))
    pd.testing.assert_frame_equal(
        scored(second, "attention").predictions, scored(first, "attention").predictions
    )


def test_thirty_rows_cost_three_percent_and_their_intervals_still_hold(kind: str, undamaged: Score) -> None:
    few = score(samples(kind).sample(30, random_state=2), kind)
    assert few.mape < undamaged.mape + 0.03
    assert few.coverage > 0.7
    assert few.log_half_width > undamaged.log_half_width


def test_a_single_row_is_no_crash(kind: str) -> None:
    assert score(samples(kind).iloc[:1], kind).mape < 0.3


def test_milliseconds_in_a_column_of_microseconds_are_refused(kind: str) -> None:
    damaged = samples(kind)
    damaged["latency_us"] /= 1000.0
    with pytest.raises(WrongUnitError, match=f"{kind} samples: .*microseconds.*milliseconds"):
        calibrate(uncalibrated(), damaged)


def test_weight_only_rows_do_not_take_the_place_of_16_bit_ones() -> None:
    """Both multiply in bf16; a fit of w4a16 under that name would spoil every dense prediction."""
    rows = pd.DataFrame({"m": [64, 128], "n": [4096, 4096], "k": [4096, 4096], "latency_us": [40.0, 45.0]})
    fit = calibrate(uncalibrated(), rows.assign(kind="gemm", dtype="w4a16")).fit
    assert fit is not None
    assert list(fit.kinds) == ["gemm.w4a16"]
