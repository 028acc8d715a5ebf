"""Rows off 16-byte boundaries: which GEMMs have them, and what they lose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.gemm.alignment import FALLBACK_TENSOR_SPEED, LOAD_SPEED, aligned_bytes, misaligned
from infersim.cost.gemm.gemm import gemm_cost
from infersim.cost.kernels import kernel_cost
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm
from infersim.profile_files import load_profile
from infersim.simulation.speedups.kernel_latency import gemm_latency

ADA, HOPPER = (load_profile(name) for name in ("l40s", "h100-sxm"))


def gemm(n: int, k: int, dtype: str = "bf16", m: int = 8192) -> Gemm:
    return Gemm(m=m, n=n, k=k, precision=precision_named(dtype))


def slowdown(shape: Gemm, gpu: HardwareProfile) -> float:
    aligned = gemm_cost(shape, gpu, cuda_graph=True)
    return float(kernel_cost(shape, gpu).kernel_s / aligned.kernel_s)


def test_bytes_of_a_row_by_hand() -> None:
    # 4100 values of 2 bytes are 8200 = 8 x 1025 bytes.
    assert aligned_bytes(np.array([4096, 4100, 4098, 4099]), 2.0).tolist() == [16, 8, 4, 2]
    assert aligned_bytes(np.array([4096, 4104]), 1.0).tolist() == [16, 8]


@pytest.mark.parametrize(("n", "k", "off"), [(4096, 4096, False), (4100, 4096, True), (4096, 4100, True)])
def test_either_side_counts(n: int, k: int, off: bool) -> None:
    assert bool(misaligned(gemm(n, k))) is off


@pytest.mark.parametrize("gpu", [ADA, HOPPER], ids=lambda gpu: gpu.name)
def test_multiples_of_eight_lose_nothing(gpu: HardwareProfile) -> None:
    assert slowdown(gemm(4104, 4088), gpu) == 1.0


def test_loads_slow_with_k_alone_where_nothing_is_copied_in_bulk() -> None:
    assert slowdown(gemm(4099, 4096), ADA) == 1.0
    for k, aligned in ((4100, 8), (4098, 4), (4099, 2)):
        assert slowdown(gemm(4096, k), ADA) == pytest.approx(1 / LOAD_SPEED[aligned])


def test_bulk_copies_fall_back_to_older_tensor_instructions() -> None:
    many, few = slowdown(gemm(4100, 4096), HOPPER), slowdown(gemm(4100, 4096, m=1), HOPPER)
    assert 1.2 < many < 1 / FALLBACK_TENSOR_SPEED
    assert few == pytest.approx(1.0, abs=1e-3)  # a vector is streamed, not multiplied


def test_what_was_not_measured_is_out_of_range() -> None:
    assert kernel_cost(gemm(4096, 4096), HOPPER).in_range
    assert not kernel_cost(gemm(4096, 4100), HOPPER).in_range


@pytest.mark.slow
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 10_000))
def test_alignment_never_gains(n: int, k: int, m: int) -> None:
    shape = replace(gemm(n, k), m=m)
    for gpu in (ADA, HOPPER):
        assert slowdown(shape, gpu) >= 1 - 1e-12


@pytest.mark.parametrize(
    ("gpu", "m", "n", "k", "published_us"),
    [("h100-sxm", 9477, 1152, 588, 131.0), ("a100-pcie-40gb", 16, 248077, 2560, 1670.0)],
)
def test_intervals_of_misaligned_rows_reach_what_was_published(
    gpu: str, m: int, n: int, k: int, published_us: float
) -> None:
    found = gemm_latency(gpu, m, n, k)
    assert float(found.lower_s) < published_us * 1e-6 < float(found.upper_s)


@pytest.mark.parametrize("gpu", ["h100-sxm", "a100-sxm-80gb", "b200-sxm", "l40s"])
@pytest.mark.parametrize(("n", "k"), [(4097, 4096), (4096, 4097), (4100, 4096), (4096, 4092)])
def test_nobody_is_sure_of_misaligned_rows(gpu: str, n: int, k: int) -> None:
    found = gemm_latency(gpu, 8192, [4096, n], [4096, k])
    even, odd = np.log(np.asarray(found.upper_s) / found.latency_s)
    assert odd > even + 0.3
