"""Families of experts: what goes, what a token runs, and what other families make of layers of experts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import Gemm
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import families, suitable_families
from infersim.pruning.plan import OptionValue
from infersim.workload.counts import active_parameters, parameters
from infersim.workload.transformer import LatentAttention, Transformer
from tests.pruning.expert_models import deepseek, experts_of, mixtral, ops, routed

EXPERT = 3 * 4096 * 14336
"""Parameters of one of Mixtral's experts."""


def test_removed_experts_take_their_rows_of_the_router() -> None:
    model = mixtral()
    plan = prune(model, "static-e", 0.5)
    layer = experts_of(plan.transformer.blocks[0])
    assert (layer.num_experts, layer.top_k, layer.router.out_features) == (4, 2, 4)
    assert parameters(model) - parameters(plan.transformer) == 32 * 4 * (EXPERT + 4096)
    assert plan.sparsity_realised == 0.5
    assert plan.targets == {Part.FFN}
    # A token runs what it ran, but for the router.
    assert active_parameters(model) - active_parameters(plan.transformer) == 32 * 4 * 4096


def test_the_kernel_sees_fewer_experts_and_the_same_tokens() -> None:
    (before,), (after,) = routed(mixtral()), routed(prune(mixtral(), "static-e", 0.25))
    assert (before.num_experts, before.local_experts, before.top_k) == (8, 8, 2)
    assert (after.num_experts, after.local_experts, after.top_k) == (6, 6, 2)
    assert (after.tokens, after.hidden, after.width) == (before.tokens, before.hidden, before.width)
    router = next(op.shape for op in ops(prune(mixtral(), "static-e", 0.25)) if op.name == "router")
    assert isinstance(router, Gemm)
    assert (router.m, router.n, router.k) == (16, 6, 4096)


def test_a_token_runs_fewer_of_as_many_experts() -> None:
    plan = prune(mixtral(), "dynamic-e", 0.5)
    (shape,) = routed(plan)
    assert (shape.num_experts, shape.top_k) == (8, 1)
    assert parameters(plan.transformer) == parameters(mixtral())
    assert active_parameters(mixtral()) - active_parameters(plan.transformer) == 32 * EXPERT
    assert plan.sparsity_realised == 0.5


def test_dense_layers_and_shared_experts_stay() -> None:
    model = deepseek()
    for family in ("static-e", "dynamic-e"):
        plan = prune(model, family, 0.5)
        assert plan.transformer.blocks[0] == model.blocks[0]
        assert experts_of(plan.transformer.blocks[1]).shared == experts_of(model.blocks[1]).shared
    assert experts_of(prune(model, "static-e", 0.5).transformer.blocks[1]).num_experts == 32
    assert experts_of(prune(model, "dynamic-e", 0.5).transformer.blocks[1]).top_k == 3


@pytest.mark.parametrize(
    ("asked", "options", "left", "realised"),
    [
        (0.3, {}, 6, 0.25),  # 5.6 of 8
        (0.3125, {}, 6, 0.25),  # 5.5: halves upwards
        (0.32, {}, 5, 0.375),
        (0.05, {}, 8, 0.0),
        (0.4, {"align": 4}, 4, 0.5),  # 4.8
        (0.1, {"align": 4}, 8, 0.0),
        (0.9, {"top_k": "cap"}, 1, 0.875),
    ],
)
def test_experts_left_are_rounded(
    asked: float, options: dict[str, OptionValue], left: int, realised: float
) -> None:
    plan = prune(mixtral(), "static-e", asked, **options)
    assert experts_of(plan.transformer.blocks[0]).num_experts == left
    assert plan.sparsity_realised == realised


def test_a_token_runs_no_more_experts_than_are_left() -> None:
    with pytest.raises(InvalidValueError, match=r"sparsity = 0\.9.*at least 2 of 8 experts.*top_k=cap"):
        prune(mixtral(), "static-e", 0.9)
    capped = experts_of(prune(mixtral(), "static-e", 0.9, top_k="cap").transformer.blocks[0])
    assert (capped.num_experts, capped.top_k) == (1, 1)
    half = prune(prune(mixtral(), "dynamic-e", 0.5), "static-e", 0.8)
    assert experts_of(half.transformer.blocks[0]).num_experts == 2


def test_whole_experts_a_token_alike_or_mixed() -> None:
    # Three quarters of two is one and a half: two, or two in half of the layers and one in the others.
    alike = prune(mixtral(), "dynamic-e", 0.25)
    assert alike.sparsity_realised == 0.5  # half an expert rounds up to one that goes
    mixed = prune(mixtral(), "dynamic-e", 0.25, layers="mixed")
    assert mixed.sparsity_realised == 0.25
    assert [experts_of(block).top_k for block in mixed.transformer.blocks] == [2] * 16 + [1] * 16
    assert {shape.top_k for shape in routed(mixed)} == {1, 2}


@given(sparsity=st.floats(0, 0.99))
def test_at_least_one_expert_stays_for_a_token(sparsity: float) -> None:
    for options in ({"layers": "alike"}, {"layers": "mixed"}):
        plan = prune(deepseek(), "dynamic-e", sparsity, **options)
        left = [experts_of(block).top_k for block in plan.transformer.blocks[1:]]
        assert min(left) >= 1
        assert plan.sparsity_realised == pytest.approx(1 - sum(left) / 30)
        if options["layers"] == "mixed" and min(left) > 1:
            assert abs(sum(left) - (1 - sparsity) * 30) <= 0.5 + 1e-9


@pytest.mark.parametrize("family", ["static-e", "dynamic-e"])
def test_a_dense_model_has_no_experts(llama: Transformer, family: str) -> None:
    with pytest.raises(UnsupportedError, match=r"llama-3\.1-8b has no layers of experts"):
        prune(llama, family, 0.5)
    assert family not in [each.name for each in suitable_families(llama)]
    assert suitable_families(mixtral()) == families()


def test_the_width_of_experts_alone_needs_experts(llama: Transformer) -> None:
    with pytest.raises(UnsupportedError, match=r"llama-3\.1-8b has no weight matrices in experts"):
        prune(llama, "static-nk", 0.5, target="experts")


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("static-e", {"top_k": 1}, "top_k = 1.*keep, cap"),
        ("static-e", {"align": 0}, "align = 0"),
        ("dynamic-e", {"layers": "some"}, "layers = 'some'.*alike, mixed"),
    ],
)
def test_wrong_options_are_named(family: str, options: dict[str, OptionValue], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        prune(mixtral(), family, 0.25, **options)


# ---- other families on layers of experts


def test_every_expert_is_narrowed() -> None:
    plan = prune(mixtral(), "static-nk", 0.5, target="experts")
    assert experts_of(plan.transformer.blocks[0]).width == 7168
    assert parameters(mixtral()) - parameters(plan.transformer) == 32 * 8 * EXPERT // 2
    assert plan.sparsity_realised == 0.5
    (shape,) = routed(plan)
    assert (shape.width, shape.num_experts, shape.top_k) == (7168, 8, 2)


def test_shared_and_dense_widths_shrink_with_the_ffn_and_not_with_experts_alone() -> None:
    both = prune(deepseek(), "static-nk", 0.5, target="ffn", align=32).transformer
    layer = experts_of(both.blocks[1])
    assert layer.shared is not None
    assert (layer.width, layer.shared.width) == (704, 1408)
    assert both.blocks[0].ffn is not None
    assert both.blocks[0].ffn.linears[0].out_features == 5472
    alone = prune(deepseek(), "static-nk", 0.5, target="experts", align=32).transformer
    layer = experts_of(alone.blocks[1])
    assert layer.shared is not None
    assert (layer.width, layer.shared.width) == (704, 2816)
    assert alone.blocks[0] == deepseek().blocks[0]


def test_experts_absorb_what_whole_heads_leave() -> None:
    # A quarter of 8 KV groups is two: nothing is owed, so a quarter of each expert goes.
    plan = prune(mixtral(), "static-nk", 0.25)
    assert experts_of(plan.transformer.blocks[0]).width == 10752
    # A tenth of 8 is 0.8: one group goes, an eighth of 41,943,040 parameters, and experts keep what is over.
    plan = prune(mixtral(), "static-nk", 0.1, align=1)
    kept = 14336 * (1 - 0.1 + 0.025 * 41_943_040 / (8 * EXPERT))
    assert experts_of(plan.transformer.blocks[0]).width == round(kept)


def test_heads_of_latent_attention_go_and_its_cache_stays() -> None:
    plan = prune(deepseek(), "static-nk", 0.25, target="heads")
    attention, dense = plan.transformer.blocks[0].attention, deepseek().blocks[0].attention
    assert isinstance(attention, LatentAttention)
    assert isinstance(dense, LatentAttention)
    assert attention.num_heads == 12
    assert (attention.q_b.out_features, attention.o.in_features) == (12 * 192, 12 * 128)
    assert (attention.kv_b.out_features, attention.kv_b.in_features) == (12 * 256, 512)
    assert attention.cache_width == dense.cache_width
    assert attention.kv_a == dense.kv_a


def test_layers_of_experts_go_whole_and_skip_tokens() -> None:
    assert len(prune(mixtral(), "static-m", 0.25).transformer.blocks) == 24
    bare = prune(mixtral(), "static-m", 0.5, target="ffn").transformer
    assert sum(block.ffn is None for block in bare.blocks) == 16
    skipping = prune(mixtral(), "dynamic-m", 0.5, target="ffn", execution="gather")
    (shape,) = routed(skipping)
    assert shape.tokens == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize("family", ["static-k-2:4", "static-k-lowrank"])
def test_experts_have_no_kernel_of_sparse_or_factorised_matrices(family: str) -> None:
    for target in ("both", "ffn"):
        with pytest.raises(UnsupportedError, match=r"no kernel runs experts.*target=attention"):
            prune(mixtral(), family, 0.5, target=target)
    only_attention = prune(mixtral(), family, 0.5, target="attention").transformer
    assert only_attention.blocks[0].ffn == mixtral().blocks[0].ffn


def test_families_compose_on_experts_in_any_order() -> None:
    steps: tuple[tuple[str, float, dict[str, OptionValue]], ...] = (
        ("static-e", 0.5, {}),
        ("static-nk", 0.5, {"target": "experts"}),
        ("static-m", 0.25, {}),
        ("dynamic-e", 0.5, {}),
    )
    one = other = mixtral()
    for family, sparsity, options in steps:
        one = prune(one, family, sparsity, **options).transformer
    for family, sparsity, options in reversed(steps):
        other = prune(other, family, sparsity, **options).transformer
    assert one == other
    layer = experts_of(one.blocks[0])
    assert (len(one.blocks), layer.num_experts, layer.width, layer.top_k) == (24, 4, 7168, 1)


@settings(max_examples=20)
@given(sparsity=st.floats(0, 0.75))
def test_static_families_never_add_to_a_model_of_experts(sparsity: float) -> None:
    model = mixtral()
    for family in ("static-e", "static-nk", "static-m"):
        plan = prune(model, family, sparsity)
        assert parameters(plan.transformer) <= parameters(model)
        assert abs(plan.sparsity_realised - sparsity) <= 1 / 16 + 1e-12
