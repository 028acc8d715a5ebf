"""Work and floors, re-derived by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.floor import (
    attention_flop,
    attention_kv_bytes,
    attention_query_bytes,
    causal_pairs,
    gemm_activation_bytes,
    gemm_flop,
    gemm_weight_bytes,
    kernel_floor_s,
    step_floor_s,
)
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.shapes import Attention, Gemm, Phase, WeightForm
from infersim.profile_files import load_profile


def test_a_gemm_counts_a_multiply_and_an_add_for_each_product() -> None:
    assert gemm_flop(2, 3, 5) == 60


@pytest.mark.parametrize(
    ("dtype", "form", "weight_bytes"),
    [
        ("bf16", WeightForm.DENSE, 2.0),
        ("bf16", WeightForm.SPARSE_2_4, 2.0 * 9 / 16),
        ("int8", WeightForm.SPARSE_2_4, 5 / 8),
        ("w4a16", WeightForm.DENSE, 0.5 + 2 / 128),
    ],
)
def test_weights_as_stored(dtype: str, form: WeightForm, weight_bytes: float) -> None:
    shape = Gemm(m=1, n=4096, k=1024, precision=precision_named(dtype), weights=form)
    assert gemm_weight_bytes(shape) == pytest.approx(4096 * 1024 * weight_bytes)


def test_activations_are_read_and_the_output_written() -> None:
    shape = Gemm(m=8, n=64, k=32, precision=precision_named("fp8"))
    assert gemm_activation_bytes(shape) == 8 * 32 * 1 + 8 * 64 * 2


@given(
    query=st.integers(1, 40),
    before=st.integers(0, 40),
    window=st.one_of(st.none(), st.integers(1, 50)),
)
def test_causal_pairs_are_those_of_a_drawn_mask(query: int, before: int, window: int | None) -> None:
    context = query + before
    positions = np.arange(context)
    seen = positions[None, :] <= positions[before:, None]
    if window is not None:
        seen &= positions[None, :] > positions[before:, None] - window
    assert causal_pairs(query, context, window) == seen.sum()


def test_grouped_heads_share_the_cache_they_read() -> None:
    shape = Attention(
        phase=Phase.DECODE,
        batch=2,
        query_len=1,
        context_len=100,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        dtype=DType.BF16,
    )
    assert attention_kv_bytes(shape) == 2 * (2 * 100 * 8 * 128) * 2
    assert attention_query_bytes(shape) == 2 * (2 * 1 * 32 * 128) * 2
    assert attention_flop(shape) == 4 * 2 * 32 * 100 * 128


def test_what_l2_may_hold_is_no_traffic() -> None:
    gpu = load_profile("h100-sxm")
    inside = kernel_floor_s(np.array(0.0), np.array(gpu.chip.l2_bytes), gpu, cold_bytes=0.0)
    outside = kernel_floor_s(np.array(0.0), np.array(gpu.chip.l2_bytes + 3.35e12), gpu, cold_bytes=0.0)
    assert inside == 0
    assert outside == pytest.approx(1.0)


def test_cold_bytes_are_traffic_whatever_l2_holds() -> None:
    gpu = load_profile("h100-sxm")
    cold = 0.5 * gpu.chip.l2_bytes
    alone = kernel_floor_s(np.array(0.0), np.array(cold), gpu, cold_bytes=cold)
    beside = kernel_floor_s(np.array(0.0), np.array(cold + gpu.chip.l2_bytes), gpu, cold_bytes=cold)
    beyond = kernel_floor_s(np.array(0.0), np.array(cold + gpu.chip.l2_bytes + 3.35e12), gpu, cold_bytes=cold)
    assert alone == pytest.approx(cold / 3.35e12)
    assert beside == pytest.approx(alone)
    assert beyond == pytest.approx(alone + 1.0)


def test_a_step_is_credited_with_l2_once() -> None:
    gpu = load_profile("h100-sxm")
    credit = gpu.chip.l2_bytes / gpu.memory.bandwidth_bytes_per_s
    matrix, stream = np.array([[1.0], [0.0], [2.0]]), np.array([[0.5], [3.0], [2.5]])
    assert step_floor_s(matrix, stream, gpu) == pytest.approx([1.0 + 3.0 + 2.5 - credit])


def test_no_credit_beyond_what_streaming_exposes() -> None:
    gpu = load_profile("h100-sxm")
    matrix, stream = np.array([[1.0], [2.0]]), np.array([[0.5], [2.0 + 1e-9]])
    assert step_floor_s(matrix, stream, gpu) == pytest.approx([3.0])
