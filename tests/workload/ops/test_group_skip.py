"""Token-level dynamic width (dynamic-mnk): routers, masks, groups of heads and of channels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.cost.gemm.group_skip import GroupAxis, GroupGemm
from infersim.cost.gemm.mask_sort import MaskSort
from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import Attention as AttentionShape
from infersim.domain.shapes import MemoryBound, WeightForm
from infersim.workload.counts import parameters_by_part
from infersim.workload.scenario import Layout
from infersim.workload.transformer import GroupSkip, Transformer
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    WIDTH,
    decode,
    mnk,
    ops_by_name,
    prefill,
    small,
    sublayers,
    with_block,
)

OF_KV_HEAD = HEADS // KV_HEADS
QUERY, KEY = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
CHANNELS = 64


def grouped(rate: float = 0.5, *, heads: int = OF_KV_HEAD, router_width: int = 32) -> Transformer:
    attention, ffn = sublayers(small())
    skip = GroupSkip(rate=rate, group=heads, router_width=router_width)
    return with_block(
        small(),
        attention=replace(attention, groups=skip),
        ffn=replace(ffn, groups=replace(skip, group=CHANNELS)),
    )


def group_gemm(shape: object) -> GroupGemm:
    assert isinstance(shape, GroupGemm)
    return shape


def test_each_matrix_but_k_and_v_is_grouped_on_its_inner_side() -> None:
    ops = ops_by_name(grouped(0.25), prefill(1, 256, layout=Layout.SEPARATE))
    found = {
        name: (float(shape.m), shape.n, shape.k, shape.axis, shape.kept, shape.group)
        for name, op in ops.items()
        if isinstance(shape := op.shape, GroupGemm)
    }
    heads = OF_KV_HEAD * HEAD_DIM
    assert found == {
        "q": (256, QUERY, HIDDEN, GroupAxis.OUTPUT, 0.75, heads),
        "o": (256, HIDDEN, QUERY, GroupAxis.INPUT, 0.75, heads),
        "gate": (256, WIDTH, HIDDEN, GroupAxis.OUTPUT, 0.75, CHANNELS),
        "up": (256, WIDTH, HIDDEN, GroupAxis.OUTPUT, 0.75, CHANNELS),
        "down": (256, HIDDEN, WIDTH, GroupAxis.INPUT, 0.75, CHANNELS),
    }
    assert mnk(ops["k"]) == mnk(ops["v"]) == (256, KEY, HIDDEN)


def test_fused_layouts_stack_gate_and_up_and_k_and_v() -> None:
    ops = ops_by_name(grouped(), prefill(1, 256, layout=Layout.FUSED))
    assert group_gemm(ops["gate_up"].shape).n == 2 * WIDTH
    assert mnk(ops["kv"]) == (256, 2 * KEY, HIDDEN)
    assert "q" in ops


def test_routers_score_two_classes_a_group() -> None:
    ops = ops_by_name(grouped(), prefill(1, 256))
    assert mnk(ops["attn_router.a"]) == (256, 32, HIDDEN)
    assert mnk(ops["attn_router.b"]) == (256, 2 * KV_HEADS, 32)
    assert mnk(ops["ffn_router.b"]) == (256, 2 * -(-WIDTH // CHANNELS), 32)
    assert ops["ffn_router.b"].part is Part.EXTRA
    of_routers = 2 * 32 * HIDDEN + 2 * 32 * (KV_HEADS + -(-WIDTH // CHANNELS))
    assert parameters_by_part(grouped())["extra"] == LAYERS * of_routers


def test_one_sort_serves_all_kernels_of_a_sublayer() -> None:
    ops = ops_by_name(grouped(), prefill(2, 128))
    sorts = {name: op.shape for name, op in ops.items() if isinstance(op.shape, MaskSort)}
    assert {name: (float(shape.tokens), shape.groups) for name, shape in sorts.items()} == {
        "attn_sort": (256, KV_HEADS),
        "ffn_sort": (256, -(-WIDTH // CHANNELS)),
    }


def test_results_are_filled_with_zeros_and_all_else_sees_all() -> None:
    ops, plain = (ops_by_name(model, prefill(1, 64)) for model in (grouped(), small()))
    filled = ops["attn_zero_fill"].shape
    assert isinstance(filled, MemoryBound)
    assert float(filled.write_bytes) == 64 * 2 * (QUERY + QUERY + HIDDEN)
    for name in ("attn_norm", "rotary", "kv_write", "activation", "ffn_norm"):
        assert ops[name].shape == plain[name].shape


def kept_pairs(model: Transformer, batch: int, *, phase: str) -> float:
    scenario = decode(batch, 512) if phase == "decode" else prefill(batch, 512)
    shape = ops_by_name(model, scenario)["attention"].shape
    assert isinstance(shape, AttentionShape)
    assert shape.generated
    return float(shape.kept)


def test_attention_leaves_out_heads_and_decode_what_no_head_of_a_kv_head_wants() -> None:
    assert kept_pairs(grouped(0.25), 1, phase="prefill") == 0.75
    assert kept_pairs(grouped(0.25), 8, phase="decode") == 0.75
    assert OF_KV_HEAD == 4
    assert kept_pairs(grouped(0.25, heads=1), 8, phase="decode") == 1 - 0.25**4
    assert kept_pairs(grouped(0.25, heads=2), 8, phase="decode") == 1 - 0.25**2
    assert kept_pairs(grouped(0.25, heads=HEADS), 8, phase="decode") == 0.75


def test_of_a_low_rank_pair_the_factor_of_the_grouped_side_skips() -> None:
    attention, ffn = sublayers(grouped())
    model = with_block(
        grouped(),
        attention=attention,
        ffn=replace(ffn, up=replace(ffn.up, rank=48), down=replace(ffn.down, rank=40)),
    )
    ops = ops_by_name(model, prefill(1, 64, layout=Layout.SEPARATE))
    assert mnk(ops["up.a"]) == (64, 48, HIDDEN)
    assert (group_gemm(ops["up.b"].shape).n, group_gemm(ops["up.b"].shape).k) == (WIDTH, 48)
    assert (group_gemm(ops["down.a"].shape).n, group_gemm(ops["down.a"].shape).k) == (40, WIDTH)
    assert mnk(ops["down.b"]) == (64, HIDDEN, 40)


def test_no_kernel_skips_groups_of_2_4_matrices() -> None:
    attention, ffn = sublayers(grouped())
    sparse = replace(ffn, down=replace(ffn.down, form=WeightForm.SPARSE_2_4))
    with pytest.raises(UnsupportedError, match="groups"):
        ops_by_name(with_block(grouped(), attention=attention, ffn=sparse), prefill(1, 64))
