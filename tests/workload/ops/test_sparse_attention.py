"""Block sparsity (dynamic-nk), kv-pruning and windows: attention's shape, and what finding a mask costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.domain.ops import Part
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.memory import memory_use
from infersim.workload.scenario import Layout
from infersim.workload.transformer import (
    BlockSparsity,
    MaskEstimate,
    MaskSharing,
    Transformer,
)
from tests.toy_models import gathering_skip
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    KV_HEADS,
    LAYERS,
    attention,
    decode,
    moved,
    ops_by_name,
    prefill,
    small,
    sublayers,
    with_block,
)

GATE = 16


def block_sparse(kept: float, window: int | None = None) -> Transformer:
    heads, _ = sublayers(small())
    sparsity = BlockSparsity(kept=kept, block=64, gate_dim=GATE)
    return with_block(small(), attention=replace(heads, block_sparsity=sparsity, window=window))


def kv_pruned(kept: float, window: int | None = None) -> Transformer:
    heads, _ = sublayers(small())
    return with_block(small(), attention=replace(heads, kv_kept=kept, window=window))


@pytest.mark.parametrize("make", [prefill, decode])
def test_block_sparsity_changes_the_attention_alone(make: object) -> None:
    assert callable(make)
    dense, sparse = ops_by_name(small(), make(2, 640)), ops_by_name(block_sparse(0.25), make(2, 640))
    shape = attention(sparse["attention"])
    assert (shape.kept, shape.block, shape.context_len) == (0.25, 64, 640)
    assert sparse.pop("mask_estimation").part is Part.EXTRA
    assert shape.generated
    assert replace(shape, kept=1.0, block=None, generated=False) == dense.pop("attention").shape
    del sparse["attention"]
    assert sparse == dense


def test_mask_estimation_in_prefill_by_hand() -> None:
    # 640 tokens are 10 blocks: 55 causal pairs. Two sequences, 8 heads, 2 KV heads of 32, 2 bytes.
    op = ops_by_name(block_sparse(0.25), prefill(2, 640))["mask_estimation"]
    q, k = 2 * 640 * HEADS * HEAD_DIM * 2, 2 * 640 * KV_HEADS * HEAD_DIM * 2
    pooled_q, pooled_k = 2 * 10 * HEADS * GATE * 2, 2 * 10 * KV_HEADS * GATE * 2
    scores = 2 * HEADS * 55
    shape = moved(op)
    assert shape.read_bytes == (q + k) + (pooled_q + pooled_k) + scores * 2
    assert shape.write_bytes == (pooled_q + pooled_k) + scores * 2 + scores * 1
    assert shape.compulsory_bytes == pooled_k
    assert (shape.kernels, shape.kernel, op.count) == (3, SmallKernel.COPY, LAYERS)
    eager = ops_by_name(block_sparse(0.25), prefill(2, 640, Layout.SEPARATE))["mask_estimation"]
    assert moved(eager) == replace(shape, kernels=8)


def test_mask_estimation_in_decode_reads_pooled_keys_not_the_cache() -> None:
    op = ops_by_name(block_sparse(0.25), decode(2, 641))["mask_estimation"]
    # 641 tokens begin an eleventh block.
    q, newest_k = 2 * HEADS * HEAD_DIM * 2, 2 * KV_HEADS * HEAD_DIM * 2
    pooled_k, newest_pooled = 2 * 11 * KV_HEADS * GATE * 2, 2 * KV_HEADS * GATE * 2
    scores = 2 * HEADS * 11
    shape = moved(op)
    assert shape.read_bytes == newest_k + (q + pooled_k) + scores * 2
    assert shape.write_bytes == newest_pooled + scores * 2 + scores * 1
    assert shape.compulsory_bytes == pooled_k
    assert shape.compulsory_bytes < 2 * 641 * KV_HEADS * HEAD_DIM * 2 / 64


def test_a_window_limits_the_blocks_to_score() -> None:
    # Ten blocks in a window of two: the first scores itself, nine score themselves and one before.
    shape = moved(ops_by_name(block_sparse(0.25, window=128), prefill(1, 640))["mask_estimation"])
    whole = moved(ops_by_name(block_sparse(0.25), prefill(1, 640))["mask_estimation"])
    assert np.subtract(whole.write_bytes, shape.write_bytes) == HEADS * (55 - 19) * 3
    step = moved(ops_by_name(block_sparse(0.25, window=128), decode(1, 640))["mask_estimation"])
    assert step.compulsory_bytes == 2 * KV_HEADS * GATE * 2


def test_kv_pruning_shortens_what_decode_attends_to_and_leaves_prefill_alone() -> None:
    assert attention(ops_by_name(kv_pruned(0.25), decode(2, 1000))["attention"]).context_len == 250
    assert attention(ops_by_name(kv_pruned(0.25), decode(2, 2))["attention"]).context_len == 1
    assert ops_by_name(kv_pruned(0.25), prefill(2, 1000)) == ops_by_name(small(), prefill(2, 1000))


def test_kv_pruning_thins_out_a_window() -> None:
    shape = attention(ops_by_name(kv_pruned(0.25, window=400), decode(2, 1000))["attention"])
    assert (shape.context_len, shape.window) == (250, 100)


def test_block_sparsity_and_token_skipping_multiply() -> None:
    heads, _ = sublayers(block_sparse(0.5))
    model = with_block(
        small(),
        attention=replace(heads, skip=gathering_skip(0.25)),
    )
    assert attention(ops_by_name(model, prefill(2, 640))["attention"]).kept == pytest.approx(0.5 * 0.75)
    step = ops_by_name(model, decode(1, 640))
    assert attention(step["attention"]).kept == 0.5
    assert step["attention"].count == step["mask_estimation"].count == LAYERS * 0.75


def test_windows_reach_the_attention_shape() -> None:
    heads, _ = sublayers(small())
    model = with_block(small(), attention=replace(heads, window=128))
    for scenario in (prefill(2, 1000), decode(2, 1000)):
        shape = attention(ops_by_name(model, scenario)["attention"])
        assert (shape.window, shape.context_len) == (128, 1000)


def test_a_mask_for_each_head_saves_decode_only_what_no_head_wants() -> None:
    heads, _ = sublayers(block_sparse(0.25))
    assert heads.block_sparsity is not None
    apart = replace(heads.block_sparsity, sharing=MaskSharing.HEAD)
    model = with_block(small(), attention=replace(heads, block_sparsity=apart))
    assert attention(ops_by_name(model, prefill(2, 640))["attention"]).kept == 0.25
    group = HEADS // KV_HEADS
    union = attention(ops_by_name(model, decode(2, 640))["attention"]).kept
    assert union == pytest.approx(1 - 0.75**group)


def test_scores_of_all_blocks_save_the_half_with_v_and_add_nothing() -> None:
    heads, _ = sublayers(block_sparse(0.25))
    assert heads.block_sparsity is not None
    inside = replace(heads.block_sparsity, estimate=MaskEstimate.SCORES)
    model = with_block(small(), attention=replace(heads, block_sparsity=inside))
    for scenario in (prefill(2, 640), decode(2, 640)):
        ops = ops_by_name(model, scenario)
        assert attention(ops["attention"]).kept == (1 + 0.25) / 2
        assert "mask_estimation" not in ops
    assert (
        memory_use(model, decode(2, 640)).kv_cache_bytes == memory_use(small(), decode(2, 640)).kv_cache_bytes
    )
