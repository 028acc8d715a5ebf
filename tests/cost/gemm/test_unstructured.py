"""Weights that are zero anywhere: packed bytes counted one by one, and who multiplies by them when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.gemm.unstructured import SparseKernel, UnstructuredGemm, packed_bytes, stored_bytes
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array, Numeric
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, Shape
from infersim.profile_files import list_profiles, load_profile

GPUS = [gpu for gpu in map(load_profile, list_profiles()) if DType.FP16 in gpu.matrix]
RTX_4090, RTX_3090 = load_profile("rtx-4090"), load_profile("rtx-3090")
N, K = 14336, 4096


def sparse(
    m: Numeric, density: Numeric, kernel: SparseKernel = SparseKernel.MACKO, dtype: str = "fp16"
) -> UnstructuredGemm:
    return UnstructuredGemm(m=m, n=N, k=K, density=density, precision=precision_named(dtype), kernel=kernel)


def dense(m: Numeric, dtype: str = "fp16") -> Gemm:
    return Gemm(m=m, n=N, k=K, precision=precision_named(dtype))


def seconds(shape: Shape, gpu: HardwareProfile = RTX_4090) -> Array:
    cost = kernel_cost(shape, gpu)
    return cost.kernel_s + cost.launch_s


@pytest.mark.parametrize("density", [0.03, 0.1, 0.5])
def test_macko_stores_a_zero_for_each_full_way(density: float) -> None:
    # One long row, walked along: a value more than 16 places behind the last stored one needs zeros between.
    columns = 2_000_000
    places = np.flatnonzero(np.random.default_rng(0).random(columns) < density)
    ways = np.diff(places, prepend=-1)
    stored = len(places) + np.sum((ways - 1) // 16)
    assert float(packed_bytes(1, columns, density, SparseKernel.MACKO)) == pytest.approx(
        2.5 * stored, rel=0.005
    )


def test_csr_has_a_column_for_each_value_and_a_start_for_each_row() -> None:
    assert float(packed_bytes(100, 200, 0.25, SparseKernel.CUSPARSE)) == 5000 * 6 + 101 * 4


def test_without_zeros_packing_only_adds() -> None:
    plain = 2 * N * K
    assert float(packed_bytes(N, K, 1.0, SparseKernel.MACKO)) == pytest.approx(1.25 * plain, rel=1e-3)
    assert float(stored_bytes(sparse(1, 0.5, SparseKernel.DENSE))) == plain


def test_the_dense_kernel_gains_nothing_of_zeros() -> None:
    with_zeros = kernel_cost(sparse(64, 0.25, SparseKernel.DENSE), RTX_4090)
    plain = kernel_cost(dense(64), RTX_4090)
    assert with_zeros.kernel_s == plain.kernel_s
    assert float(with_zeros.flop) == float(plain.flop) / 4
    assert with_zeros.model_bytes == plain.model_bytes


def test_other_formats_have_no_sparse_kernel() -> None:
    assert seconds(sparse(1, 0.1, dtype="fp8")) == seconds(dense(1, "fp8"))
    assert float(stored_bytes(sparse(1, 0.1, dtype="fp8"))) == N * K


@given(
    gpu=st.sampled_from(GPUS),
    tokens=st.integers(1, 4096),
    density=st.floats(0.01, 1),
    kernel=st.sampled_from(list(SparseKernel)),
)
@settings(max_examples=40)
def test_it_never_beats_its_floor(
    gpu: HardwareProfile, tokens: int, density: float, kernel: SparseKernel
) -> None:
    shape = sparse(tokens, density, kernel)
    cost = kernel_cost(shape, gpu)
    assert cost.kernel_s >= cost.matrix_floor_s
    assert cost.kernel_s >= stored_bytes(shape) / gpu.memory.bandwidth_bytes_per_s


@pytest.mark.parametrize("gpu", [RTX_3090, RTX_4090], ids=lambda gpu: gpu.name)
def test_macko_breaks_even_before_a_third_is_zero(gpu: HardwareProfile) -> None:
    few, half, most = seconds(dense(1), gpu) / seconds(sparse(1, np.array([0.95, 0.5, 0.1])), gpu)
    assert few < 1
    assert 1.2 < half < 1.7
    assert most > 3


@pytest.mark.parametrize("kernel", [SparseKernel.MACKO, SparseKernel.CUSPARSE])
def test_more_tokens_or_values_never_take_less(kernel: SparseKernel) -> None:
    tokens = np.array([1.0, 2, 3, 8, 64, 1024])
    # The dense kernel beside it may take a hair less for eight tokens than for three.
    found = seconds(sparse(tokens, 0.5, kernel))
    assert np.all(found[1:] >= 0.99 * found[:-1])
    assert np.all(np.diff(seconds(sparse(1, np.linspace(0.05, 1, 20), kernel))) > 0)


def test_two_tokens_take_twice_as_long_and_many_a_dense_copy() -> None:
    one, two, many = seconds(sparse(np.array([1.0, 2, 4096]), 0.5))
    assert two == pytest.approx(2 * one)
    assert seconds(dense(4096)) < many < 1.2 * seconds(dense(4096))


def test_a_flushed_loop_takes_longer_than_a_model() -> None:
    for kernel in SparseKernel:
        shape = sparse(1, 0.5, kernel)
        assert seconds(replace(shape, flushed=True)) > seconds(shape)
