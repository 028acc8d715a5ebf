"""Rules of the families that decide at run time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.composition import prune
from infersim.workload.transformer import BlockSparsity, KvScore, SkipExecution, TokenSkip, Transformer
from tests.pruning.looking import ffn_of, heads_of


def test_dynamic_m_at_rate_zero_still_has_its_router(llama: Transformer) -> None:
    block = prune(llama, "dynamic-m", 0.0).transformer.blocks[0]
    assert (
        heads_of(block).skip
        == ffn_of(block).skip
        == TokenSkip(rate=0.0, router_width=16, execution=SkipExecution.BLOCKS)
    )


def test_dynamic_m_routes_one_kind_of_sublayer(llama: Transformer) -> None:
    block = prune(llama, "dynamic-m", 0.5, target="ffn", router_width=0).transformer.blocks[0]
    assert heads_of(block).skip is None
    assert ffn_of(block).skip == TokenSkip(rate=0.5, router_width=None, execution=SkipExecution.BLOCKS)


def test_dynamic_nk_at_sparsity_zero_still_estimates_its_mask(llama: Transformer) -> None:
    block = prune(llama, "dynamic-nk", 0.0, block=128, gate_dim=64).transformer.blocks[0]
    assert heads_of(block).block_sparsity == BlockSparsity(kept=1.0, block=128, gate_dim=64)


def test_kv_pruning_keeps_the_rest(llama: Transformer) -> None:
    assert heads_of(prune(llama, "kv-pruning", 0.75).transformer.blocks[0]).kv_kept == 0.25
    assert prune(llama, "kv-pruning", 0.0).transformer == llama


@pytest.mark.parametrize("family", ["dynamic-m", "dynamic-nk", "kv-pruning"])
def test_twice_the_same_is_refused(llama: Transformer, family: str) -> None:
    once = prune(llama, family, 0.5)
    with pytest.raises(UnsupportedError, match="there already"):
        prune(once, family, 0.5)


def test_two_routers_on_different_sublayers_are_fine(llama: Transformer) -> None:
    plan = prune(
        prune(llama, "dynamic-m", 0.25, target="ffn"),
        "dynamic-m",
        0.5,
        target="attention",
        execution="gather",
    )
    block = plan.transformer.blocks[0]
    assert (heads_of(block).skip, ffn_of(block).skip) == (
        TokenSkip(rate=0.5, router_width=16, execution=SkipExecution.GATHER),
        TokenSkip(rate=0.25, router_width=16, execution=SkipExecution.BLOCKS),
    )


@pytest.mark.parametrize("family", ["dynamic-nk", "kv-pruning"])
def test_a_model_without_attention_has_nothing_to_prune_there(llama: Transformer, family: str) -> None:
    bare = llama.with_blocks(tuple(replace(block, attention=None) for block in llama.blocks))
    with pytest.raises(UnsupportedError, match="no attention left"):
        prune(bare, family, 0.5)
    with pytest.raises(UnsupportedError, match="no attention sublayer"):
        prune(bare, "dynamic-m", 0.5, target="attention")
    with pytest.raises(UnsupportedError, match="no attention sublayer"):
        prune(bare, "static-m", 0.5, target="attention")
    with pytest.raises(UnsupportedError, match="matrices in attention"):
        prune(bare, "static-k-lowrank", 0.5, target="attention")


def test_a_pyramid_keeps_the_mean_and_less_with_each_layer(llama: Transformer) -> None:
    for sparsity in (0.05, 0.25, 0.5, 0.9):
        plan = prune(llama, "kv-pruning", sparsity, schedule="pyramid", score="window")
        kept = [heads_of(block).kv_kept for block in plan.transformer.blocks]
        assert sum(kept) / len(kept) == pytest.approx(1 - sparsity)
        assert kept == sorted(kept, reverse=True)
        assert 0 < kept[-1] <= kept[0] <= 1 + 1e-12
        assert {heads_of(block).kv_score for block in plan.transformer.blocks} == {KvScore.WINDOW}


@pytest.mark.parametrize(
    ("family", "option"),
    [
        ("dynamic-m", "execution"),
        ("dynamic-nk", "estimate"),
        ("dynamic-nk", "masks"),
        ("kv-pruning", "score"),
        ("kv-pruning", "schedule"),
    ],
)
def test_choices_that_do_not_exist_are_refused(llama: Transformer, family: str, option: str) -> None:
    with pytest.raises(InvalidValueError, match=rf"{option} = 'none'"):
        prune(llama, family, 0.5, **{option: "none"})
