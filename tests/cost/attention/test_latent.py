"""Absorbed latent attention in decode: one cache for all heads, read once and multiplied by each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.floor import attention_flop, attention_kv_bytes, attention_query_bytes
from infersim.cost.kernels import kernel_cost
from infersim.domain.dtypes import DType
from infersim.domain.shapes import Attention, Phase
from infersim.profile_files.profiles import load_profile

H100 = load_profile("h100-sxm")
DEEPSEEK = Attention(
    phase=Phase.DECODE,
    batch=64,
    query_len=1,
    context_len=4096,
    num_heads=128,
    num_kv_heads=1,
    head_dim=576,
    value_dim=512,
    shared_kv=True,
    dtype=DType.BF16,
)


def seconds(shape: Attention) -> float:
    return float(kernel_cost(shape, H100).kernel_s)


def test_the_cache_is_read_once_and_multiplied_by_every_head() -> None:
    assert attention_kv_bytes(DEEPSEEK) == 64 * 4096 * 576 * 2
    assert attention_flop(DEEPSEEK) == 2 * 64 * 128 * 4096 * (576 + 512)
    assert attention_query_bytes(DEEPSEEK) == 64 * 128 * (576 + 512) * 2


def test_heads_whose_values_are_narrower_than_their_keys() -> None:
    expanded = replace(
        DEEPSEEK, phase=Phase.PREFILL, batch=1, query_len=100, context_len=100, num_kv_heads=128,
        head_dim=192, value_dim=128, shared_kv=False,
    )  # fmt: skip
    assert attention_flop(expanded) == 2 * 128 * 5050 * (192 + 128)
    assert attention_kv_bytes(expanded) == 100 * 128 * (192 + 128) * 2
    alike = replace(expanded, head_dim=160, value_dim=None)
    assert attention_flop(alike) == attention_flop(expanded)
    assert attention_kv_bytes(alike) == attention_kv_bytes(expanded)


@pytest.mark.parametrize("more", [replace(DEEPSEEK, batch=128), replace(DEEPSEEK, context_len=8192)])
def test_twice_the_cache_takes_twice_as_long_where_it_fills_the_chip(more: Attention) -> None:
    assert seconds(more) == pytest.approx(2 * seconds(DEEPSEEK), rel=0.1)


def test_more_heads_take_longer_but_not_in_proportion() -> None:
    few, many = (seconds(replace(DEEPSEEK, num_heads=heads)) for heads in (16, 128))
    assert few < many < 8 * few


def test_a_kernel_of_grouped_heads_would_read_more() -> None:
    """128 heads with K and V of their own channels from 16 KV heads: the latent cache is far smaller."""
    grouped = replace(DEEPSEEK, num_kv_heads=16, head_dim=128, value_dim=None, shared_kv=False)
    assert attention_kv_bytes(DEEPSEEK) < attention_kv_bytes(grouped) / 7


def test_no_floor_is_beaten_and_none_of_it_counts_as_measured() -> None:
    batch, context = np.array([1, 8, 64, 512]), np.array([[64], [4096], [131072]])
    cost = kernel_cost(replace(DEEPSEEK, batch=batch, context_len=context), H100)
    stream_s = cost.model_bytes / H100.memory.bandwidth_bytes_per_s
    assert (cost.kernel_s >= np.maximum(cost.matrix_floor_s, stream_s)).all()
    assert not cost.in_range.any()


def test_a_long_cache_streams_near_the_bandwidth() -> None:
    """3,000 of 3,350 GB/s with few heads, and some 600 TFLOP/s with many, as FlashMLA's authors report."""
    long = replace(DEEPSEEK, batch=128, context_len=32768)
    thin = replace(long, num_heads=16)
    assert float(attention_kv_bytes(thin)) / seconds(thin) / 1e9 == pytest.approx(3000, rel=0.05)
    assert float(attention_flop(long)) / seconds(long) / 1e12 == pytest.approx(600, rel=0.1)
