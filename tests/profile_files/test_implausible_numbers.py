"""Numbers that no known GPU has, or that a slip explains: used, with a warning that gives the reason."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.files.reading import read_toml
from infersim.profile_files import ImplausibleValueWarning, list_profiles, load_profile, with_overrides
from infersim.profile_files.datasheets import parse_datasheet
from infersim.profile_files.names import shipped_files
from infersim.profile_files.plausibility import RATIOS, _values, implausibilities
from tests.profile_files.example_files import write_example

HOPPER = ('"9.9"', '"9.0"')
BANDWIDTH = "bandwidth_gb_s = 2048"
UNCHECKED = ("bus_bits = 4096\n", "")


def shipped_text(name: str) -> str:
    return shipped_files()[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list_profiles())
def test_no_shipped_gpu_is_implausible(name: str) -> None:
    path = shipped_files()[name]
    sheet = parse_datasheet(read_toml(path), path.name)
    assert not list(implausibilities(sheet))


def test_the_limits_say_truly_what_known_gpus_have() -> None:
    found: dict[int, list[float]] = {index: [] for index in range(len(RATIOS))}
    for path in shipped_files().values():
        sheet = parse_datasheet(read_toml(path), path.name)
        for ratio, value, _ in _values(sheet):
            found[RATIOS.index(ratio)].append(value)
    for index, ratio in enumerate(RATIOS):
        assert ratio.known == pytest.approx((min(found[index]), max(found[index])), rel=0.04)
        assert ratio.limits[0] < ratio.known[0] / 2
        assert ratio.limits[1] > ratio.known[1] * 2


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        (BANDWIDTH, "bandwidth_gb_s = 16384", "memory.bandwidth_gb_s", "looks like Gbit/s: write 2048"),
        (BANDWIDTH, "bandwidth_gb_s = 110", "memory.bandwidth_gb_s", "times the capacity"),
        ("capacity_gb = 80", "capacity_gb = 74.5", "memory.capacity_gb", "looks like GiB: write 80"),
        ("capacity_gb = 80", "capacity_gb = 1600", "memory.bandwidth_gb_s", "times the capacity"),
        ("l2_mib = 40", "l2_mib = 2", "chip.l2_mib", "MiB for each SM"),
        ("l2_mib = 40", "l2_mib = 400", "chip.l2_mib", "MiB for each SM"),
        ("tdp_w = 400", "tdp_w = 25", "chip.tdp_w", "TFLOP/s for each watt"),
    ],
)
def test_it_is_used_with_a_warning(tmp_path: Path, old: str, new: str, key: str, reason: str) -> None:
    path = write_example(tmp_path, UNCHECKED, (old, new))
    with pytest.warns(ImplausibleValueWarning, match=reason) as caught:
        load_profile(path)
    assert any(f"example.toml: {key} = " in str(each.message) for each in caught)


def test_sparse_peaks_with_the_flop_doubled_along_are_told_by_the_capability(tmp_path: Path) -> None:
    # 8192 FLOP/clock/SM x 100 SMs x 1000 MHz, each of bf16's relatives doubled as well.
    path = write_example(tmp_path, HOPPER)
    text = path.read_text()
    for tflops, flop in (("409.6", "4096"), ("204.8", "2048"), ("102.4", "1024")):
        text = text.replace(
            f"datasheet_tflops = {tflops}, flop_per_clock_per_sm = {flop},",
            f"datasheet_tflops = {float(tflops) * 4}, flop_per_clock_per_sm = {int(flop) * 4},",
        )
    path.write_text(text)
    with pytest.warns(ImplausibleValueWarning, match=r"16.* = 8192.*4096.*2:4"):
        load_profile(path)


def test_a_declared_exception_silences_the_warning(tmp_path: Path) -> None:
    reason = '[exceptions]\n"chip.l2_mib" = "a cache of stacked dies"\n[sources]'
    path = write_example(tmp_path, ("l2_mib = 40", "l2_mib = 400"), ("[sources]", reason))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_profile(path).chip.l2_bytes == 400 * 2**20


def test_a_file_that_bears_a_known_name_is_compared_with_infersims_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(shipped_text("l40s").replace('name = "l40s"', 'name = "mine"').replace("48", "46"))
    with pytest.warns(ImplausibleValueWarning, match=r"mine.toml: memory.capacity_gb = 46.*48.*l40s"):
        load_profile(path)


def test_a_bandwidth_in_gib_that_nothing_in_the_file_checks_is_told_from_relatives(tmp_path: Path) -> None:
    path = write_example(tmp_path, UNCHECKED, HOPPER, (BANDWIDTH, "bandwidth_gb_s = 3120"))
    with (
        pytest.warns(ImplausibleValueWarning, match="4096"),
        pytest.warns(ImplausibleValueWarning, match="3350 of h100-sxm.*GiB"),
    ):
        load_profile(path)


def test_the_sm_count_of_another_die_is_told_by_all_peaks_together(tmp_path: Path) -> None:
    path = write_example(tmp_path, ("sm_count = 100", "sm_count = 108"))
    with pytest.raises(FileContentError, match="100 SMs"):
        load_profile(path)


def test_hypothetical_hardware_stays_possible() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twice = with_overrides("h100-sxm", {"memory.bandwidth_gb_s": 6700.0, "chip.sm_count": 160.0})
    assert twice.chip.sm_count == 160
    with pytest.warns(ImplausibleValueWarning, match=r"memory.bandwidth_gb_s = 30000; .*known GPUs"):
        with_overrides("h100-sxm", {"memory.bandwidth_gb_s": 30000.0})
