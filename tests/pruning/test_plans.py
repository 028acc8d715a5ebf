"""Plans: composition, what they report, and what they refuse."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from infersim.domain.errors import InvalidValueError, UnknownNameError, UnsupportedError
from infersim.domain.ops import Part
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import families, family_named
from infersim.pruning.plan import Plan, PlanStep
from infersim.workload.counts import parameters
from infersim.workload.transformer import Transformer

BLOCK = frozenset({Part.QKVO, Part.FFN, Part.ATTENTION})


def test_families_come_in_the_order_of_the_taxonomy() -> None:
    assert [family.name for family in families()] == [
        "static-m",
        "static-k-2:4",
        "static-k-lowrank",
        "static-nk",
        "static-nk-cross",
        "dynamic-m",
        "dynamic-nk",
        "kv-pruning",
        "dynamic-mnk",
        "unstructured",
        "static-e",
        "dynamic-e",
    ]
    assert all(family.summary for family in families())


def test_a_family_tells_its_options_with_their_defaults() -> None:
    assert family_named("static-nk").options == {"target": "both", "kv_heads": "prune", "align": 64}
    assert family_named("kv-pruning").options == {"score": "position", "schedule": "uniform"}


def test_a_family_tells_which_sparsities_it_can_have() -> None:
    assert family_named("static-k-2:4").accepts(0.5)
    assert not family_named("static-k-2:4").accepts(0.25)
    assert family_named("static-m").accepts(0.25)


def test_one_step_reports_itself(llama: Transformer) -> None:
    plan = prune(llama, "static-nk", 0.2, align=128)
    assert plan.steps == (
        PlanStep(
            family="static-nk",
            sparsity=0.2,
            sparsity_realised=plan.sparsity_realised,
            options=(("align", 128),),
        ),
    )
    assert (plan.family, plan.sparsity, plan.targets) == ("static-nk", 0.2, BLOCK)
    # Heads lose 10,485,760; the FFN keeps 91 x 128 = 11648 columns of 12,288 parameters.
    removed = 10_485_760 + (14336 - 11648) * 12_288
    assert plan.sparsity_realised == pytest.approx(removed / 218_103_808, abs=1e-12)
    assert plan.params_removed == pytest.approx(32 * removed / parameters(llama), abs=1e-12)


@pytest.mark.parametrize(
    ("family", "options", "targets"),
    [
        ("static-m", {}, BLOCK),
        ("static-m", {"target": "attention"}, {Part.QKVO, Part.ATTENTION}),
        ("static-m", {"target": "ffn"}, {Part.FFN}),
        ("static-k-2:4", {}, {Part.QKVO, Part.FFN}),
        ("static-k-2:4", {"target": "attention"}, {Part.QKVO}),
        ("static-k-lowrank", {}, {Part.QKVO, Part.FFN}),
        ("static-nk", {}, BLOCK),
        ("static-nk", {"target": "heads"}, {Part.QKVO, Part.ATTENTION}),
        ("static-nk", {"target": "ffn"}, {Part.FFN}),
        ("static-nk-cross", {}, {Part.QKVO, Part.FFN, Part.LM_HEAD}),
        ("dynamic-m", {}, BLOCK),
        ("dynamic-m", {"target": "ffn"}, {Part.FFN}),
        ("dynamic-nk", {}, {Part.ATTENTION}),
        ("kv-pruning", {}, {Part.ATTENTION}),
    ],
)
def test_each_family_names_the_parts_it_means_to_cut(
    llama: Transformer, family: str, options: dict[str, str], targets: set[Part]
) -> None:
    assert prune(llama, family, 0.5, **options).targets == targets


def test_width_then_depth(llama: Transformer) -> None:
    width = prune(llama, "static-nk", 0.5)
    plan = prune(width, "static-m", 0.25)
    assert plan.base == llama
    assert plan.family == "static-nk + static-m"
    assert plan.transformer.blocks == width.transformer.blocks[:24]
    assert plan.sparsity is None
    assert plan.sparsity_realised == plan.block_linears_removed == 1 - 0.5 * 0.75
    assert [step.sparsity_realised for step in plan.steps] == [0.5, 0.25]


def test_depth_and_width_commute(llama: Transformer) -> None:
    one = prune(prune(llama, "static-nk", 0.3), "static-m", 0.25)
    other = prune(prune(llama, "static-m", 0.25), "static-nk", 0.3)
    assert one.transformer == other.transformer


def test_composition_unites_targets(llama: Transformer) -> None:
    plan = prune(prune(llama, "static-k-2:4"), "kv-pruning", 0.5)
    assert plan.targets == BLOCK


def test_the_same_family_twice_is_named_once(llama: Transformer) -> None:
    plan = prune(prune(llama, "static-m", 0.25, target="attention"), "static-m", 0.5, target="ffn")
    assert plan.family == "static-m"
    # 8 of 32 attention sublayers of 41,943,040 parameters, 16 of 32 FFNs of 176,160,768.
    removed = 8 * 41_943_040 + 16 * 176_160_768
    assert plan.sparsity_realised == pytest.approx(removed / (32 * 218_103_808), abs=1e-12)


def test_skipped_token_executions_count_as_removed_block_linears(llama: Transformer) -> None:
    plan = prune(prune(llama, "static-m", 0.5), "dynamic-m", 0.5)
    # Half the layers; of a layer's 218,103,808 parameters, k and v (8,388,608) see every token.
    executed = 0.5 * (218_103_808 - 0.5 * (218_103_808 - 8_388_608))
    assert plan.sparsity_realised == pytest.approx(1 - executed / 218_103_808, abs=1e-12)


def test_2_4_removes_half_of_the_block_linears(llama: Transformer) -> None:
    plan = prune(llama, "static-k-2:4")
    assert (plan.sparsity, plan.sparsity_realised, plan.block_linears_removed) == (0.5, 0.5, 0.5)


def test_routers_and_residual_maps_add_parameters(llama: Transformer) -> None:
    routers = 2 * 32 * (4096 * 16 + 16 * 2)
    assert prune(llama, "dynamic-m", 0.5).params_removed == pytest.approx(-routers / parameters(llama))
    maps = 2 * 32 * 2048**2
    with_maps = prune(llama, "static-nk-cross", 0.5)
    without = prune(llama, "static-nk-cross", 0.5, residual_maps=0)
    assert parameters(with_maps.transformer) - parameters(without.transformer) == maps


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("static-k-2:4", "static-k-lowrank"),
        ("static-k-lowrank", "static-k-2:4"),
        ("static-k-lowrank", "static-k-lowrank"),
        ("static-k-2:4", "static-k-2:4"),
        ("static-k-lowrank", "static-nk"),
        ("static-k-lowrank", "static-nk-cross"),
    ],
)
def test_families_that_do_not_compose_say_why(llama: Transformer, first: str, second: str) -> None:
    plan = prune(llama, first, 0.5)
    with pytest.raises(UnsupportedError, match=r"matri"):
        prune(plan, second, 0.5)


def test_2_4_matrices_can_be_narrowed_to_groups_of_four(llama: Transformer) -> None:
    plan = prune(prune(llama, "static-k-2:4"), "static-nk", 0.5)
    assert plan.sparsity_realised == 0.75
    with pytest.raises(InvalidValueError, match="multiple of 4"):
        prune(prune(llama, "static-k-2:4"), "static-nk-cross", 0.5, align=3)


@pytest.mark.parametrize("name", ["static-m", "static-k-lowrank", "static-nk", "static-nk-cross"])
def test_nothing_asked_is_nothing_changed(llama: Transformer, name: str) -> None:
    plan = prune(llama, name, 0.0)
    assert plan.transformer == llama
    assert (plan.sparsity, plan.sparsity_realised, plan.params_removed) == (0.0, 0.0, 0.0)


def test_unknown_names_are_told_with_what_there_is(llama: Transformer) -> None:
    with pytest.raises(UnknownNameError, match="did you mean static-nk"):
        prune(llama, "static-nkk", 0.5)
    with pytest.raises(UnknownNameError, match=r"static-nk 'alignment'.*align, kv_heads, target"):
        prune(llama, "static-nk", 0.5, alignment=64)
    with pytest.raises(UnknownNameError, match=r"kv-pruning 'window'.*schedule, score"):
        prune(llama, "kv-pruning", 0.5, window=64)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 25, float("nan"), None, "0.5", True])
def test_impossible_sparsities_are_refused(llama: Transformer, sparsity: float) -> None:
    with pytest.raises(InvalidValueError, match=r"sparsity = .*25 % is 0.25"):
        prune(llama, "static-m", sparsity)


def test_numpy_numbers_are_sparsities(llama: Transformer) -> None:
    assert prune(llama, "static-m", np.float64(0.5)) == prune(llama, "static-m", 0.5)


def test_plans_are_immutable_and_hashable(llama: Transformer) -> None:
    plan = prune(llama, "static-m", 0.5)
    assert {plan: 1}[prune(llama, "static-m", 0.5)] == 1
    with pytest.raises(FrozenInstanceError):
        plan.name = "other"  # type: ignore[misc]  # that it cannot be set is what is tested


def test_a_plan_without_steps_is_dense(llama: Transformer) -> None:
    plan = Plan(base=llama, transformer=llama)
    assert (plan.family, plan.sparsity, plan.sparsity_realised, plan.targets) == (
        "dense",
        None,
        0,
        frozenset(),
    )


def test_a_title_tells_steps_sparsities_and_options(llama: Transformer) -> None:
    assert prune(llama, "static-nk", 0.125).title == "static-nk 12.5 %"
    composed = prune(prune(llama, "static-m", 0.25), "static-nk", 0.5, target="ffn")
    assert composed.title == "static-m 25 % + static-nk 50 % (target=ffn)"
    assert Plan(base=llama, transformer=llama, name="mine", steps=composed.steps).title == "mine"
    assert Plan(base=llama, transformer=llama).title == "dense"


def test_the_pruning_of_a_plan_is_its_title_without_the_sparsity(llama: Transformer) -> None:
    plan = prune(llama, "static-nk", 0.5, target="ffn")
    assert (plan.title, plan.pruning) == ("static-nk 50 % (target=ffn)", "static-nk (target=ffn)")
    assert prune(llama, "static-nk", 0.25, target="ffn").pruning == plan.pruning
    both = prune(plan, "static-m", 0.25)
    assert both.pruning == both.title
    named = replace(plan, name="mine at 50 %")
    assert named.pruning == "mine at 50 %"
