"""GEMMs whose groups tokens take or leave: work, tiles, bytes and sorts, derived by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.gemm.group_skip import (
    GroupAxis,
    GroupGemm,
    GroupKernels,
    expected_tiles,
    operand_bytes,
    weight_bytes,
)
from infersim.cost.gemm.mask_sort import MaskSort
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array, Numeric
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape
from infersim.profile_files import list_profiles, load_profile

GPUS = [gpu for gpu in map(load_profile, list_profiles()) if DType.BF16 in gpu.matrix]
RTX_5090, H100 = load_profile("rtx-5090"), load_profile("h100-sxm")


def gemm_mn(
    m: Numeric, *, kept: Numeric = 0.5, group: Numeric = 128, n: int = 14336, k: int = 4096
) -> GroupGemm:
    return GroupGemm(
        m=m, n=n, k=k, kept=kept, group=group, axis=GroupAxis.OUTPUT, precision=precision_named("bf16")
    )


def gemm_k(m: Numeric, *, kept: Numeric = 0.5, group: Numeric = 128) -> GroupGemm:
    return replace(gemm_mn(m, kept=kept, group=group, n=4096, k=14336), axis=GroupAxis.INPUT)


def seconds(shape: Shape, gpu: HardwareProfile = RTX_5090) -> Array:
    cost = kernel_cost(shape, gpu)
    return cost.kernel_s + cost.launch_s


def test_a_group_is_read_if_any_token_takes_it() -> None:
    whole = 2 * 14336 * 4096
    assert weight_bytes(gemm_mn(np.array([1.0, 2.0, 4.0]))) == pytest.approx(
        [whole / 2, whole * 3 / 4, whole * 15 / 16]
    )


def test_activations_are_read_whole_by_groups_of_n_and_written_whole_by_groups_of_k() -> None:
    # 2 bytes each: of 8 tokens 4096 read and half of 14336 written; half of 14336 read and 4096 written.
    by_n = operand_bytes(gemm_mn(8)) - weight_bytes(gemm_mn(8))
    by_k = operand_bytes(gemm_k(8)) - weight_bytes(gemm_k(8))
    assert float(by_n) == float(by_k) == 8 * 2 * (4096 + 7168)


@pytest.mark.parametrize(
    ("tokens", "rows", "tiles"),
    [
        (32, 16, 1 + 0.5 * 15 / 16),
        (16384, 128, 64 + 0.5 * 127 / 128),
        (8, 128, 1 - 0.5**8),
        (1, 16, 0.5 / 16 + 0.5 * 15 / 16),
    ],
)
def test_half_a_tile_of_each_group_is_empty(tokens: int, rows: int, tiles: float) -> None:
    found = expected_tiles(np.array(float(tokens)), np.array(0.5), np.array(float(rows)))
    assert float(found) == pytest.approx(tiles)


def test_without_a_mask_there_are_the_tiles_of_the_dense_gemm() -> None:
    tokens = np.array([16.0, 128.0, 1000.0])
    assert list(expected_tiles(tokens, np.ones(3), np.full(3, 128.0))) == [1, 1, 8]


@given(
    gpu=st.sampled_from(GPUS),
    tokens=st.integers(1, 65536),
    kept=st.floats(0.01, 1),
    group=st.sampled_from([32, 128, 512]),
    kernels=st.sampled_from(list(GroupKernels)),
    axis=st.sampled_from(list(GroupAxis)),
)
@settings(max_examples=40)
def test_it_never_beats_its_floor(
    gpu: HardwareProfile, tokens: int, kept: float, group: int, kernels: GroupKernels, axis: GroupAxis
) -> None:
    shape = replace(gemm_mn(tokens, kept=kept, group=group), kernels=kernels, axis=axis)
    cost = kernel_cost(shape, gpu)
    assert float(cost.flop) == pytest.approx(2 * tokens * kept * 14336 * 4096)
    assert cost.kernel_s >= cost.matrix_floor_s
    assert cost.kernel_s >= weight_bytes(shape) / gpu.memory.bandwidth_bytes_per_s


@pytest.mark.parametrize("axis", list(GroupAxis))
@pytest.mark.parametrize("tokens", [1, 8, 100, 4096])
def test_taking_more_takes_no_less_time(axis: GroupAxis, tokens: int) -> None:
    shape = replace(gemm_mn(tokens, kept=np.linspace(0.05, 1, 20)), axis=axis)
    assert np.all(np.diff(seconds(shape)) >= -1e-12)


def test_small_groups_of_k_add_more_partial_sums() -> None:
    small, middle, large = seconds(gemm_k(4096, group=np.array([32, 128, 512])))
    # 448, 112 and 28 groups, each of which adds 4096 x 2048 sums.
    assert small > 1.5 * middle > 1.5 * large
    few = seconds(gemm_k(1, group=np.array([32, 512])))
    assert few[0] == few[1]


def test_groups_of_n_narrower_than_a_tile_are_slower() -> None:
    narrow, tile, wide = seconds(gemm_mn(4096, group=np.array([32, 128, 512])))
    assert narrow > 1.1 * tile
    assert tile == wide


def test_cute_kernels_run_where_they_were_written_for() -> None:
    cute, triton = gemm_mn(1024), replace(gemm_mn(1024), kernels=GroupKernels.TRITON)
    assert seconds(cute) < seconds(triton)
    assert seconds(cute, H100) == seconds(triton, H100)


def test_half_of_the_weights_fits_in_l2_where_all_do_not() -> None:
    hot = replace(gemm_mn(1), weight_copies=1)
    # 59 of 117 MB, in 96 MB of L2.
    assert seconds(hot) < 0.6 * seconds(gemm_mn(1))
    assert float(kernel_cost(hot, RTX_5090).model_bytes) == 0


def test_vector_kernels_need_no_sort() -> None:
    tokens = np.array([1.0, 4.0, 5.0, 16384.0])
    one, four, five, many = seconds(MaskSort(tokens=tokens, groups=112))
    assert one == four == 0
    assert 0 < five < many
    assert float(many) < 10 * seconds(MaskSort(tokens=4096, groups=112))
