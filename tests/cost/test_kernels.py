"""Physics that every kernel's cost obeys, on every GPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.floor import kernel_floor_s
from infersim.cost.gemm.tiles import CHUNK
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Numeric
from infersim.domain.costs import LIMITERS, KernelCost, Limiter
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Attention, Gemm, MemoryBound, Phase, WeightForm
from infersim.profile_files import list_profiles, load_profile

PROFILES = [load_profile(name) for name in list_profiles()]
BF16 = [gpu for gpu in PROFILES if DType.BF16 in gpu.matrix]
DIMENSION = st.integers(1, 65536)


def _gemm(m: Numeric, n: Numeric, k: Numeric, form: WeightForm = WeightForm.DENSE) -> Gemm:
    return Gemm(m=m, n=n, k=k, precision=precision_named("bf16"), weights=form)


def _total(cost: KernelCost) -> float:
    return float(cost.kernel_s + cost.launch_s)


@given(
    gpu=st.sampled_from(BF16), m=DIMENSION, n=DIMENSION, k=DIMENSION, form=st.sampled_from(list(WeightForm))
)
def test_a_gemm_never_beats_its_floor(gpu: HardwareProfile, m: int, n: int, k: int, form: WeightForm) -> None:
    cost = kernel_cost(_gemm(m, n, k, form), gpu)
    weights = cost.model_bytes
    assert cost.kernel_s >= kernel_floor_s(cost.matrix_floor_s, weights, gpu, cold_bytes=weights)
    assert cost.kernel_s >= weights / gpu.memory.bandwidth_bytes_per_s


@given(
    gpu=st.sampled_from(BF16),
    phase=st.sampled_from(list(Phase)),
    batch=st.integers(1, 512),
    context=st.integers(1, 65536),
    groups=st.integers(1, 16),
    kv_heads=st.integers(1, 16),
    head_dim=st.sampled_from([64, 96, 128, 256]),
)
def test_attention_never_beats_its_floor(
    gpu: HardwareProfile, phase: Phase, batch: int, context: int, groups: int, kv_heads: int, head_dim: int
) -> None:
    shape = Attention(
        phase=phase,
        batch=batch,
        query_len=context if phase is Phase.PREFILL else 1,
        context_len=context,
        num_heads=groups * kv_heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        dtype=DType.BF16,
    )
    cost = kernel_cost(shape, gpu)
    assert cost.kernel_s >= cost.matrix_floor_s
    assert cost.kernel_s >= cost.model_bytes / gpu.memory.bandwidth_bytes_per_s


@given(gpu=st.sampled_from(PROFILES), read=st.integers(0, 10**12), written=st.integers(0, 10**12))
def test_moving_more_bytes_takes_longer(gpu: HardwareProfile, read: int, written: int) -> None:
    less = kernel_cost(MemoryBound(read_bytes=read, write_bytes=written), gpu)
    more = kernel_cost(MemoryBound(read_bytes=2 * read + 1, write_bytes=written), gpu)
    assert _total(more) > _total(less)


@pytest.mark.parametrize("gpu", BF16, ids=lambda gpu: gpu.name)
def test_uncalibrated_physics_is_monotone_over_octaves(gpu: HardwareProfile) -> None:
    bare = replace(gpu, fit=None)
    sizes = 2.0 ** np.arange(6, 16)
    for shape in (
        Gemm(m=sizes, n=4096, k=4096, precision=precision_named("bf16")),
        Gemm(m=4096, n=sizes, k=4096, precision=precision_named("bf16")),
        Gemm(m=4096, n=4096, k=sizes, precision=precision_named("bf16")),
    ):
        cost = kernel_cost(shape, bare)
        assert np.all(np.diff(cost.kernel_s) > 0)


def test_one_row_above_a_tile_costs_another_tile() -> None:
    gpu = replace(load_profile("a100-sxm-80gb"), fit=None)
    cost = kernel_cost(_gemm(np.array([2048, 2049]), 8192, 8192), gpu)
    before, after = cost.kernel_s
    assert 1.01 < after / before < 1.3


def test_resident_weights_are_faster_than_cold_ones_only_where_they_fit() -> None:
    gpu = replace(load_profile("l40s"), fit=None)
    small, large = _gemm(1, 2048, 2048), _gemm(1, 16384, 16384)
    assert _total(kernel_cost(replace(small, weight_copies=1), gpu)) < 0.9 * _total(kernel_cost(small, gpu))
    assert _total(kernel_cost(replace(large, weight_copies=6), gpu)) == pytest.approx(
        _total(kernel_cost(large, gpu)), rel=0.01
    )


def test_limiters_name_the_cause() -> None:
    gpu = replace(load_profile("h100-sxm"), fit=None)
    m = np.array([1, 16384, 1])
    n = k = np.array([16384, 16384, 32])
    shapes = _gemm(m, n, k)
    codes = kernel_cost(shapes, gpu).limiter
    assert [LIMITERS[code] for code in codes] == [Limiter.MEMORY, Limiter.COMPUTE, Limiter.LAUNCH]


def test_chunks_do_not_show() -> None:
    gpu = load_profile("h100-sxm")
    rng = np.random.default_rng(0)
    m, n, k = (np.floor(2 ** rng.uniform(0, 14, CHUNK + 7)) for _ in range(3))
    whole, last = kernel_cost(_gemm(m, n, k), gpu), kernel_cost(_gemm(m[-7:], n[-7:], k[-7:]), gpu)
    np.testing.assert_array_equal(whole.kernel_s[-7:], last.kernel_s)
    np.testing.assert_array_equal(whole.limiter[-7:], last.limiter)


def test_a_host_that_issues_every_kernel_is_slower_where_kernels_are_short() -> None:
    gpu = load_profile("h100-sxm")
    short, long = _gemm(1, 256, 256), _gemm(8192, 8192, 8192)
    assert _total(kernel_cost(short, gpu, cuda_graph=False)) > _total(kernel_cost(short, gpu))
    assert _total(kernel_cost(long, gpu, cuda_graph=False)) == _total(kernel_cost(long, gpu))


def test_quantising_activations_costs_time_in_w8a8_only() -> None:
    gpu = load_profile("h100-sxm")
    for dtype, costs in (("fp8", True), ("bf16", False)):
        shape = Gemm(m=64, n=4096, k=4096, precision=precision_named(dtype))
        without = _total(kernel_cost(replace(shape, act_quant=False), gpu))
        assert (_total(kernel_cost(shape, gpu)) > without) is costs
