"""Rules of the families that decide at run time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.cost.gemm.group_skip import GroupKernels
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.composition import prune
from infersim.workload.counts import parameters
from infersim.workload.transformer import (
    BlockSparsity,
    GroupSkip,
    KvScore,
    SkipExecution,
    TokenSkip,
    Transformer,
)
from tests.pruning.expert_models import mixtral
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


@pytest.mark.parametrize("family", ["dynamic-m", "dynamic-nk", "kv-pruning", "dynamic-mnk"])
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


def test_dynamic_mnk_has_the_heads_of_a_kv_head_in_a_group(llama: Transformer) -> None:
    block = prune(llama, "dynamic-mnk", 0.5, channels=512).transformer.blocks[0]
    assert heads_of(block).groups == GroupSkip(rate=0.5, group=4, router_width=32)
    assert ffn_of(block).groups == GroupSkip(rate=0.5, group=512, router_width=32)
    alone = prune(llama, "dynamic-mnk", 0.5, target="attention", heads=2, kernels="triton")
    block = alone.transformer.blocks[0]
    assert heads_of(block).groups == GroupSkip(
        rate=0.5, group=2, router_width=32, kernels=GroupKernels.TRITON
    )
    assert ffn_of(block).groups is None


@pytest.mark.parametrize("heads", [3, 6, 64])
def test_groups_of_heads_divide_them(llama: Transformer, heads: int) -> None:
    with pytest.raises(InvalidValueError, match="heads"):
        prune(llama, "dynamic-mnk", 0.5, heads=heads)


def test_a_sublayer_has_one_router_of_either_kind(llama: Transformer) -> None:
    for first, second in (("dynamic-m", "dynamic-mnk"), ("dynamic-mnk", "dynamic-m")):
        with pytest.raises(UnsupportedError, match="one router"):
            prune(prune(llama, first, 0.5), second, 0.5)
    both = prune(prune(llama, "dynamic-m", 0.5, target="ffn"), "dynamic-mnk", 0.5, target="attention")
    assert both.family == "dynamic-m + dynamic-mnk"


def test_a_token_no_longer_passes_through_what_its_groups_leave_out(llama: Transformer) -> None:
    # q and o are 80 % of the attention's values, k and v stay.
    plan = prune(llama, "dynamic-mnk", 0.5, target="attention")
    block = 4 * 4096**2 // 2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    assert plan.block_linears_removed == pytest.approx(4096**2 / block)
    assert prune(llama, "dynamic-mnk", 0.5).params_removed < 0


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.8])
def test_tokens_leave_for_good_and_their_mean_is_the_sparsity(llama: Transformer, sparsity: float) -> None:
    plan = prune(llama, "dynamic-m", sparsity, early_exit=True)
    skips = [heads_of(block).skip for block in plan.transformer.blocks]
    rates = [skip.rate for skip in skips if skip is not None]
    assert sum(rates) / 32 == pytest.approx(sparsity)
    assert rates == sorted(rates)
    assert all(0 <= rate < 1 for rate in rates)
    decides = {ffn_of(block).skip.decides for block in plan.transformer.blocks if ffn_of(block).skip}  # type: ignore[union-attr]
    assert decides == {False}


def test_an_early_exit_leaves_whole_layers(llama: Transformer) -> None:
    with pytest.raises(InvalidValueError, match="whole layers"):
        prune(llama, "dynamic-m", 0.5, early_exit=True, target="ffn")


def test_forecasters_are_parameters(llama: Transformer) -> None:
    without, rank = (prune(llama, "dynamic-m", 0.5, forecaster=each).transformer for each in (0, 100))
    assert parameters(rank) - parameters(without) == 32 * 2 * 100 * 2 * 4096


def test_routers_of_groups_leave_experts_alone() -> None:
    model = mixtral()
    block = prune(model, "dynamic-mnk", 0.5).transformer.blocks[0]
    assert heads_of(block).groups is not None
    assert block.ffn == model.blocks[0].ffn
    with pytest.raises(UnsupportedError, match="no ffn sublayer"):
        prune(model, "dynamic-mnk", 0.5, target="ffn")
