"""2:4 by a relation: which one a GPU has, that it divides any dense kernel, its floors and its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.gemm.gemm import machine_of, operands_of
from infersim.cost.gemm.sparse_relations import (
    BULK,
    BY_GENERATION,
    GRAPHICS,
    HOPPER,
    MMA,
    Relation,
    is_measured,
    kernel_generation,
    sparse_relation,
)
from infersim.cost.gemm.sparse_speedup import (
    FEW_TOKENS_SHARE,
    few_tokens,
    relation_gain,
    sides_of,
)
from infersim.cost.kernels import kernel_cost
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm
from infersim.profile_files import list_profiles, load_profile

SPARSE_GPUS = [
    gpu
    for gpu in map(load_profile, list_profiles())
    if DType.BF16 in gpu.matrix and gpu.matrix[DType.BF16].sparse_factor > 1
]
TOKENS, FEATURES = st.integers(1, 32768), st.integers(64, 4096).map(lambda units: 8 * units)


def gemm(m: int, n: int, k: int, form: WeightForm, dtype: str = "bf16") -> Gemm:
    return Gemm(m=m, n=n, k=k, precision=precision_named(dtype), weights=form, act_quant=False)


def bare(gpu: HardwareProfile) -> HardwareProfile:
    return replace(gpu, fit=None, calibration=Calibration.NONE, fit_source=None)


def total_s(cost: KernelCost) -> float:
    return float(cost.kernel_s + cost.launch_s)


def speedup(gpu: HardwareProfile, m: int, n: int, k: int, dtype: str = "bf16") -> float:
    dense, sparse = (
        total_s(kernel_cost(gemm(m, n, k, form, dtype), gpu))
        for form in (WeightForm.DENSE, WeightForm.SPARSE_2_4)
    )
    return dense / sparse


def gain(relation: Relation, gpu: HardwareProfile, m: int, n: int, k: int) -> float:
    whole, sparse = (gemm(m, n, k, form) for form in (WeightForm.DENSE, WeightForm.SPARSE_2_4))
    sides = sides_of(machine_of(gpu, DType.BF16), operands_of(whole), operands_of(sparse), sparse)
    at = (np.array([side], dtype=np.float32) for side in (m, n, k))
    return float(relation_gain(relation, sides, *at).speedup[0])


def test_relations_are_those_of_the_board_the_part_or_the_kernel_generation() -> None:
    board, part = (sparse_relation(load_profile(name), DType.FP16) for name in ("a100-pcie-80gb", "a30"))
    assert board.fitted_on == part.fitted_on == "a100-pcie-80gb"
    assert board.weight_reread > 0.5 > part.weight_reread
    assert sparse_relation(load_profile("rtx-4090"), DType.BF16) not in BY_GENERATION.values()
    assert sparse_relation(load_profile("l40s"), DType.BF16) in BY_GENERATION.values()
    assert not is_measured(load_profile("l40s"), DType.BF16)
    assert kernel_generation(load_profile("h100-sxm")) == HOPPER
    assert kernel_generation(load_profile("gb200")) == BULK
    assert kernel_generation(load_profile("a30")) == MMA
    assert {kernel_generation(load_profile(name)) for name in ("rtx-3090", "l40s", "rtx-pro-6000")} == {
        GRAPHICS
    }


@pytest.mark.parametrize("gpu", ["h100-sxm", "b200-sxm"])
@pytest.mark.parametrize("dtype", ["bf16", "fp8"])
def test_the_gain_is_the_same_upon_any_dense_kernel(gpu: str, dtype: str) -> None:
    profile = load_profile(gpu)
    assert speedup(profile, 4096, 8192, 8192, dtype) == pytest.approx(
        speedup(bare(profile), 4096, 8192, 8192, dtype)
    )


def test_quantising_takes_as_long_beside_either() -> None:
    gpu = load_profile("h100-sxm")
    whole = gemm(2048, 4096, 8192, WeightForm.SPARSE_2_4, "fp8")
    sparse_s, dense_s = (
        total_s(kernel_cost(replace(shape, act_quant=True), gpu)) - total_s(kernel_cost(shape, gpu))
        for shape in (whole, replace(whole, weights=WeightForm.DENSE))
    )
    assert sparse_s == pytest.approx(dense_s, rel=1e-6)


def test_a_few_tokens_gain_a_part_of_what_the_tables_show() -> None:
    gpu = load_profile("rtx-4090")
    relation = sparse_relation(gpu, DType.BF16)
    for tokens, share in (
        (64, 1.0),
        (32, FEW_TOKENS_SHARE**0.5),
        (16, FEW_TOKENS_SHARE),
        (2, FEW_TOKENS_SHARE),
    ):
        said = gain(relation, gpu, tokens, 8192, 8192)
        assert speedup(gpu, tokens, 8192, 8192) == pytest.approx(said * share, rel=1e-4)
    assert few_tokens(np.array([1.0, 16.0, 64.0, 1e6])).tolist() == [1.0, 1.0, 0.0, 0.0]


def test_l2_binds_graphics_cards_that_multiply_faster() -> None:
    relation = BY_GENERATION[GRAPHICS, 2.0]
    gains = [gain(relation, load_profile(name), 8192, 8192, 8192) for name in ("rtx-4090", "l40s")]
    assert gains[0] > gains[1] + 0.1


@given(gpu=st.sampled_from(SPARSE_GPUS), m=TOKENS, n=FEATURES, k=FEATURES)
def test_the_sparse_floor_is_never_beaten(gpu: HardwareProfile, m: int, n: int, k: int) -> None:
    """Cold weights: 9/16 of the bytes; twice the dense peak at the highest clock."""
    cost = kernel_cost(gemm(m, n, k, WeightForm.SPARSE_2_4), gpu)
    bytes_s = n * k * 2 * 9 / 16 / gpu.memory.bandwidth_bytes_per_s
    flop_s = m * n * k * 2 / (2 * gpu.bound_flop_per_s(DType.BF16))
    assert float(cost.kernel_s) >= max(bytes_s, flop_s) * (1 - 1e-9)


@given(gpu=st.sampled_from(SPARSE_GPUS), m=TOKENS, n=FEATURES, k=FEATURES)
def test_more_zeros_are_never_slower(gpu: HardwareProfile, m: int, n: int, k: int) -> None:
    slid, sparse = (
        total_s(kernel_cost(gemm(m, n, 2 * k, form), bare(gpu)))
        for form in (WeightForm.SLIDE_6_8, WeightForm.SPARSE_2_4)
    )
    assert sparse <= slid * (1 + 1e-6)


def test_the_interval_is_the_dense_kernels_and_the_relations() -> None:
    gpu = load_profile("h100-sxm")
    dense, sparse = (
        kernel_cost(gemm(4096, 8192, 8192, form), gpu) for form in (WeightForm.DENSE, WeightForm.SPARSE_2_4)
    )
    assert float(sparse.log_half_width) == pytest.approx(
        float(np.hypot(dense.log_half_width, sparse.pair_log_half_width))
    )
    assert sparse.pair_log_half_width > 0.2
    assert not sparse.in_range


def test_the_interval_reaches_the_other_library() -> None:
    """cuSPARSELt keeps no order of tiles, CUTLASS does: far apart on a wide matrix, not on a narrow one."""
    ordered, plain = load_profile("a100-sxm-80gb"), load_profile("a100-pcie-80gb")
    wide, narrow = (8192, 28672, 4096), (8192, 4096, 4096)
    for sides, apart in ((wide, True), (narrow, False)):
        cost = kernel_cost(gemm(*sides, WeightForm.SPARSE_2_4), ordered)
        gap = float(np.log(speedup(ordered, *sides) / speedup(plain, *sides)))
        assert (gap > 0.2) is apart
        assert cost.pair_log_half_width > (gap if apart else 0.0) * 0.9
