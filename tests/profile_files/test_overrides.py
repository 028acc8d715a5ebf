"""What-if hardware: numbers set by the user go through the same checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.dtypes import DType
from infersim.domain.errors import FileContentError, UnknownNameError
from infersim.domain.profile import Calibration
from infersim.profile_files import (
    ImplausibleValueWarning,
    list_profiles,
    load_profile,
    with_overrides,
    write_fit,
)
from tests.profile_files.example_files import write_example
from tests.profile_files.example_fits import example_fit


def test_only_the_number_that_was_set_changes() -> None:
    before = load_profile("h100-sxm")
    after = with_overrides("h100-sxm", {"memory.bandwidth_gb_s": 6000.0})
    assert after.memory.bandwidth_bytes_per_s == 6000e9
    assert (after.chip, after.matrix) == (before.chip, before.matrix)
    assert after.memory.capacity_bytes == before.memory.capacity_bytes
    assert after.name == "h100-sxm[memory.bandwidth_gb_s=6000]"
    assert after.sources["memory.bandwidth_gb_s"] == "set by the user"
    assert after.sources["memory.capacity_gb"] == before.sources["memory.capacity_gb"]
    assert after.aliases == ()


def test_nothing_set_is_the_profile_itself() -> None:
    profile = load_profile("l4")
    assert with_overrides(profile, {}) is profile


@pytest.mark.parametrize("name", list_profiles())
def test_every_profile_can_be_changed_and_changed_again(name: str) -> None:
    profile = load_profile(name)
    faster = with_overrides(
        profile, {"memory.bandwidth_gb_s": 2 * profile.memory.bandwidth_bytes_per_s / 1e9}
    )
    again = with_overrides(faster, {"memory.bandwidth_gb_s": profile.memory.bandwidth_bytes_per_s / 1e9})
    assert again.memory == profile.memory
    assert (again.chip, again.matrix, again.exceptions) == (profile.chip, profile.matrix, profile.exceptions)


def test_more_sms_raise_the_peaks_in_proportion() -> None:
    before = load_profile("h100-sxm")
    after = with_overrides(before, {"chip.sm_count": 264.0})
    assert after.chip.sm_count == 264
    for dtype, rate in before.matrix.items():
        assert after.matrix[dtype].datasheet_tflops == pytest.approx(2 * rate.datasheet_tflops)
        assert after.bound_flop_per_s(dtype) == pytest.approx(2 * before.bound_flop_per_s(dtype))
    assert "follows" in after.sources["matrix.bf16.datasheet_tflops"]


def test_a_tensor_clock_moves_only_the_peaks_quoted_at_it() -> None:
    before = load_profile("h100-sxm")
    after = with_overrides(before, {"chip.tensor_clock_mhz": 915.0})  # half of 1830
    assert after.matrix[DType.BF16].datasheet_tflops == pytest.approx(989.4 / 2)
    assert after.matrix[DType.FP32] == before.matrix[DType.FP32]  # quoted at the maximum clock


def test_an_unverified_number_that_is_set_is_no_longer_unverified() -> None:
    assert "chip.l2_mib" in load_profile("l40s").unverified
    assert "chip.l2_mib" not in with_overrides("l40s", {"chip.l2_mib": 48}).unverified


@pytest.mark.parametrize(
    ("key", "value", "expectation"),
    [
        ("memory.bandwidth_gb_s", 3_350_000.0, "looks like MB/s: write 3350"),
        ("memory.bandwidth_gb_s", 0.0, "a number above 0"),
        ("chip.sm_count", 132.5, "an integer"),
        ("matrix.bf16.datasheet_tflops", 1979.0, "sparse"),
        ("matrix.bf16.sparse_factor", 4.0, "1 to 2 times"),
    ],
)
def test_the_checks_of_files_hold(key: str, value: float, expectation: str) -> None:
    with pytest.raises(FileContentError, match=expectation) as caught:
        with_overrides("h100-sxm", {key: value})
    assert caught.value.file.startswith(f"h100-sxm[{key}=")


def test_one_data_type_may_be_given_another_rate_with_a_warning() -> None:
    with pytest.warns(ImplausibleValueWarning, match="sparse"):
        after = with_overrides("h100-sxm", {"matrix.bf16.flop_per_clock_per_sm": 8192.0})
    assert after.matrix[DType.BF16].datasheet_tflops == pytest.approx(2 * 989.4)
    assert after.matrix[DType.FP16].datasheet_tflops == 989.4


def test_a_peak_that_is_set_beside_its_rate_must_agree_with_it() -> None:
    both = {"matrix.bf16.flop_per_clock_per_sm": 4096.0, "matrix.bf16.datasheet_tflops": 1979.0}
    with pytest.raises(FileContentError, match="sparse"):
        with_overrides("h100-sxm", both)


def test_an_unknown_key_is_named_with_the_closest() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean memory\.bandwidth_gb_s"):
        with_overrides("h100-sxm", {"memory.bandwith": 6000.0})


def test_text_is_no_number_to_set() -> None:
    with pytest.raises(UnknownNameError, match="'title'"):
        with_overrides("h100-sxm", {"title": 1.0})


def test_a_fit_counts_as_borrowed_on_changed_hardware(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    write_fit(example_fit("example"), tmp_path / "example.fit.json")
    changed = with_overrides(path, {"memory.capacity_gb": 160.0})
    assert changed.calibration is Calibration.BORROWED
    assert changed.fit_source == "example"
    assert changed.fit is not None


def test_another_capacity_forgets_what_the_device_reports() -> None:
    gpu = load_profile("h100-sxm")
    assert gpu.memory.total_bytes == 81559 * 2**20
    assert with_overrides(gpu, {"memory.capacity_gb": 160}).memory.total_bytes == 160e9
    with pytest.raises(FileContentError, match=r"reported_mib = 40000.0.*75,366.*81,920"):
        with_overrides(gpu, {"memory.reported_mib": 40000})
