"""Token skipping in place: generated kernels skip rows, results are filled with zeros, the rest sees all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.domain.ops import Part
from infersim.workload.scenario import Layout
from infersim.workload.transformer import SkipExecution, TokenSkip, Transformer
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


def skipping(rate: float, *, dense_kv: bool = True) -> Transformer:
    heads, ffn = sublayers(small())
    skip = TokenSkip(rate=rate, router_width=None, dense_kv=dense_kv, execution=SkipExecution.BLOCKS)
    return with_block(small(), attention=replace(heads, skip=skip), ffn=replace(ffn, skip=skip))


def test_gemms_see_kept_tokens_and_elementwise_kernels_all() -> None:
    ops, dense = ops_by_name(skipping(0.25), prefill(2, 100)), ops_by_name(small(), prefill(2, 100))
    assert mnk(ops["q"]) == (150, QUERY, HIDDEN)
    assert mnk(ops["gate_up"]) == (150, 2 * WIDTH, HIDDEN)
    assert mnk(ops["kv"]) == (200, 2 * KEY, HIDDEN)
    for name in ("attn_norm", "ffn_norm", "rotary", "kv_write", "activation"):
        assert ops[name] == dense[name], name
    assert not {"attn_gather", "attn_scatter", "ffn_gather", "ffn_scatter"} & set(ops)


def test_only_kernels_that_skip_rows_are_generated() -> None:
    for scenario in (prefill(2, 100), decode(4, 100)):
        ops = ops_by_name(skipping(0.25), scenario)
        assert all(gemm(ops[name]).generated for name in ("q", "o", "gate_up", "down"))
        assert not any(gemm(ops[name]).generated for name in ("kv", "attn_router", "lm_head"))
        assert attention(ops["attention"]).generated


def test_separate_layout_adds_its_residuals_as_ever() -> None:
    ops = ops_by_name(skipping(0.25), prefill(2, 100, Layout.SEPARATE))
    dense = ops_by_name(small(), prefill(2, 100, Layout.SEPARATE))
    for name in ("attn_residual", "ffn_residual"):
        assert ops[name] == dense[name], name


def test_results_are_filled_with_zeros() -> None:
    fused = ops_by_name(skipping(0.25), prefill(2, 100))
    written = moved(fused["attn_zero_fill"])
    assert (written.write_bytes, written.read_bytes) == (200 * (2 * QUERY + HIDDEN) * 2, 0)
    assert (written.kernels, written.compulsory_bytes) == (3, 0)
    assert moved(fused["ffn_zero_fill"]).write_bytes == 200 * (2 * WIDTH + HIDDEN) * 2
    assert moved(fused["ffn_zero_fill"]).kernels == 2
    separate = ops_by_name(skipping(0.25), prefill(2, 100, Layout.SEPARATE))
    assert moved(separate["ffn_zero_fill"]).kernels == 3
    assert fused["ffn_zero_fill"].part is Part.EXTRA
    absent = ops_by_name(skipping(0.25, dense_kv=False), prefill(2, 100))
    assert moved(absent["attn_zero_fill"]).write_bytes == 200 * (2 * QUERY + HIDDEN + 2 * KEY) * 2


def test_compaction_runs_in_every_step_and_weights_are_read_if_anything_is_kept() -> None:
    ops = ops_by_name(skipping(0.5), decode(8, 100))
    assert ops["ffn_compaction"].count == ops["ffn_zero_fill"].count == LAYERS
    assert moved(ops["ffn_compaction"]).kernels == 3
    assert moved(ops["ffn_compaction"]).read_bytes == 8 * (2 * 2 + 1 + 4)
    assert ops["down"].count == pytest.approx(LAYERS * (1 - 0.5**8))
