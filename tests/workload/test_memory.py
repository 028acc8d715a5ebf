"""Memory of weights, KV cache and activations, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.domain.dtypes import DType
from infersim.workload.counts import weight_bytes
from infersim.workload.memory import fits, kv_cache_bytes, memory_use, peak_activation_bytes
from infersim.workload.presets import load_model
from infersim.workload.scenario import Layout
from infersim.workload.transformer import BlockSparsity, Linear, ReplacedSublayer
from tests.toy_models import gathering_skip
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    VOCAB,
    WIDTH,
    decode,
    prefill,
    small,
    sublayers,
    with_block,
)

KV_BYTES = 2 * KV_HEADS * HEAD_DIM * 2  # K and V of a token in one block


def test_cache_of_every_layer_and_token() -> None:
    assert kv_cache_bytes(small(), prefill(4, 100)) == LAYERS * 4 * 100 * KV_BYTES
    assert kv_cache_bytes(small(), decode(4, 100)) == LAYERS * 4 * 100 * KV_BYTES
    assert kv_cache_bytes(small(), decode(4, 100, kv_dtype=DType.FP8)) == LAYERS * 4 * 100 * KV_BYTES / 2


def test_cache_broadcasts() -> None:
    grid = kv_cache_bytes(small(), decode(np.array([[1], [4]]), np.array([10, 100, 1000])))
    assert grid.shape == (2, 3)
    assert grid[1, 2] == LAYERS * 4 * 1000 * KV_BYTES


def test_only_blocks_with_attention_cache() -> None:
    block = small().blocks[0]
    linear = ReplacedSublayer(linear=Linear(out_features=HIDDEN, in_features=HIDDEN))
    model = small().with_blocks((block, replace(block, attention=None), replace(block, attention=linear)))
    assert kv_cache_bytes(model, decode(1, 100)) == 100 * KV_BYTES
    assert kv_cache_bytes(small().with_blocks(()), decode(1, np.array([1, 2]))).tolist() == [0, 0]


def test_window_eviction_and_absent_tokens_shrink_the_cache() -> None:
    heads, _ = sublayers(small())
    window = with_block(small(), attention=replace(heads, window=64))
    assert kv_cache_bytes(window, decode(1, 100)) == LAYERS * 64 * KV_BYTES
    evicted = with_block(small(), attention=replace(heads, kv_kept=0.25))
    assert kv_cache_bytes(evicted, decode(1, 100)) == LAYERS * 25 * KV_BYTES
    assert kv_cache_bytes(evicted, prefill(1, 100)) == LAYERS * 100 * KV_BYTES
    absent = with_block(
        small(),
        attention=replace(
            heads,
            skip=gathering_skip(0.25, dense_kv=False),
        ),
    )
    assert kv_cache_bytes(absent, prefill(1, 100)) == LAYERS * 75 * KV_BYTES
    present = with_block(
        small(),
        attention=replace(heads, skip=gathering_skip(0.25)),
    )
    assert kv_cache_bytes(present, prefill(1, 100)) == LAYERS * 100 * KV_BYTES


def test_block_sparsity_caches_pooled_keys_beside_the_cache() -> None:
    heads, _ = sublayers(small())
    sparsity = BlockSparsity(kept=0.5, block=64, gate_dim=16)
    model = with_block(small(), attention=replace(heads, block_sparsity=sparsity))
    pooled = 2 * KV_HEADS * 16 * 2  # 100 tokens are two blocks
    assert kv_cache_bytes(model, decode(1, 100)) == LAYERS * (100 * KV_BYTES + pooled)


def test_widest_point_is_the_ffn() -> None:
    # Stream and normed input, and gate, up and their product.
    expected = 4 * 100 * (2 * HIDDEN + 3 * WIDTH) * 2
    assert peak_activation_bytes(small(), prefill(4, 100)) == expected
    assert peak_activation_bytes(small(), prefill(4, 100, Layout.SEPARATE)) == expected


def test_widest_point_is_attention_where_the_ffn_is_gone() -> None:
    model = with_block(small(), ffn=None)
    query, key = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    fused = 100 * (2 * HIDDEN + query + 2 * key + query) * 2
    eager = 100 * (2 * HIDDEN + 4 * query + 2 * key) * 2  # four copies of q inside rotary
    assert peak_activation_bytes(model, prefill(1, 100)) == fused
    assert peak_activation_bytes(model, prefill(1, 100, Layout.SEPARATE)) == eager


def test_widest_point_of_a_small_decode_is_the_logits() -> None:
    # Logits in 16 bit and widened to 32.
    assert peak_activation_bytes(small(), decode(8, 100)) == 8 * 2 * HIDDEN * 2 + max(
        8 * 3 * WIDTH * 2, 8 * VOCAB * (2 + 4)
    )
    assert 8 * VOCAB * 6 > 8 * 3 * WIDTH * 2


def test_total_is_the_sum_of_what_lives_at_once() -> None:
    scenario = decode(4, 100)
    use = memory_use(small(), scenario)
    assert use.weights_bytes == weight_bytes(small(), scenario.execution)
    assert use.total_bytes == use.weights_bytes + LAYERS * 4 * 100 * KV_BYTES + use.activations_bytes


def test_a_tenth_of_the_capacity_is_kept_back() -> None:
    assert fits(np.array([0.9e9, 0.9e9 + 1]), 1e9).tolist() == [True, False]


@pytest.mark.parametrize(("batch", "expected"), [(1, True), (16, True), (32, False)])
def test_llama_at_32k_on_96_gb(batch: int, expected: bool) -> None:
    """16 GB of weights and 4.3 GB of cache a sequence: sixteen sequences decode in 96 GB, 32 do not."""
    use = memory_use(load_model("llama-3.1-8b"), decode(batch, 32768))
    assert bool(fits(use.total_bytes, 96e9)) is expected
