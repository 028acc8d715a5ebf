"""Token skipping (dynamic-m): which ops see which tokens, and how often they run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops.flow import Flow
from infersim.workload.scenario import Layout
from infersim.workload.transformer import Transformer
from tests.toy_models import gathering_skip
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    WIDTH,
    attention,
    decode,
    gemm,
    mnk,
    moved,
    ops_by_name,
    prefill,
    small,
    sublayers,
    with_block,
)

QUERY, KEY = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM


def skipping(
    rate: float, *, dense_kv: bool = True, router_width: int | None = None, window: int | None = None
) -> Transformer:
    heads, ffn = sublayers(small())
    skip = gathering_skip(rate, router_width=router_width, dense_kv=dense_kv)
    return with_block(
        small(), attention=replace(heads, skip=skip, window=window), ffn=replace(ffn, skip=skip)
    )


@given(rate=st.floats(0, 0.99), tokens=st.integers(1, 4096))
@settings(deadline=None)
def test_expected_tokens_are_the_kept_ones(rate: float, tokens: int) -> None:
    kept = Flow(tokens=tokens).kept_by(gathering_skip(rate))
    assert kept.expected_tokens == pytest.approx(tokens * (1 - rate))
    assert 0 < float(kept.runs) <= 1
    assert 1 - 1e-12 <= float(kept.tokens) <= tokens * (1 + 1e-12)


def test_a_decode_sublayer_runs_unless_the_whole_batch_skips() -> None:
    # Half of eight tokens: skipped by all in one step of 2^8, and then no weight is read.
    ops = ops_by_name(skipping(0.5), decode(8, 100))
    assert ops["down"].count == pytest.approx(LAYERS * (1 - 1 / 256))
    assert mnk(ops["down"]) == pytest.approx((4 / (1 - 1 / 256), HIDDEN, WIDTH))
    alone = ops_by_name(skipping(0.5), decode(1, 100))
    assert alone["down"].count == LAYERS * 0.5
    assert mnk(alone["down"]) == (1, HIDDEN, WIDTH)


def test_prefill_with_dense_kv_splits_the_fused_qkv() -> None:
    ops = ops_by_name(skipping(0.25), prefill(2, 100))
    assert mnk(ops["q"]) == (150, QUERY, HIDDEN)
    assert mnk(ops["kv"]) == (200, 2 * KEY, HIDDEN)
    assert mnk(ops["o"]) == (150, HIDDEN, QUERY)
    assert mnk(ops["gate_up"]) == (150, 2 * WIDTH, HIDDEN)
    assert not {"qkv", "attn_residual", "ffn_residual"} & set(ops)
    assert moved(ops["attn_norm"]).read_bytes == 200 * HIDDEN * 2  # plain, as the scatter adds
    assert moved(ops["ffn_norm"]).read_bytes == 150 * HIDDEN * 2
    assert moved(ops["rotary"]).write_bytes == (150 * QUERY + 200 * KEY) * 2
    assert moved(ops["kv_write"]).write_bytes == 200 * 2 * KEY * 2


def test_decode_with_dense_kv_always_makes_k_and_v() -> None:
    ops = ops_by_name(skipping(0.5), decode(2, 100))
    for name in ("attn_norm", "kv", "rotary", "kv_write", "attn_router"):
        assert ops[name].count == LAYERS, name
    for name in ("q", "attention", "o", "ffn_norm", "gate_up", "down"):
        assert ops[name].count == LAYERS * 0.75, name
    assert mnk(ops["kv"]) == (2, 2 * KEY, HIDDEN)
    # One of two tokens kept on average; the rotary kernel runs always, over that average.
    assert moved(ops["rotary"]).write_bytes == (1 * QUERY + 2 * KEY) * 2


def test_without_dense_kv_nothing_sees_skipped_tokens() -> None:
    ops = ops_by_name(skipping(0.25, dense_kv=False), prefill(2, 100))
    assert mnk(ops["qkv"]) == (150, QUERY + 2 * KEY, HIDDEN)
    assert moved(ops["attn_norm"]).read_bytes == 150 * HIDDEN * 2
    assert moved(ops["kv_write"]).write_bytes == 150 * 2 * KEY * 2
    step = ops_by_name(skipping(0.5, dense_kv=False), decode(2, 100))
    assert step["qkv"].count == step["kv_write"].count == LAYERS * 0.75
    assert attention(step["attention"]).context_len == 50


def test_separate_layout_keeps_its_names() -> None:
    ops = ops_by_name(skipping(0.25), prefill(2, 100, Layout.SEPARATE))
    assert mnk(ops["q"]) == (150, QUERY, HIDDEN)
    assert mnk(ops["k"]) == mnk(ops["v"]) == (200, KEY, HIDDEN)
    assert mnk(ops["gate"]) == mnk(ops["up"]) == (150, WIDTH, HIDDEN)
    assert not {"attn_residual", "ffn_residual"} & set(ops)


def test_prefill_attention_computes_the_kept_queries_share_of_pairs() -> None:
    shape = attention(ops_by_name(skipping(0.25), prefill(2, 100))["attention"])
    assert (shape.query_len, shape.context_len, shape.block) == (100, 100, None)
    assert shape.kept == pytest.approx(0.75)
    absent = attention(ops_by_name(skipping(0.25, dense_kv=False), prefill(2, 100))["attention"])
    assert (absent.query_len, absent.context_len, absent.kept) == (75, 75, 1.0)


def test_decode_attention_has_fewer_sequences() -> None:
    shape = attention(ops_by_name(skipping(0.5), decode(2, 100))["attention"])
    assert shape.phase is Phase.DECODE
    assert shape.batch == pytest.approx(1 / 0.75)
    assert (shape.context_len, shape.kept) == (100, 1.0)


def test_absent_tokens_thin_out_a_window() -> None:
    model = skipping(0.25, dense_kv=False, window=40)
    assert attention(ops_by_name(model, prefill(2, 100))["attention"]).window == 30
    assert attention(ops_by_name(skipping(0.25, window=40), prefill(2, 100))["attention"]).window == 40


@pytest.mark.parametrize("prefix", ["attn", "ffn"])
def test_router_gather_and_scatter(prefix: str) -> None:
    ops = ops_by_name(skipping(0.25), prefill(2, 100, dtype="fp8"))
    assert mnk(ops[f"{prefix}_router"]) == (200, 2, HIDDEN)
    assert gemm(ops[f"{prefix}_router"]).precision.name == "bf16"
    gather, scatter = moved(ops[f"{prefix}_gather"]), moved(ops[f"{prefix}_scatter"])
    rows = 150 * HIDDEN * 2
    # Compaction of 200 tokens: two scores to a flag, flag to prefix sum, sum to index.
    assert gather.read_bytes == rows + 200 * (2 * 2 + 1 + 4)
    assert gather.write_bytes == rows + 200 * (1 + 4 + 4)
    assert (scatter.read_bytes, scatter.write_bytes) == (2 * rows, rows)
    assert gather.kernel == SmallKernel.GATHER
    assert scatter.kernel == SmallKernel.GATHER
    assert (gather.kernels, scatter.kernels) == (4, 1)
    assert gather.compulsory_bytes == scatter.compulsory_bytes == 0
    for name in ("router", "gather", "scatter"):
        assert ops[f"{prefix}_{name}"].part is Part.EXTRA


def test_decode_gathers_in_every_step_and_scatters_when_something_ran() -> None:
    ops = ops_by_name(skipping(0.5), decode(2, 100))
    # One of two rows on average, and the compaction of both tokens.
    assert moved(ops["ffn_gather"]).read_bytes == 1 * HIDDEN * 2 + 2 * (2 * 2 + 1 + 4)
    assert ops["ffn_gather"].count == LAYERS
    assert ops["ffn_scatter"].count == LAYERS * 0.75
    assert moved(ops["ffn_scatter"]).write_bytes == pytest.approx(1 / 0.75 * HIDDEN * 2)


def test_a_bottleneck_router_is_two_gemms() -> None:
    ops = ops_by_name(skipping(0.25, router_width=32), prefill(2, 100))
    assert mnk(ops["ffn_router.a"]) == (200, 32, HIDDEN)
    assert mnk(ops["ffn_router.b"]) == (200, 2, 32)
    assert "ffn_router" not in ops


def test_a_whole_grid_of_batches_is_one_call() -> None:
    batches = np.array([1, 2, 8])
    ops = ops_by_name(skipping(0.5), decode(batches, 100))
    assert ops["down"].count == pytest.approx(LAYERS * (1 - 0.5**batches))
    assert gemm(ops["down"]).m == pytest.approx(batches * 0.5 / (1 - 0.5**batches))
