"""Samples against the floor: wrong units and wrong GPUs are refused, honest measurements pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infersim.domain.errors import InfersimError
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.fitting.samples.unit_check import WrongUnitError, check_against_floor, floors_us
from infersim.profile_files.profiles import load_profile
from tests.fitting.example_samples import ATTENTION, GEMM, LAUNCH, MEMORY, SPARSE, every_kind, table

MEASURED = Path(__file__).parents[4] / "shared" / "data"
PROFILES = {
    "a100_sxm": "a100-sxm-80gb",
    "l40s": "l40s",
    "h100_sxm": "h100-sxm",
    "b200_sxm": "b200-sxm",
    "rtx_pro_6000_server": "rtx-pro-6000-server",
}
H100_FLOP_PER_S = 4096 * 132 * 1980e6


def plausible(kind: str, count: int = 40) -> pd.DataFrame:
    """Samples of one kind from tiny to large, each at 1.5 times its floor plus 3 us of launch."""
    sizes = np.geomspace(64, 16384, count).astype(int)
    rows = {
        "gemm": [GEMM | {"m": size, "n": size, "k": size} for size in sizes],
        "attention": [ATTENTION | {"context_len": size, "batch": 64} for size in sizes],
        "memory": [MEMORY | {"read_bytes": size * 65536, "write_bytes": size * 65536} for size in sizes],
    }[kind]
    frame = read_samples(table(*rows)).frame
    return frame.assign(latency_us=1.5 * floors_us(frame, load_profile("h100-sxm")) + 3.0)


def test_floors_are_those_of_the_formula() -> None:
    large = GEMM | {"m": 8192, "n": 8192, "k": 8192}
    decode = GEMM | {"m": 1, "n": 65536, "k": 8192}
    h100 = load_profile("h100-sxm")
    floors = floors_us(read_samples(table(large, decode, LAUNCH)).frame, h100)
    # L2 is credited though `weight_copies` is empty: the file may only not say how it kept the weights.
    operand_bytes = 2 * (65536 * 8192 + 8192 + 65536)
    assert floors[0] == pytest.approx(1e6 * 2 * 8192**3 / H100_FLOP_PER_S)
    assert floors[1] == pytest.approx(1e6 * (operand_bytes - h100.chip.l2_bytes) / 3350e9)
    assert np.isnan(floors[2])


def test_a_two_of_four_gemm_has_half_the_matrix_floor() -> None:
    shape = {"m": 8192, "n": 8192, "k": 8192}
    floors = floors_us(read_samples(table(GEMM | shape, SPARSE | shape)).frame, load_profile("h100-sxm"))
    assert floors[1] == pytest.approx(floors[0] / 2)


@pytest.mark.parametrize("kind", ["gemm", "attention", "memory"])
def test_plausible_samples_pass_and_are_described(kind: str) -> None:
    check = check_against_floor(plausible(kind), load_profile("h100-sxm"))[kind]
    assert check.rows == 40
    assert check.share_below_floor == 0.0
    assert 1.5 <= check.median_ratio < 100


@pytest.mark.parametrize("kind", ["gemm", "attention", "memory"])
@pytest.mark.parametrize(
    ("unit", "per_microsecond"), [("milliseconds", 1e-3), ("seconds", 1e-6), ("nanoseconds", 1e3)]
)
def test_another_unit_is_refused_and_named(kind: str, unit: str, per_microsecond: float) -> None:
    frame = plausible(kind)
    frame = frame.assign(latency_us=frame["latency_us"] * per_microsecond)
    with pytest.raises(WrongUnitError, match=f"{kind} samples: .*microseconds.*{unit}"):
        check_against_floor(frame, load_profile("h100-sxm"))


def test_one_kind_in_another_unit_is_found_among_the_others() -> None:
    right, wrong = plausible("gemm"), plausible("attention")
    wrong = wrong.assign(latency_us=wrong["latency_us"] / 1000)
    with pytest.raises(WrongUnitError, match="attention samples"):
        check_against_floor(pd.concat([right, wrong]), load_profile("h100-sxm"))


@pytest.mark.parametrize(
    ("slower", "says"),
    [
        ("a100-sxm-80gb", r"\b40 rows.*a100-sxm-80gb"),
        ("t4", "milliseconds.*faster"),
    ],
)
def test_samples_faster_than_the_gpu_can_be_are_refused(slower: str, says: str) -> None:
    with pytest.raises(InfersimError, match=says):
        check_against_floor(plausible("gemm").assign(dtype="fp16"), load_profile(slower))


def test_a_few_outliers_either_way_are_no_reason_to_refuse() -> None:
    frame = plausible("gemm")
    latency = frame["latency_us"].to_numpy().copy()
    latency[-2:] /= 10
    latency[:2] *= 10
    check = check_against_floor(frame.assign(latency_us=latency), load_profile("h100-sxm"))["gemm"]
    assert check.share_below_floor == pytest.approx(2 / 40)


def test_every_row_with_a_shape_is_in_exactly_one_group() -> None:
    frame = read_samples(every_kind()).frame
    positions = np.concatenate([rows for rows, _ in kernel_shapes(frame)])
    assert sorted(positions) == [row for row, kind in enumerate(frame["kind"]) if kind != "launch"]


@pytest.mark.parametrize("kind", ["gemm", "attention"])
@pytest.mark.parametrize("gpu", PROFILES)
def test_no_real_measurement_is_below_its_floor_or_looks_like_another_unit(gpu: str, kind: str) -> None:
    path = MEASURED / kind / f"{gpu}.parquet"
    if not path.is_file():
        pytest.skip(f"needs the measurements in {MEASURED}")
    profile = load_profile(PROFILES[gpu])
    said = {"gpu": profile.name, "kind": kind, "dtype": "bf16", "weight_copies": 6}
    read = read_samples(path, defaults=said)
    check = check_against_floor(read.frame, profile)[kind]
    assert check.rows == read.rows_read
    assert check.share_below_floor == 0.0
