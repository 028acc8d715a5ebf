"""The profiles that come with infersim: complete, consistent, sourced, and free of the known traps."""

from __future__ import annotations

import json
import re

import pytest

from infersim.domain.dtypes import DType
from infersim.files.reading import read_toml
from infersim.profile_files import fit_path, list_profiles, load_profile
from infersim.profile_files.consistency import contradictions
from infersim.profile_files.datasheets import parse_datasheet
from infersim.profile_files.names import shipped_files

CANONICAL = (
    "a100-sxm-80gb",
    "a100-pcie-80gb",
    "a100-pcie-40gb",
    "a100-sxm-40gb",
    "a10",
    "a30",
    "a40",
    "l4",
    "l40s",
    "l40",
    "l20",
    "h100-sxm",
    "h100-pcie",
    "h100-nvl",
    "h200-sxm",
    "h20",
    "h800-sxm",
    "gh200-96gb",
    "gh200-144gb",
    "b200-sxm",
    "b300-sxm",
    "gb200",
    "gb300",
    "v100-sxm",
    "t4",
    "rtx-2080-super",
    "rtx-3060",
    "rtx-3090",
    "rtx-4070-ti-super",
    "rtx-4080",
    "rtx-4090",
    "rtx-5080",
    "rtx-5090",
    "rtx-pro-6000",
    "rtx-pro-6000-server",
    "rtx-6000-ada",
    "rtx-a5000",
    "rtx-a6000",
    "jetson-orin-agx",
    "mi300x",
    "mi325x",
    "mi250",
)

EXPECTED_EXCEPTIONS = {
    ("b300-sxm", "matrix.int8.datasheet_tflops"),
    ("b300-sxm", "matrix.fp32.datasheet_tflops"),
    ("b300-sxm", "matrix.fp4.datasheet_tflops"),
    ("gb300", "matrix.int8.datasheet_tflops"),
    ("h20", "matrix.fp32.datasheet_tflops"),
    ("mi250", "matrix.int8.datasheet_tflops"),
    ("rtx-pro-6000-server", "matrix.fp32.datasheet_tflops"),
    ("v100-sxm", "matrix.int8.datasheet_tflops"),
}


def test_the_canonical_names_are_shipped() -> None:
    assert list_profiles() == tuple(sorted(CANONICAL))


@pytest.mark.parametrize("name", CANONICAL)
def test_it_loads_under_its_file_name_with_evidence_for_every_number(name: str) -> None:
    profile = load_profile(name)  # a warning of an implausible number would fail the test
    assert profile.name == name
    numbers = parse_datasheet(read_toml(shipped_files()[name]), name).numbers()
    assert numbers.keys() == {*profile.sources, *profile.unverified}


def test_every_declared_exception_is_a_real_contradiction() -> None:
    declared = {(name, key) for name in CANONICAL for key in load_profile(name).exceptions}
    found = {
        (name, contradiction.key)
        for name, path in shipped_files().items()
        for contradiction in contradictions(parse_datasheet(read_toml(path), name))
    }
    assert declared == found == EXPECTED_EXCEPTIONS


def test_no_two_profiles_share_an_alias() -> None:
    aliases = [alias.casefold() for name in CANONICAL for alias in load_profile(name).aliases]
    assert len(aliases) == len(set(aliases))


@pytest.mark.parametrize("name", CANONICAL)
def test_the_bound_at_the_highest_clock_is_not_below_the_datasheet(name: str) -> None:
    profile = load_profile(name)
    for dtype, rate in profile.matrix.items():
        if f"matrix.{dtype}.datasheet_tflops" not in profile.exceptions:
            # 2 %: datasheets are rounded
            assert profile.bound_flop_per_s(dtype) >= 0.98 * rate.datasheet_tflops * 1e12


@pytest.mark.parametrize(
    ("name", "dtype", "flop", "sms", "mhz", "cap"),
    [
        ("a100-sxm-80gb", DType.BF16, 2048, 108, 1410, 1),
        ("l40s", DType.FP8, 2048, 142, 2520, 1),
        ("h100-sxm", DType.BF16, 4096, 132, 1830, 1),
        ("h100-sxm", DType.FP32, 256, 132, 1980, 1),  # 128 FMA units, quoted at the maximum clock
        ("h100-pcie", DType.BF16, 4096, 114, 1620, 1),
        ("b200-sxm", DType.FP4, 32768, 148, 1856, 1),
        ("h20", DType.BF16, 4096, 78, 1980, 148 / (4096 * 78 * 1980e-6)),
        ("rtx-pro-6000-server", DType.BF16, 1024, 188, 2430, 1),
        ("rtx-5090", DType.BF16, 512, 170, 2407, 1),
        ("t4", DType.FP16, 1024, 40, 1590, 1),
        ("rtx-2080-super", DType.FP16, 512, 48, 1815, 1),
        ("rtx-a6000", DType.BF16, 1024, 84, 1800, 1),
        ("l40", DType.BF16, 512, 142, 2490, 1),
        ("jetson-orin-agx", DType.INT8, 4096, 16, 1300, 1),
        ("mi300x", DType.BF16, 2048, 304, 2100, 1),
        ("mi250", DType.BF16, 1024, 104, 1700, 1),  # one of the two dies of a module
    ],
)
def test_a_dense_peak_is_flop_per_clock_times_sms_times_clock(
    name: str, dtype: DType, flop: int, sms: int, mhz: int, cap: float
) -> None:
    peak = load_profile(name).matrix_rate(dtype).datasheet_tflops
    assert peak == pytest.approx(flop * sms * mhz * cap / 1e6, rel=0.02)


def test_decimal_units_give_no_free_bandwidth_or_memory() -> None:
    h100 = load_profile("h100-sxm")
    assert h100.memory.bandwidth_bytes_per_s == 3350e9
    assert h100.memory.capacity_bytes == 80e9
    assert h100.chip.l2_bytes == 50 * 2**20  # vendors write MB for the MiB of a cache


def test_sparse_rates_are_told_apart() -> None:
    for name in ("v100-sxm", "t4", "rtx-2080-super", "mi250"):
        assert {rate.sparse_factor for rate in load_profile(name).matrix.values()} == {1.0}
    b300 = load_profile("b300-sxm")
    assert b300.matrix_rate(DType.FP4).sparse_factor == 1.3
    assert b300.matrix_rate(DType.BF16).sparse_factor == 2.0
    for name in CANONICAL:
        if (fp32 := load_profile(name).matrix.get(DType.FP32)) is not None:
            assert fp32.sparse_factor == 1.0  # no tensor cores, no 2:4


def test_volta_and_turing_have_no_bfloat16() -> None:
    for name in ("v100-sxm", "t4", "rtx-2080-super"):
        assert DType.BF16 not in load_profile(name).matrix
        assert DType.FP16 in load_profile(name).matrix


def test_numbers_that_no_table_confirmed_are_marked() -> None:
    assert "memory.pin_gbit_s" in load_profile("a100-pcie-80gb").unverified
    workstation = load_profile("rtx-pro-6000")
    assert "matrix.bf16.datasheet_tflops" in workstation.unverified
    assert "matrix.bf16.datasheet_tflops" not in workstation.sources
    assert "memory.bandwidth_gb_s" in workstation.sources


@pytest.mark.parametrize(
    ("name", "lender"),
    [("rtx-pro-6000", "rtx-pro-6000-server"), ("h800-sxm", "h100-sxm"), ("a100-sxm-40gb", "a100-sxm-80gb")],
)
def test_a_card_borrows_the_fit_of_the_same_die_under_the_same_power_limit(name: str, lender: str) -> None:
    assert read_toml(shipped_files()[name])["fit_from"] == lender
    card, other = load_profile(name).chip, load_profile(lender).chip
    assert (card.sm_count, card.l2_bytes, card.tdp_w) == (other.sm_count, other.l2_bytes, other.tdp_w)


def test_shipped_fits_belong_to_a_profile_and_take_at_most_32_kib_a_kind() -> None:
    folder = shipped_files()["h100-sxm"].parent
    fits = set(folder.glob("*.fit.json"))
    assert fits <= {fit_path(path) for path in shipped_files().values()}
    for fit in fits:
        table = json.loads(fit.read_text(encoding="utf-8"))
        kinds = sum(map(len, (table["kinds"], *table.get("kernel_sets", {}).values())))
        assert fit.stat().st_size <= kinds * 32 * 1024, fit.name


def test_the_sources_document_lists_what_is_unverified() -> None:
    text = (shipped_files()["h100-sxm"].parent / "SOURCES.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", text, flags=re.MULTILINE))
    for name in CANONICAL:
        keys = re.findall(r"`([^`]+)`", listed.get(name, ""))
        assert tuple(keys) == unverified_patterns(name), name


def unverified_patterns(name: str) -> tuple[str, ...]:
    """The list `unverified` of a shipped profile, as it is written."""
    return tuple(read_toml(shipped_files()[name]).get("unverified", ()))
