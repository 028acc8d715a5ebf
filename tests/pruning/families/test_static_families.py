"""Rules of the static families that single GEMM shapes do not show: rounding, choice of layers, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.cost.gemm.unstructured import SparseKernel
from infersim.domain.dtypes import precision_named
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.shapes import WeightForm
from infersim.pruning.composition import prune
from infersim.workload.counts import block_linear_parameters, weight_bytes
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Block, Linear, ReplacedSublayer, Transformer
from tests.pruning.expert_models import mixtral
from tests.pruning.looking import ffn_of, heads_of
from tests.toy_models import transformer_from_sizes


def distinct_layers(layers: int) -> Transformer:
    """Layers that can be told apart: layer i has an FFN of 64 (i + 1)."""
    blocks = [
        transformer_from_sizes(
            hidden=64, layers=1, num_heads=4, num_kv_heads=2, width=64 * (index + 1), vocab=100
        ).blocks[0]
        for index in range(layers)
    ]
    one = transformer_from_sizes(hidden=64, layers=1, num_heads=4, num_kv_heads=2, width=64, vocab=100)
    return one.with_blocks(tuple(blocks))


def layers_left(model: Transformer) -> list[int]:
    return [ffn_of(block).width // 64 - 1 for block in model.blocks]


def test_static_m_removes_the_deepest_layers_before_the_last() -> None:
    plan = prune(distinct_layers(8), "static-m", 0.375)
    assert layers_left(plan.transformer) == [0, 1, 2, 3, 7]
    assert plan.sparsity_realised == 0.375


def test_static_m_rounds_to_whole_layers_halves_upwards() -> None:
    for asked, left, realised in ((0.31, 7, 0.3), (0.25, 7, 0.3), (0.24, 8, 0.2), (0.04, 10, 0.0)):
        plan = prune(distinct_layers(10), "static-m", asked)
        assert len(plan.transformer.blocks) == left
        assert plan.sparsity_realised == realised


@pytest.mark.parametrize("target", ["layer", "attention", "ffn"])
def test_static_m_never_removes_all(llama: Transformer, target: str) -> None:
    with pytest.raises(InvalidValueError, match=r"\b32\b"):
        prune(llama, "static-m", 0.99, target=target)


def test_static_m_targets_only_sublayers_that_are_still_there(llama: Transformer) -> None:
    without = prune(llama, "static-m", 0.5, target="attention")
    again = prune(without, "static-m", 0.5, target="attention")
    assert sum(block.attention is not None for block in again.transformer.blocks) == 8
    assert len(again.transformer.blocks) == 32


def test_static_m_drops_a_layer_that_lost_both_sublayers(llama: Transformer) -> None:
    half = prune(prune(llama, "static-m", 0.5, target="attention"), "static-m", 0.5, target="ffn")
    assert len(half.transformer.blocks) == 16
    assert half.transformer.blocks == llama.blocks[:16]


def test_static_m_merges_the_residual_map_of_a_removed_sublayer(llama: Transformer) -> None:
    sliced = prune(llama, "static-nk-cross", 0.25)
    plan = prune(sliced, "static-m", 0.5, target="ffn")
    assert [block.residual_maps for block in plan.transformer.blocks] == [2] * 15 + [1] * 16 + [2]


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.49, 0.75])
def test_2_4_refuses_any_other_sparsity(llama: Transformer, sparsity: float) -> None:
    with pytest.raises(InvalidValueError, match="not applicable"):
        prune(llama, "static-k-2:4", sparsity)


def test_2_4_of_one_kind_of_sublayer(llama: Transformer) -> None:
    block = prune(llama, "static-k-2:4", target="ffn").transformer.blocks[0]
    assert {linear.form for linear in ffn_of(block).linears} == {WeightForm.SPARSE_2_4}
    assert {linear.form for linear in heads_of(block).linears} == {WeightForm.DENSE}


def test_2_4_refuses_a_k_without_groups_of_four() -> None:
    model = transformer_from_sizes(hidden=66, layers=1, num_heads=2, num_kv_heads=2, width=128, vocab=100)
    with pytest.raises(UnsupportedError, match="K = 66"):
        prune(model, "static-k-2:4")


def test_low_rank_leaves_a_matrix_dense_where_two_factors_are_no_smaller() -> None:
    # k and v are 16 x 64: break-even rank 12.8 lies below the least rank, 16.
    model = transformer_from_sizes(hidden=64, layers=1, num_heads=4, num_kv_heads=1, width=256, vocab=100)
    block = prune(model, "static-k-lowrank", 0.5).transformer.blocks[0]
    assert [linear.rank for linear in heads_of(block).linears] == [16, None, None, 16]
    # gate, up and down: 256 x 64 / 320 / 2 = 25.6, nearest 2 x 16.
    assert [linear.rank for linear in ffn_of(block).linears] == [32, 32, 32]


def test_low_rank_leaves_a_matrix_dense_at_the_break_even_rank() -> None:
    # q, k, v and o are 32 x 32: a pair of rank 16 stores as many values.
    model = transformer_from_sizes(hidden=32, layers=1, num_heads=2, num_kv_heads=2, width=256, vocab=100)
    block = prune(model, "static-k-lowrank", 0.25).transformer.blocks[0]
    assert [linear.rank for linear in heads_of(block).linears] == [None] * 4


def test_low_rank_factorises_a_replaced_sublayer_too(llama: Transformer) -> None:
    linear = Linear(out_features=4096, in_features=4096)
    block = Block(attention=ReplacedSublayer(linear=linear), ffn=ReplacedSublayer(linear=linear))
    pruned = prune(llama.with_blocks((block,)), "static-k-lowrank", 0.5).transformer.blocks[0]
    assert [matrix.rank for matrix in pruned.linears] == [1024, 1024]


def test_low_rank_alignment_is_an_option(llama: Transformer) -> None:
    block = prune(llama, "static-k-lowrank", 0.5, align=64).transformer.blocks[0]
    # 409.6 is 6.4 x 64; 1592.9 is 24.9 x 64.
    assert [linear.rank for linear in block.linears] == [1024, 384, 384, 1024, 1600, 1600, 1600]


def test_low_rank_realised_sparsity_counts_parameters(llama: Transformer) -> None:
    # Kept: q, o 1024 (4096 + 4096); k, v 416 (1024 + 4096); gate, up, down 1600 (14336 + 4096).
    kept = 2 * 1024 * 8192 + 2 * 416 * 5120 + 3 * 1600 * 18432
    dense = 2 * 4096**2 + 2 * 1024 * 4096 + 3 * 14336 * 4096
    plan = prune(llama, "static-k-lowrank", 0.5)
    assert plan.sparsity_realised == pytest.approx(1 - kept / dense, abs=1e-12)


def test_static_nk_targets_one_kind_of_width(llama: Transformer) -> None:
    heads = prune(llama, "static-nk", 0.5, target="heads").transformer.blocks[0]
    assert (heads_of(heads).num_kv_heads, ffn_of(heads).width) == (4, 14336)
    ffn = prune(llama, "static-nk", 0.25, target="ffn").transformer.blocks[0]
    assert (heads_of(ffn).num_kv_heads, ffn_of(ffn).width) == (8, 10752)


def test_static_nk_keeps_one_kv_group_and_lets_the_ffn_give_the_rest(llama: Transformer) -> None:
    block = prune(llama, "static-nk", 0.97).transformer.blocks[0]
    assert (heads_of(block).num_heads, heads_of(block).num_kv_heads) == (4, 1)
    # 3 % of 218,103,808 less the 5,242,880 of one group leave 1,300,234: 105.8 columns, so 2 x 64.
    assert ffn_of(block).width == 128


def test_static_nk_cuts_each_block_of_a_non_uniform_model(llama: Transformer) -> None:
    base = prune(llama, "static-m", 0.5, target="attention")
    plan = prune(base, "static-nk", 0.5)
    assert plan.steps[-1].sparsity_realised == 0.5
    assert {ffn_of(block).width for block in plan.transformer.blocks} == {7168}


def test_static_nk_cannot_keep_kv_heads_that_serve_one_query_head() -> None:
    model = transformer_from_sizes(hidden=64, layers=1, num_heads=4, num_kv_heads=4, width=256, vocab=100)
    with pytest.raises(InvalidValueError, match="kv_heads = 'keep'"):
        prune(model, "static-nk", 0.5, kv_heads="keep")


def test_static_nk_passes_over_a_replaced_sublayer(llama: Transformer) -> None:
    linear = Linear(out_features=4096, in_features=4096)
    block = replace(llama.blocks[0], attention=ReplacedSublayer(linear=linear))
    plan = prune(llama.with_blocks((block,)), "static-nk", 0.5)
    assert plan.transformer.blocks[0].attention == block.attention
    assert ffn_of(plan.transformer.blocks[0]).width == 7168


def test_cross_layer_without_residual_maps(llama: Transformer) -> None:
    plan = prune(llama, "static-nk-cross", 0.5, residual_maps=0)
    assert {block.residual_maps for block in plan.transformer.blocks} == {0}
    # Every parameter but the norms' lies on one hidden side: half is left of each.
    assert plan.params_removed == pytest.approx(0.5, abs=1e-6)


def test_cross_layer_rounds_to_its_alignment(llama: Transformer) -> None:
    assert prune(llama, "static-nk-cross", 0.3, align=128).transformer.hidden == 2816
    assert prune(llama, "static-nk-cross", 0.001).transformer == llama


def test_cross_layer_slices_a_replaced_sublayer(llama: Transformer) -> None:
    linear = Linear(out_features=4096, in_features=4096)
    block = Block(attention=None, ffn=ReplacedSublayer(linear=linear))
    sliced = prune(llama.with_blocks((block,)), "static-nk-cross", 0.5).transformer.blocks[0]
    assert sliced.ffn == ReplacedSublayer(linear=Linear(out_features=2048, in_features=2048))
    assert sliced.residual_maps == 1


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("static-m", {"target": "heads"}, "target = 'heads'.*layer, attention, ffn"),
        ("static-nk", {"align": 0}, "align = 0"),
        ("static-nk", {"align": 64.0}, "align = 64.0"),
        ("static-nk", {"kv_heads": "drop"}, "kv_heads = 'drop'.*prune, keep"),
        ("static-nk-cross", {"residual_maps": 3}, "residual_maps = 3"),
        ("static-k-lowrank", {"align": True}, "align = True"),
        ("dynamic-m", {"router_width": -1}, "router_width = -1"),
        ("dynamic-m", {"dense_kv": 1}, "dense_kv = 1"),
        ("dynamic-nk", {"block": 0}, "block = 0"),
    ],
)
def test_wrong_option_values_are_named(
    llama: Transformer, family: str, options: dict[str, str | int | float | bool], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        prune(llama, family, 0.5, **options)


def test_unstructured_packs_what_its_kernel_reads(llama: Transformer) -> None:
    half = {kernel: prune(llama, "unstructured", 0.5, kernel=kernel) for kernel in SparseKernel}
    values = 218_103_808 * 32
    assert [block_linear_parameters(plan.transformer) for plan in half.values()] == [
        values // 2,
        values // 2,
        values,
    ]
    sixteen, eight = (Execution(precision=precision_named(name)) for name in ("bf16", "fp8"))
    plain = weight_bytes(llama, sixteen)
    # 20 bits for each value that is left (next to no way is longer than 16), 48 in CSR, and starts of rows.
    rows = 4 * 32 * (4096 + 1024 + 1024 + 4096 + 14336 + 14336 + 4096 + 7)
    saved = {kernel: plain - weight_bytes(plan.transformer, sixteen) for kernel, plan in half.items()}
    assert saved[SparseKernel.MACKO] == pytest.approx(values * (2 - 1.25) - rows, rel=1e-4)
    assert saved[SparseKernel.CUSPARSE] == pytest.approx(values * (2 - 3) - rows, rel=1e-6)
    assert saved[SparseKernel.DENSE] == 0
    quantised = weight_bytes(half[SparseKernel.MACKO].transformer, eight)
    assert quantised == pytest.approx(weight_bytes(llama, eight))


def test_unstructured_needs_plain_matrices_and_is_one_step(llama: Transformer) -> None:
    for first in ("static-k-2:4", "static-k-lowrank", "unstructured"):
        with pytest.raises(UnsupportedError, match="plain matrices"):
            prune(prune(llama, first, 0.5), "unstructured", 0.5)
    with pytest.raises(UnsupportedError, match="already are zero"):
        prune(prune(llama, "unstructured", 0.5), "static-k-2:4", 0.5)
    assert prune(llama, "unstructured", 0.0).transformer == llama
    narrower = prune(prune(llama, "unstructured", 0.5), "static-nk", 0.5)
    assert narrower.block_linears_removed == pytest.approx(0.75, abs=0.01)


def test_unstructured_refuses_experts_and_takes_their_attention() -> None:
    model = mixtral()
    with pytest.raises(UnsupportedError, match="experts"):
        prune(model, "unstructured", 0.5)
    assert prune(model, "unstructured", 0.5, target="attention").params_removed > 0
