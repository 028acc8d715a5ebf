"""What a narrower, sparse, low-rank, replaced or removed part does to each op."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.domain.errors import InvalidValueError
from infersim.domain.ops import Part
from infersim.domain.shapes import WeightForm
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Layout
from infersim.workload.sublayers.norms import QkNorm
from infersim.workload.transformer import Block, FeedForward, Linear, ReplacedSublayer
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    VOCAB,
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

M = 2 * 100
QUERY, KEY = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM


def low_rank(linear: Linear, rank: int) -> Linear:
    return replace(linear, rank=rank)


def sparse(linear: Linear) -> Linear:
    return replace(linear, form=WeightForm.SPARSE_2_4)


def test_low_rank_separate_runs_a_pair_for_each_matrix() -> None:
    heads, ffn = sublayers(small())
    model = with_block(
        small(),
        attention=replace(heads, q=low_rank(heads.q, 16), k=low_rank(heads.k, 8), v=low_rank(heads.v, 4)),
        ffn=replace(ffn, down=low_rank(ffn.down, 32)),
    )
    ops = ops_by_name(model, prefill(2, 100, Layout.SEPARATE))
    assert (mnk(ops["q.a"]), mnk(ops["q.b"])) == ((M, 16, HIDDEN), (M, QUERY, 16))
    assert (mnk(ops["k.a"]), mnk(ops["k.b"])) == ((M, 8, HIDDEN), (M, KEY, 8))
    assert (mnk(ops["v.a"]), mnk(ops["v.b"])) == ((M, 4, HIDDEN), (M, KEY, 4))
    assert (mnk(ops["down.a"]), mnk(ops["down.b"])) == ((M, 32, WIDTH), (M, HIDDEN, 32))
    assert mnk(ops["gate"]) == (M, WIDTH, HIDDEN)
    assert not {"q", "k", "v", "down"} & set(ops)


def test_low_rank_fused_stacks_the_first_factors_only() -> None:
    heads, ffn = sublayers(small())
    assert ffn.gate is not None
    model = with_block(
        small(),
        attention=replace(heads, q=low_rank(heads.q, 16), k=low_rank(heads.k, 8), v=low_rank(heads.v, 4)),
        ffn=replace(ffn, gate=low_rank(ffn.gate, 20), up=low_rank(ffn.up, 12)),
    )
    ops = ops_by_name(model, prefill(2, 100))
    assert mnk(ops["qkv.a"]) == (M, 16 + 8 + 4, HIDDEN)
    assert mnk(ops["q.b"]) == (M, QUERY, 16)
    assert mnk(ops["k.b"]) == (M, KEY, 8)
    assert mnk(ops["v.b"]) == (M, KEY, 4)
    assert mnk(ops["gate_up.a"]) == (M, 20 + 12, HIDDEN)
    assert (mnk(ops["gate.b"]), mnk(ops["up.b"])) == ((M, WIDTH, 20), (M, WIDTH, 12))
    assert not {"qkv", "gate_up", "q.a", "gate.a"} & set(ops)


@pytest.mark.parametrize("change", [sparse, lambda linear: low_rank(linear, 16)])
def test_matrices_of_different_kinds_are_not_stacked(change: object) -> None:
    assert callable(change)
    heads, _ = sublayers(small())
    ops = ops_by_name(with_block(small(), attention=replace(heads, q=change(heads.q))), prefill(2, 100))
    assert mnk(ops["k"]) == mnk(ops["v"]) == (M, KEY, HIDDEN)
    assert "qkv" not in ops
    assert "gate_up" in ops


def test_2_4_marks_block_linears_and_never_the_head() -> None:
    heads, ffn = sublayers(small())
    assert ffn.gate is not None
    model = with_block(
        small(),
        attention=replace(heads, q=sparse(heads.q), k=sparse(heads.k), v=sparse(heads.v), o=sparse(heads.o)),
        ffn=FeedForward(gate=sparse(ffn.gate), up=sparse(ffn.up), down=sparse(ffn.down)),
    )
    ops = ops_by_name(model, decode(2, 100))
    for name in ("qkv", "o", "gate_up", "down"):
        assert gemm(ops[name]).weights is WeightForm.SPARSE_2_4, name
    assert mnk(ops["qkv"]) == (2, QUERY + 2 * KEY, HIDDEN)  # K stays: the form says that half of it is zero
    assert gemm(ops["lm_head"]).weights is WeightForm.DENSE


def test_fewer_heads_and_a_narrower_ffn_change_n_of_one_gemm_and_k_of_the_next() -> None:
    heads, ffn = sublayers(small())
    assert ffn.gate is not None
    model = with_block(
        small(),
        attention=replace(
            heads,
            q=replace(heads.q, out_features=4 * HEAD_DIM),
            k=replace(heads.k, out_features=HEAD_DIM),
            v=replace(heads.v, out_features=HEAD_DIM),
            o=replace(heads.o, in_features=4 * HEAD_DIM),
            num_heads=4,
            num_kv_heads=1,
        ),
        ffn=FeedForward(
            gate=replace(ffn.gate, out_features=100),
            up=replace(ffn.up, out_features=100),
            down=replace(ffn.down, in_features=100),
        ),
    )
    ops = ops_by_name(model, prefill(2, 100))
    assert mnk(ops["qkv"]) == (M, 6 * HEAD_DIM, HIDDEN)
    assert mnk(ops["o"]) == (M, HIDDEN, 4 * HEAD_DIM)
    assert mnk(ops["gate_up"]) == (M, 200, HIDDEN)
    assert mnk(ops["down"]) == (M, HIDDEN, 100)
    assert moved(ops["activation"]).read_bytes == M * 200 * 2
    assert moved(ops["rotary"]).write_bytes == M * 5 * HEAD_DIM * 2
    assert moved(ops["kv_write"]).write_bytes == M * 2 * HEAD_DIM * 2
    assert (attention(ops["attention"]).num_heads, attention(ops["attention"]).num_kv_heads) == (4, 1)


@pytest.mark.parametrize("layout", list(Layout))
def test_a_removed_sublayer_takes_its_norm_and_residual_add_with_it(layout: Layout) -> None:
    whole = ops_by_name(small(), prefill(2, 100, layout))
    no_attention = ops_by_name(with_block(small(), attention=None), prefill(2, 100, layout))
    no_ffn = ops_by_name(with_block(small(), ffn=None), prefill(2, 100, layout))
    outside = {"embedding", "final_norm", "lm_head"}
    assert set(no_attention) & set(no_ffn) == outside
    assert set(no_attention) | set(no_ffn) == set(whole)
    assert {"attn_norm", "kv_write"} <= set(no_ffn)
    assert {"ffn_norm", "activation"} <= set(no_attention)


def test_a_model_without_blocks_still_embeds_and_scores() -> None:
    ops = model_ops(small().with_blocks(()), prefill(2, 100))
    assert [op.name for op in ops] == ["embedding", "final_norm", "lm_head"]


@pytest.mark.parametrize("layout", list(Layout))
def test_a_replaced_sublayer_is_one_gemm(layout: Layout) -> None:
    linear = ReplacedSublayer(linear=Linear(out_features=HIDDEN, in_features=HIDDEN))
    model = with_block(small(), attention=linear, ffn=linear)
    ops = ops_by_name(model, prefill(2, 100, layout))
    assert mnk(ops["attention_linear"]) == mnk(ops["ffn_linear"]) == (M, HIDDEN, HIDDEN)
    assert (ops["attention_linear"].part, ops["ffn_linear"].part) == (Part.QKVO, Part.FFN)
    residuals = {"attn_residual", "ffn_residual"} if layout is Layout.SEPARATE else set()
    inside = {"attn_norm", "attention_linear", "ffn_norm", "ffn_linear"} | residuals
    assert set(ops) == inside | {"embedding", "final_norm", "lm_head"}


@pytest.mark.parametrize(
    ("maps", "names"),
    [(0, set()), (1, {"attn_residual_map"}), (2, {"attn_residual_map", "ffn_residual_map"})],
)
def test_residual_maps_are_square_gemms_of_the_stream(maps: int, names: set[str]) -> None:
    ops = ops_by_name(with_block(small(), residual_maps=maps), prefill(2, 100, dtype="fp8"))
    assert {name for name in ops if name.endswith("residual_map")} == names
    for name in names:
        assert mnk(ops[name]) == (M, HIDDEN, HIDDEN)
        assert (ops[name].part, ops[name].count) == (Part.EXTRA, LAYERS)
        assert gemm(ops[name]).precision.name == "bf16"


def test_more_residual_maps_than_sublayers_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="residual_maps = 3"):
        Block(attention=None, ffn=None, residual_maps=3)


def test_only_the_stream_follows_the_hidden_size() -> None:
    """Cross-layer width: hidden of model and matrices shrinks, heads and FFN width stay."""
    narrow = replace(small(), hidden=128)
    heads, ffn = sublayers(small())
    assert ffn.gate is not None
    model = with_block(
        narrow,
        attention=replace(
            heads,
            q=replace(heads.q, in_features=128),
            k=replace(heads.k, in_features=128),
            v=replace(heads.v, in_features=128),
            o=replace(heads.o, out_features=128),
        ),
        ffn=FeedForward(
            gate=replace(ffn.gate, in_features=128),
            up=replace(ffn.up, in_features=128),
            down=replace(ffn.down, out_features=128),
        ),
    )
    ops = ops_by_name(model, prefill(2, 100))
    assert mnk(ops["lm_head"]) == (2, VOCAB, 128)
    assert mnk(ops["o"]) == (M, 128, QUERY)
    assert moved(ops["embedding"]).compulsory_bytes == M * 128 * 2
    assert moved(ops["attn_norm"]).read_bytes == M * 2 * 128 * 2
    assert moved(ops["activation"]).write_bytes == M * WIDTH * 2


def test_equal_blocks_are_one_group_and_others_have_their_own() -> None:
    first, second, third = small().blocks
    model = small().with_blocks((first, replace(second, ffn=None), third))
    ops = model_ops(model, decode(1, 10))
    assert [op.count for op in ops if op.name == "qkv"] == [2, 1]
    assert [op.group for op in ops if op.name == "qkv"] == [0, 1]
    assert [op.count for op in ops if op.name == "gate_up"] == [2]


def test_q_and_k_norms_run_on_heads() -> None:
    heads, _ = sublayers(small())
    model = with_block(small(), attention=replace(heads, qk_norm=QkNorm()))
    for layout in Layout:
        shape = moved(ops_by_name(model, prefill(2, 100, layout))["qk_norm"])
        assert shape.read_bytes == shape.write_bytes == M * (QUERY + KEY) * 2
        assert shape.kernels == 2


def test_an_ungated_ffn_has_no_gate() -> None:
    _, ffn = sublayers(small())
    model = with_block(small(), ffn=replace(ffn, gate=None))
    for layout in Layout:
        ops = ops_by_name(model, prefill(2, 100, layout))
        assert mnk(ops["up"]) == (M, WIDTH, HIDDEN)
        assert moved(ops["activation"]).read_bytes == moved(ops["activation"]).write_bytes == M * WIDTH * 2
        assert not {"gate", "gate_up"} & set(ops)


def test_transposed_results_are_copied_into_rows() -> None:
    heads, ffn = sublayers(small())
    changed = {name: replace(getattr(heads, name), transposed_result=True) for name in "qkvo"}
    down = replace(ffn.down, transposed_result=True)
    model = with_block(small(), attention=replace(heads, **changed), ffn=replace(ffn, down=down))
    copies = {name: op for name, op in ops_by_name(model, prefill(2, 100)).items() if name.endswith(".rows")}
    assert set(copies) == {"qkv.rows", "o.rows", "down.rows"}
    assert moved(copies["qkv.rows"]).read_bytes == 200 * (HEADS + 2 * KV_HEADS) * HEAD_DIM * 2
    assert moved(copies["down.rows"]).write_bytes == 200 * HIDDEN * 2
    assert all(op.part is Part.EXTRA and moved(op).kernel == SmallKernel.GATHER for op in copies.values())
    apart = ops_by_name(model, prefill(2, 100, Layout.SEPARATE))
    assert {name for name in apart if name.endswith(".rows")} == {f"{m}.rows" for m in (*"qkvo", "down")}
