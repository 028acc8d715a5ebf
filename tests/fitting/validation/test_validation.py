"""Validation: errors, coverage, overlap and what is left out, on samples with known errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infersim.domain.dtypes import DType
from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError, UnsupportedError
from infersim.domain.profile import TERA, Calibration, HardwareProfile
from infersim.fitting.samples.identity import Overlap, identity
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.unit_check import WrongUnitError
from infersim.fitting.samples.writing import write_samples
from infersim.fitting.validation.validation import Validation, validate
from infersim.profile_files.profiles import load_profile
from tests.fitting.example_samples import LAUNCH, MEMORY, table
from tests.fitting.synthetic_samples import (
    GPU,
    Z80,
    attention_shapes,
    gemm_shapes,
    known_kind,
    known_profile,
    measured,
)


@pytest.fixture(scope="module")
def truth() -> HardwareProfile:
    return known_profile(
        known_kind("gemm.bf16", half_width=0.1 * Z80, efficiency=0.7),
        known_kind("attention.decode", half_width=0.1 * Z80, launch_us=5.0),
        known_kind("attention.prefill", half_width=0.1 * Z80),
    )


@pytest.fixture(scope="module")
def samples(truth: HardwareProfile) -> pd.DataFrame:
    shapes = pd.concat(
        [gemm_shapes(900, 1), attention_shapes(300, 2, "decode"), attention_shapes(300, 3, "prefill")],
        ignore_index=True,
    )
    return measured(shapes, truth)


def summary(found: Validation, kind: str) -> pd.Series:
    rows = found.errors[(found.errors["kind"] == kind) & (found.errors["division"] == "all")]
    assert len(rows) == 1
    return rows.iloc[0]


def noisy(samples: pd.DataFrame, noise: float) -> pd.DataFrame:
    factors = np.exp(np.random.default_rng(7).normal(0.0, noise, len(samples)))
    return samples.assign(latency_us=samples["latency_us"] * factors)


def test_what_the_model_made_is_predicted_exactly(truth: HardwareProfile, samples: pd.DataFrame) -> None:
    found = validate(truth, samples)
    for kind in ("gemm", "attention.decode", "attention.prefill"):
        row = summary(found, kind)
        assert row["mape"] < 1e-9
        assert row["coverage"] == 1.0
        assert row["roofline_mape"] > 0.1
    assert found.speedups["mape"].max() < 1e-9
    assert found.speedups["flops_mape"].min() > 0.01


def test_every_row_is_counted_in_each_division_that_divides(
    truth: HardwareProfile, samples: pd.DataFrame
) -> None:
    found = validate(truth, samples)
    for _, group in found.errors.groupby(["kind", "dtype"]):
        total = group.loc[group["division"] == "all", "rows"].item()
        assert (group.groupby("division")["rows"].sum() == total).all()
        assert (group.groupby("division").size().drop("all") > 1).all()
    assert found.errors.loc[found.errors["division"] == "all", "rows"].sum() == len(samples)


def test_predictions_that_are_all_a_tenth_too_slow_have_that_error_and_bias(
    truth: HardwareProfile, samples: pd.DataFrame
) -> None:
    faster = samples.assign(latency_us=samples["latency_us"] / 1.1)
    row = summary(validate(truth, faster), "gemm")
    assert [row["mape"], row["median_ape"], row["p90_ape"]] == pytest.approx([0.1] * 3)
    assert row["bias"] == pytest.approx(np.log(1.1))
    # A common factor cancels in speedups.
    assert validate(truth, faster).speedups["mape"].max() < 1e-9


def test_intervals_of_the_right_width_cover_four_fifths(
    truth: HardwareProfile, samples: pd.DataFrame
) -> None:
    found = validate(truth, noisy(samples, 0.1))
    row = summary(found, "gemm")
    assert row["coverage"] == pytest.approx(0.8, abs=0.04)
    assert row["log_half_width"] == pytest.approx(0.1 * Z80, rel=0.02)
    # Noise of mean absolute size sqrt(2/pi) sigma.
    assert row["mape"] == pytest.approx(0.08, abs=0.01)
    pairs = found.speedups.set_index("cut").loc["n or k"]
    assert pairs["coverage"] == pytest.approx(0.8, abs=0.06)
    assert pairs["log_half_width"] == pytest.approx(0.1 * Z80 * 2**0.5)


def test_intervals_that_are_too_narrow_are_found_out(truth: HardwareProfile, samples: pd.DataFrame) -> None:
    assert summary(validate(truth, noisy(samples, 0.3)), "gemm")["coverage"] < 0.45


def test_the_flops_ratio_is_judged_on_the_same_pairs(truth: HardwareProfile) -> None:
    shapes = gemm_shapes(1, 0).assign(m=[1], n=[4096], k=[4096])
    pair = measured(pd.concat([shapes, shapes.assign(n=[2048])], ignore_index=True), truth)
    found = validate(truth, pair).speedups.set_index("cut")
    assert found.loc["n", "pairs"] == 1
    speedup = pair["latency_us"].iloc[0] / pair["latency_us"].iloc[1]
    assert found.loc["n", "flops_mape"] == pytest.approx(abs(2.0 / speedup - 1.0))
    assert found["flops_mape"].nunique() == 1
    assert "k" not in found.index


def test_the_roofline_is_that_of_the_datasheet(truth: HardwareProfile) -> None:
    large = gemm_shapes(1, 0).assign(m=[8192], n=[8192], k=[8192])
    decode = large.assign(m=[1])
    memory = table(MEMORY)
    frame = pd.concat([measured(pd.concat([large, decode]), truth), memory], ignore_index=True)
    roofline = validate(truth, frame).predictions["roofline_us"]
    h100 = load_profile(GPU)
    peak = TERA * h100.matrix_rate(DType.BF16).datasheet_tflops
    assert roofline[0] == pytest.approx(1e6 * 2 * 8192**3 / peak)
    operands = 2 * (8192**2 + 2 * 8192)
    assert roofline[1] == pytest.approx(1e6 * operands / h100.memory.bandwidth_bytes_per_s)
    assert roofline[2] == pytest.approx(1e6 * 2 * 8_388_608 / h100.memory.bandwidth_bytes_per_s)


def test_rows_outside_the_calibrated_range_are_counted_and_parted(samples: pd.DataFrame) -> None:
    kind = known_kind("gemm.bf16")
    profile = known_profile(replace(kind, ranges={**kind.ranges, "m": (1.0, 512.0)}))
    found = validate(profile, samples, kinds=["gemm"])
    outside = int((samples.loc[samples["kind"] == "gemm", "m"] > 512).sum())
    assert found.outside_range == summary(found, "gemm")["outside_range"] == outside
    parted = found.errors[found.errors["division"] == "range"].set_index("shape_class")["rows"]
    assert parted["outside"] == outside


def test_without_a_calibration_every_row_is_outside(samples: pd.DataFrame) -> None:
    bare = replace(load_profile(GPU), fit=None, calibration=Calibration.NONE, fit_source=None)
    found = validate(bare, samples)
    assert found.outside_range == len(samples)
    assert found.overlap is Overlap.NONE


def test_overlap_is_told_where_the_fit_records_the_same_set(samples: pd.DataFrame) -> None:
    fitted = read_samples(samples[samples["kind"] == "gemm"]).frame
    record = {"samples": [{"sha256": "0" * 64}, identity(fitted)]}
    profile = known_profile(known_kind("gemm.bf16"), provenance=record)
    assert validate(profile, fitted.sample(frac=1.0, random_state=1)).overlap is Overlap.ALL
    assert validate(profile, fitted.iloc[1:]).overlap is Overlap.UNKNOWN


def test_kinds_select_and_what_they_leave_out_is_counted(
    truth: HardwareProfile, samples: pd.DataFrame
) -> None:
    with_launch = pd.concat([samples, table(LAUNCH, LAUNCH | {"gpu": "l40s"})], ignore_index=True)
    found = validate(truth, with_launch, kinds=["gemm"])
    assert set(found.errors["kind"]) == {"gemm"}
    attention = int((samples["kind"] == "attention").sum())
    assert found.left_out == {"gpu l40s": 1, "kind attention": attention, "kind launch": 1}


def test_launches_are_predicted_without_a_floor_or_a_roofline(truth: HardwareProfile) -> None:
    fits = {**(truth.fit.kinds if truth.fit else {}), "launch": known_kind("launch", host_us=3.0)}
    rows = table(LAUNCH | {"latency_us": 3.0}, LAUNCH | {"latency_us": 12.0, "kernels": 4})
    found = validate(known_profile(*fits.values()), rows)
    assert found.predictions["predicted_us"].tolist() == [3.0, 12.0]
    assert found.predictions[["floor_us", "roofline_us"]].isna().all(axis=None)
    assert found.outside_range == 0
    row = summary(found, "launch")
    assert row["mape"] == 0.0
    assert row["coverage"] == 1.0


def test_a_file_and_a_name_do_as_well(tmp_path: Path, samples: pd.DataFrame) -> None:
    path = tmp_path / "samples.parquet"
    write_samples(samples, path)
    by_name, by_profile = validate(GPU, path), validate(load_profile(GPU), samples)
    pd.testing.assert_frame_equal(by_name.errors, by_profile.errors)


def test_the_order_of_the_rows_changes_nothing(truth: HardwareProfile, samples: pd.DataFrame) -> None:
    rows = noisy(samples, 0.1)
    shuffled = rows.sample(frac=1.0, random_state=3)
    first, second = validate(truth, rows), validate(truth, shuffled)
    pd.testing.assert_frame_equal(first.errors, second.errors)
    pd.testing.assert_frame_equal(first.speedups, second.speedups)


def test_what_cannot_be_compared_is_refused(truth: HardwareProfile, samples: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="did you mean attention"):
        validate(truth, samples, kinds=["attentoin"])
    with pytest.raises(InvalidValueError, match=r"samples = 'launch'.*gemm"):
        validate(truth, table(LAUNCH), kinds=["gemm"])
    with pytest.raises(InfersimError, match="h100-sxm"):
        validate(truth, samples.assign(gpu="l40s"))
    with pytest.raises(UnsupportedError, match="a100-sxm-80gb has no fp8"):
        validate("a100-sxm-80gb", samples.assign(gpu="a100-sxm-80gb", dtype="fp8"), kinds=["gemm"])
    with pytest.raises(WrongUnitError, match="these look like milliseconds"):
        validate(truth, samples.assign(latency_us=samples["latency_us"] / 1000))
