"""Numbers that contradict each other or cannot be: named with file, key, value and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.dtypes import DType
from infersim.domain.errors import FileContentError
from infersim.profile_files import ImplausibleValueWarning, load_profile
from tests.profile_files.example_files import write_example

BANDWIDTH = "bandwidth_gb_s = 2048"
BF16 = "bf16 = { datasheet_tflops = 204.8"
FP16 = "fp16 = { datasheet_tflops = 204.8"
FP8 = "fp8 = { datasheet_tflops = 409.6"


def test_the_example_itself_is_valid(tmp_path: Path) -> None:
    profile = load_profile(write_example(tmp_path))
    assert profile.memory.bandwidth_bytes_per_s == 2048e9
    assert profile.unverified == ("memory.capacity_gb",)
    assert "memory.capacity_gb" not in profile.sources


@pytest.mark.parametrize(
    ("old", "new", "key", "expectation"),
    [
        # sparse peaks taken as dense ones
        (BF16, BF16.replace("204.8", "409.6"), "matrix.bf16.datasheet_tflops", "204.8 .* sparse"),
        (FP8, FP8.replace("409.6", "819.2"), "matrix.fp8.datasheet_tflops", "409.6 .* sparse"),
        # a rate halved twice, and one that is simply wrong
        (BF16, BF16.replace("204.8", "102.4"), "matrix.bf16.datasheet_tflops", "204.8 .* halved"),
        (BF16, BF16.replace("204.8", "212"), "matrix.bf16.datasheet_tflops", "204.8 within 2%"),
        # bandwidth: GiB for GB, both ways; wrong units
        (BANDWIDTH, "bandwidth_gb_s = 1907", "memory.bandwidth_gb_s", "2048 within 4% .* GiB/s"),
        (BANDWIDTH, "bandwidth_gb_s = 2199", "memory.bandwidth_gb_s", "2048 within 4% .* GiB/s"),
        (BANDWIDTH, "bandwidth_gb_s = 1500", "memory.bandwidth_gb_s", r"2048 within 4% .* / 8\)$"),
        (BANDWIDTH, "bandwidth_gb_s = 2048e9", "memory.bandwidth_gb_s", "looks like bytes/s: write 2048"),
        (BANDWIDTH, "bandwidth_gb_s = 2048000", "memory.bandwidth_gb_s", "looks like MB/s: write 2048"),
        (BANDWIDTH, "bandwidth_gb_s = 2.048", "memory.bandwidth_gb_s", "looks like TB/s: write 2048"),
        # other units
        ("capacity_gb = 80", "capacity_gb = 81559", "memory.capacity_gb", "looks like MiB: write 85.5"),
        ("l2_mib = 40", "l2_mib = 40960", "chip.l2_mib", "looks like KiB: write 40"),
        ("l2_mib = 40", "l2_mib = 0", "chip.l2_mib", "a number above 0"),
        ("tensor_clock_mhz = 1000", "tensor_clock_mhz = 1.0", "chip.tensor_clock_mhz", "GHz: write 1000"),
        ("tensor_clock_mhz = 1000", "tensor_clock_mhz = 1e9", "chip.tensor_clock_mhz", "Hz: write 1000"),
        ("tdp_w = 400", "tdp_w = 0.4", "chip.tdp_w", "looks like kW: write 400"),
        ("tdp_w = 400", "tdp_w = -400", "chip.tdp_w", "a number above 0"),
        (FP8, FP8.replace("409.6", "4.096e14"), "matrix.fp8.datasheet_tflops", "FLOP/s: write 409.6"),
        # clocks and generations
        ("clock_max_mhz = 1200", "clock_max_mhz = 900", "chip.tensor_clock_mhz", r"at most .* \(900\)"),
        ('"9.9"', '"7.5"', "matrix.tf32.datasheet_tflops", "tf32.*8.0"),
        ('"9.9"', '"8.6"', "matrix.fp8.datasheet_tflops", "fp8.*8.9"),
        ('"9.9"', '"Hopper"', "compute_capability", "a version such as 9.0"),
    ],
)
def test_it_is_refused(tmp_path: Path, old: str, new: str, key: str, expectation: str) -> None:
    path = write_example(tmp_path, (old, new))
    with pytest.raises(FileContentError, match=expectation) as caught:
        load_profile(path)
    assert caught.value.file == "example.toml"
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("dtype", "tflops", "flop", "expectation"),
    [
        # Peak and FLOP per clock wrong together: only the other data types can tell.
        (
            "fp8",
            819.2,
            8192,
            r"2 x matrix.bf16.datasheet_tflops \(204.8\).*sparse",
        ),
        ("fp8", 204.8, 2048, r"2 x matrix.bf16.datasheet_tflops \(204.8\).*copy"),
        ("fp8", 614.4, 6144, r"2 x matrix.bf16.datasheet_tflops \(204.8\)$"),
        ("fp16", 409.6, 4096, r"1 x matrix.bf16.datasheet_tflops \(204.8\).+"),
        ("int8", 614.4, 6144, r"2 or 4 x matrix.bf16.datasheet_tflops \(204.8\)$"),
        ("int8", 204.8, 2048, r"2 or 4 x matrix.bf16.datasheet_tflops \(204.8\).+"),
    ],
)
def test_a_wrong_ratio_of_data_types_is_refused(
    tmp_path: Path, dtype: str, tflops: float, flop: int, expectation: str
) -> None:
    row = f"{dtype} = {{ datasheet_tflops = "
    peak, rate = (204.8, 2048) if dtype == "fp16" else (409.6, 4096)
    old = f"{row}{peak}, flop_per_clock_per_sm = {rate}"
    path = write_example(tmp_path, (old, f"{row}{tflops}, flop_per_clock_per_sm = {flop}"))
    with pytest.raises(FileContentError, match=expectation) as caught:
        load_profile(path)
    assert caught.value.key == f"matrix.{dtype}.datasheet_tflops"


def test_tf32_must_be_half_of_bf16(tmp_path: Path) -> None:
    row = "tf32 = { datasheet_tflops = 102.4, flop_per_clock_per_sm = 1024"
    path = write_example(tmp_path, (row, row.replace("102.4", "204.8").replace("1024", "2048")))
    with pytest.raises(FileContentError, match=r"matrix.bf16.*2 x matrix.tf32.datasheet_tflops \(204.8\)"):
        load_profile(path)


def test_int8_may_be_four_times_bf16(tmp_path: Path) -> None:
    row = "int8 = { datasheet_tflops = 409.6, flop_per_clock_per_sm = 4096"
    path = write_example(tmp_path, (row, "int8 = { datasheet_tflops = 819.2, flop_per_clock_per_sm = 8192"))
    assert load_profile(path).matrix_rate(DType.INT8).datasheet_tflops == 819.2


def test_no_sparsity_before_ampere(tmp_path: Path) -> None:
    later_types = (
        "tf32 = { datasheet_tflops = 102.4, flop_per_clock_per_sm = 1024, sparse_factor = 2 }\n",
        "bf16 = { datasheet_tflops = 204.8, flop_per_clock_per_sm = 2048, sparse_factor = 2 }\n",
        "fp8 = { datasheet_tflops = 409.6, flop_per_clock_per_sm = 4096, sparse_factor = 2 }\n",
    )
    path = write_example(tmp_path, *((row, "") for row in later_types), ('"9.9"', '"7.5"'))
    with pytest.raises(FileContentError, match="no 2:4 sparsity before") as caught:
        load_profile(path)
    assert caught.value.key == "matrix.fp16.sparse_factor"


def test_a_declared_exception_is_believed_and_kept(tmp_path: Path) -> None:
    row = "int8 = { datasheet_tflops = 409.6, flop_per_clock_per_sm = 4096"
    tiny = "int8 = { datasheet_tflops = 51.2, flop_per_clock_per_sm = 512"
    reason = '[exceptions]\n"matrix.int8.datasheet_tflops" = "no int8 tensor cores"\n[sources]'
    with pytest.raises(FileContentError, match="2 or 4 x"):
        load_profile(write_example(tmp_path, (row, tiny)))
    profile = load_profile(write_example(tmp_path, (row, tiny), ("[sources]", reason)))
    assert profile.exceptions == {"matrix.int8.datasheet_tflops": "no int8 tensor cores"}


def test_an_exception_cannot_excuse_an_impossible_number(tmp_path: Path) -> None:
    reason = '[exceptions]\n"memory.bandwidth_gb_s" = "trust me"\n[sources]'
    path = write_example(tmp_path, (BANDWIDTH, "bandwidth_gb_s = 2048e9"), ("[sources]", reason))
    with pytest.raises(FileContentError, match="looks like bytes/s"):
        load_profile(path)


def test_hardware_of_tomorrow_is_believed(tmp_path: Path) -> None:
    path = write_example(
        tmp_path, (BANDWIDTH, "bandwidth_gb_s = 8192"), ("pin_gbit_s = 4", "pin_gbit_s = 16")
    )
    assert load_profile(path).memory.bandwidth_bytes_per_s == 8192e9


def test_what_no_gpu_has_is_used_with_a_warning(tmp_path: Path) -> None:
    path = write_example(tmp_path, ("capacity_gb = 80", "capacity_gb = 8000"))
    outside = r"example.toml: memory.capacity_gb = 8000 .* 4 to 4000 GB"
    with (
        pytest.warns(ImplausibleValueWarning, match=r"capacity.*second"),
        pytest.warns(ImplausibleValueWarning, match=outside),
    ):
        profile = load_profile(path)
    assert profile.memory.capacity_bytes == 8000e9


def test_a_bandwidth_without_bus_and_pin_rate_is_taken_as_written(tmp_path: Path) -> None:
    path = write_example(tmp_path, (BANDWIDTH, "bandwidth_gb_s = 1907"), ("bus_bits = 4096\n", ""))
    assert load_profile(path).memory.bandwidth_bytes_per_s == 1907e9
