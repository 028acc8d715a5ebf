"""Rows off 16-byte boundaries: which GEMMs have them, what they lose, and the published points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.gemm.alignment import (
    FALLBACK_SPEED,
    LOAD_SPEED,
    aligned_bytes,
    misaligned,
    shared_alignment,
    with_alignment,
)
from infersim.cost.gemm.gemm import gemm_cost
from infersim.cost.kernels import kernel_cost
from infersim.domain.costs import Latency
from infersim.domain.dtypes import precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm
from infersim.profile_files import load_profile
from infersim.simulation.kernels.gemm import gemm_latency

AMPERE, ADA, HOPPER, BLACKWELL, CARD = (
    load_profile(name) for name in ("a100-sxm-80gb", "l40s", "h100-sxm", "b300-sxm", "rtx-5090")
)
GPUS = [AMPERE, ADA, HOPPER, BLACKWELL, CARD]


def gemm(n: int, k: int, dtype: str = "bf16", m: int = 8192) -> Gemm:
    return Gemm(m=m, n=n, k=k, precision=precision_named(dtype))


def slowdown(shape: Gemm, gpu: HardwareProfile) -> float:
    aligned = gemm_cost(shape, gpu, cuda_graph=True)
    return float(kernel_cost(shape, gpu).kernel_s / aligned.kernel_s)


def test_bytes_of_a_row_by_hand() -> None:
    # 4100 values of 2 bytes are 8200 = 8 x 1025 bytes.
    assert aligned_bytes(np.array([4096, 4100, 4098, 4099]), 2.0).tolist() == [16, 8, 4, 2]
    assert aligned_bytes(np.array([4096, 4104]), 1.0).tolist() == [16, 8]


@pytest.mark.parametrize(
    ("n", "k", "shared"),
    [(4096, 4096, 16), (4100, 4096, 8), (4096, 4100, 8), (4098, 4100, 4), (4099, 4096, 2), (4096, 4099, 2)],
)
def test_the_worse_of_both_sides_counts(n: int, k: int, shared: int) -> None:
    assert int(shared_alignment(gemm(n, k))) == shared
    assert bool(misaligned(gemm(n, k))) is (shared < 16)


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("m", [1, 16, 8192])
def test_multiples_of_eight_lose_nothing(gpu: HardwareProfile, m: int) -> None:
    assert slowdown(gemm(4104, 4088, m=m), gpu) == 1.0
    assert slowdown(gemm(4096, 4096, m=m), gpu) == 1.0


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("m", [1, 16, 256, 8192])
@pytest.mark.parametrize("side", ["n", "k"])
def test_what_is_aligned_better_is_never_slower(gpu: HardwareProfile, m: int, side: str) -> None:
    """On the same cost, so that nothing but alignment differs: rows on 16, 8, 4 and 2 bytes."""
    cost = gemm_cost(gemm(4096, 4096, m=m), gpu, cuda_graph=True)
    sides = [(4096 + off, 4096) if side == "n" else (4096, 4096 + off) for off in (0, 4, 2, 1)]
    shapes = [gemm(n, k, m=m) for n, k in sides]
    times = [float(with_alignment(shape, cost, gpu).kernel_s) for shape in shapes]
    assert times == sorted(times)
    assert times[0] == float(cost.kernel_s)


def test_streaming_slows_by_narrower_loads() -> None:
    """16 tokens stream the weights: 1 - x of the time at a load's speed, x where multiplying bounds."""
    shape = gemm(4099, 8192, m=16)
    flop_s, bytes_s = 2 * 16 / AMPERE.bound_flop_per_s(shape.precision.math), 2 / 2039e9
    multiplying = flop_s / (flop_s + bytes_s)
    assert slowdown(shape, AMPERE) == pytest.approx((1 - multiplying) / LOAD_SPEED[2] + multiplying, rel=1e-3)


def test_an_sm_that_multiplies_fast_waits_for_its_loads() -> None:
    """Per SM, A100 multiplies twice as fast as an L40S, four times as fast as an RTX 4090."""
    a100, l40s, card = (slowdown(gemm(4099, 4096), gpu) for gpu in (AMPERE, ADA, load_profile("rtx-4090")))
    assert a100 > 1.4
    assert a100 > l40s > card
    assert card < 1.1


@pytest.mark.parametrize("gpu", [HOPPER, BLACKWELL], ids=lambda gpu: gpu.name)
def test_bulk_copies_fall_back_to_older_kernels(gpu: HardwareProfile) -> None:
    many, few = slowdown(gemm(4100, 4096), gpu), slowdown(gemm(4100, 4096, m=16), gpu)
    assert many == pytest.approx(1 / FALLBACK_SPEED, rel=0.05)
    assert few < 1.2


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
def test_the_result_of_one_token_is_one_row(gpu: HardwareProfile) -> None:
    assert slowdown(gemm(32001, 4096, m=1), gpu) == 1.0
    assert slowdown(gemm(32000, 4097, m=1), gpu) > 1.3
    assert kernel_cost(gemm(32001, 4096, m=1), gpu).log_half_width > 0.4  # nobody measured it


def test_what_was_not_measured_is_out_of_range() -> None:
    assert kernel_cost(gemm(4096, 4096), HOPPER).in_range
    assert not kernel_cost(gemm(4096, 4100), HOPPER).in_range


@pytest.mark.slow
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 10_000))
def test_alignment_never_gains(n: int, k: int, m: int) -> None:
    shape = replace(gemm(n, k), m=m)
    for gpu in (ADA, HOPPER):
        assert slowdown(shape, gpu) >= 1 - 1e-12


PEGAINFER = "github.com/pegainfer-project/pegainfer/pull/1046"
PYTORCH_4090 = "github.com/pytorch/pytorch/issues/181718"
PYTORCH_B200 = "github.com/pytorch/pytorch/pull/196992"
H100_ODD_K = "K 588 for 592, bf16, H100"


@pytest.mark.parametrize(
    ("gpu", "m", "n", "k", "published_us"),
    [
        pytest.param("h100-sxm", 9477, 1152, 588, 131.0, id=H100_ODD_K),
        pytest.param("a100-pcie-40gb", 16, 248077, 2560, 1670.0, id=f"{PEGAINFER} PCIe"),
        pytest.param("a100-sxm-40gb", 16, 248077, 2560, 1670.0, id=f"{PEGAINFER} SXM"),
        pytest.param("rtx-4090", 2055, 2055, 2055, 150.1, id=f"{PYTORCH_4090} 2055"),
        pytest.param("rtx-4090", 2057, 2057, 2057, 163.0, id=f"{PYTORCH_4090} 2057"),
        pytest.param("rtx-4090", 2056, 2056, 2056, 194.0, id=f"{PYTORCH_4090} 2056"),
        pytest.param("rtx-4090", 2072, 2072, 2072, 212.8, id=f"{PYTORCH_4090} 2072"),
        pytest.param("b200-sxm", 1157, 1157, 4096, 99.1, id=PYTORCH_B200),
    ],
)
def test_intervals_reach_what_was_published(gpu: str, m: int, n: int, k: int, published_us: float) -> None:
    copies = None if m == 16 else 1  # squares in a loop; a model's LM head is cold
    found = gemm_latency(gpu, m, n, k, weight_copies=copies)
    assert float(found.lower_s) < published_us * 1e-6 < float(found.upper_s)


def test_a_padded_vocabulary_saves_what_nanogpt_saw() -> None:
    """25 % of a training step on A100 (A. Karpathy, 2023), a third of whose FLOPs are the LM head's: 1.8."""
    odd, padded = (gemm_latency("a100-sxm-80gb", 12288, n, 768) for n in (50257, 50304))
    assert float(odd.latency_s / padded.latency_s) == pytest.approx(1.8, rel=0.25)
    assert float(odd.upper_s / padded.latency_s) > 1.8


def _log_width(found: Latency) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.log(np.asarray(found.upper_s) / found.latency_s)


@pytest.mark.parametrize("gpu", ["h100-sxm", "a100-sxm-80gb", "b200-sxm", "l40s"])
@pytest.mark.parametrize(("n", "k"), [(4097, 4096), (4096, 4097), (4100, 4096), (4096, 4092)])
def test_nobody_is_sure_of_misaligned_rows(gpu: str, n: int, k: int) -> None:
    even, odd = _log_width(gemm_latency(gpu, 8192, [4096, n], [4096, k]))
    assert odd > even + 0.3


@pytest.mark.parametrize("gpu", ["h100-sxm", "a100-sxm-80gb"])
def test_an_odd_vocabulary_is_as_unsure_as_any_odd_width(gpu: str) -> None:
    width = {n: float(_log_width(gemm_latency(gpu, 4, n, 4096))) for n in (32000, 32001, 28672, 28673)}
    assert width[32001] > width[32000] + 0.2
    assert width[32001] == pytest.approx(width[28673], abs=0.05)
