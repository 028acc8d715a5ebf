"""The chain: its product, its order, and what happens at its edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.ops import Part
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.profile_files.profiles import list_profiles, load_profile
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import families
from infersim.pruning.plan import Plan
from infersim.simulation.speedups.chain import FACTORS, Chain, chain, ratio_half_width, static_m_equivalent
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution, Scenario
from tests.simulation.handmade import (
    BANDWIDTH,
    LAUNCH_S,
    PEAK_FLOP_PER_S,
    SLOWDOWN,
    all_gpus,
    half_of,
    paper_model,
    paper_profile,
    scenarios,
)
from tests.toy_models import transformer_from_sizes

NAMES = [family.name for family in families() if not family.of_experts]


def both_sides(plan: Plan, profile: HardwareProfile, scenario: Scenario) -> tuple[Timeline, Timeline]:
    programs = lay_out((plan.base, plan.transformer), (Pass(scenario=scenario),))
    dense, pruned = timelines(programs, profile)
    return dense, pruned


def scenario_on(profile: HardwareProfile, phase: Phase, batch: Array, context: Array) -> Scenario:
    dtype = "bf16" if DType.BF16 in profile.matrix else "fp16"
    execution = Execution(precision=precision_named(dtype))
    return Scenario(phase=phase, batch=batch, context=context, execution=execution)


def core_roofline_s(side: Timeline) -> Array:
    """max(FLOPs / peak, compulsory bytes / bandwidth) over all ops but those that a family adds."""
    costs, bandwidth = side.costs, side.profile.memory.bandwidth_bytes_per_s
    core = [op.part is not Part.EXTRA for op in side.program.ops]
    total: Array = np.maximum(costs.matrix_s, costs.model_bytes / bandwidth)[core].sum(axis=0)
    return total


def check(links: Chain, dense: Timeline, pruned: Timeline) -> None:
    """What holds for every plan in every scenario."""
    product = links.flops * np.prod([links.factors()[name] for name in FACTORS[:-1]], axis=0)
    np.testing.assert_allclose(product, dense.latency_s / pruned.latency_s, rtol=1e-9)
    np.testing.assert_allclose(links.predicted, dense.latency_s / pruned.latency_s, rtol=1e-12)
    dense_s, pruned_s = (core_roofline_s(side) for side in (dense, pruned))
    np.testing.assert_allclose(links.bound, dense_s / pruned_s, rtol=1e-12)
    for side in (dense, pruned):
        assert (side.latency_s >= side.floor_s).all()
    assert (links.ceiling >= links.predicted).all()
    assert (links.lower <= links.predicted).all()
    assert (links.upper >= links.predicted).all()
    assert np.isfinite(links.upper).all()


@pytest.mark.parametrize("gpu", all_gpus())
@pytest.mark.parametrize("phase", list(Phase))
def test_factors_multiply_to_the_speedup(gpu: str, phase: Phase) -> None:
    profile = load_profile(gpu)
    batch, context = scenarios(np.random.default_rng(2), 12)
    for plan in half_of("llama-3.1-8b"):
        dense, pruned = both_sides(plan, profile, scenario_on(profile, phase, batch, context))
        check(chain(dense, pruned, plan.targets), dense, pruned)


@settings(max_examples=30, deadline=None)
@given(
    gpu=st.sampled_from(list_profiles()),
    family=st.sampled_from([name for name in NAMES if name != "static-k-2:4"]),
    phase=st.sampled_from(list(Phase)),
    sparsity=st.floats(0, 0.9),
    batch=st.integers(1, 512),
    context=st.integers(1, 2**17),
)
def test_factors_multiply_to_the_speedup_wherever(
    gpu: str, family: str, phase: Phase, sparsity: float, batch: int, context: int
) -> None:
    profile, plan = load_profile(gpu), prune(load_model("llama-3.2-1b"), family, sparsity)
    scenario = scenario_on(profile, phase, np.array([batch]), np.array([context]))
    dense, pruned = both_sides(plan, profile, scenario)
    check(chain(dense, pruned, plan.targets), dense, pruned)


def test_a_measured_speedup_ends_the_chain() -> None:
    profile, plan = load_profile("h100-sxm"), prune(load_model("llama-3.1-8b"), "static-nk", 0.5)
    dense, pruned = both_sides(
        plan, profile, Scenario(phase=Phase.DECODE, batch=np.array([1, 8]), context=1024)
    )
    links = chain(dense, pruned, plan.targets)
    measured = np.array([1.5, np.nan])
    factors = links.factors(measured)
    product = links.flops * np.prod([factors[name] for name in FACTORS], axis=0)
    np.testing.assert_allclose(product, measured, rtol=1e-9)
    assert np.isnan(links.factors()["unexplained"]).all()


@pytest.mark.usefixtures("_paper_costs")
def test_the_chain_by_hand() -> None:
    """2:4 in every block linear of the paper model; one decode step at context 1, where bytes bind all."""
    plan = prune(paper_model(layers=4), "static-k-2:4")
    dense, pruned = both_sides(plan, paper_profile(), Scenario(phase=Phase.DECODE, batch=1, context=1))
    links = chain(dense, pruned, plan.targets)
    factors = links.factors()
    linears = 4 * (128 * 64 + 64 * 64 + 256 * 64 + 64 * 128)
    head, attention_flop = 1000 * 64, 4 * (4 * 2 * 32)
    assert links.flops == pytest.approx(2.0)
    others_flop = 2 * head + attention_flop
    assert links.flops * factors["unpruned_work"] == pytest.approx(
        (2 * linears + others_flop) / (linears + others_flop)
    )
    # Values of 2 bytes that must move besides: the head, an embedding row, K and V written and read.
    others = head + 64 + 4 * 2 * 32 + 4 * 2 * 32
    kept = 9 / 16 * linears
    assert links.bound == pytest.approx((linears + others) / (kept + others))
    assert factors["extra_work"] == pytest.approx(1.0)
    assert factors["kernel_efficiency"] == pytest.approx(1.0)  # both sides take SLOWDOWN times the floor
    launch_s = (10 * 4 + 3) * LAUNCH_S
    dense_floor_s, floor_s = (2 * (values + others) / BANDWIDTH for values in (linears, kept))
    dense_s = SLOWDOWN * dense_floor_s + launch_s
    assert links.predicted == pytest.approx(dense_s / (SLOWDOWN * floor_s + launch_s))
    assert links.ceiling == pytest.approx(dense_s / floor_s)


@settings(max_examples=25)
@given(
    l2_bytes=st.floats(0, 2**40),
    layers=st.integers(1, 16).map(lambda half: 2 * half),
    hidden=st.integers(1, 16).map(lambda heads: 64 * heads),
    context=st.integers(1, 1024),
)
def test_half_of_the_layers_is_bounded_at_twice_the_speed_whatever_the_cache(
    l2_bytes: float, layers: int, hidden: int, context: int
) -> None:
    """A decode step reads weights and cache of all layers, or of half of them. Beside the layers it reads one
    embedding row: no head.
    """
    small = transformer_from_sizes(
        hidden=hidden, layers=layers, num_heads=hidden // 64, num_kv_heads=hidden // 64, width=128, vocab=1000
    )
    model = replace(small, head=None)
    plan, profile = prune(model, "static-m", 0.5), paper_profile(l2_bytes=l2_bytes)
    dense, pruned = both_sides(plan, profile, Scenario(phase=Phase.DECODE, batch=1, context=context))
    links = chain(dense, pruned, plan.targets)
    # Each layer reads its matrices, K and V of the context, and writes K and V of the new token.
    layer = 4 * hidden**2 + 3 * hidden * 128 + 2 * (context + 1) * hidden
    assert links.bound == pytest.approx((layers * layer + hidden) / (layers / 2 * layer + hidden))
    assert links.bound == pytest.approx(2, rel=0.01)
    check(links, dense, pruned)


@settings(max_examples=25)
@given(
    family=st.sampled_from([name for name in NAMES if name != "static-k-2:4"]),
    phase=st.sampled_from(list(Phase)),
    l2_bytes=st.floats(0, 2**40),
)
def test_no_cache_changes_the_bound(family: str, phase: Phase, l2_bytes: float) -> None:
    profile, plan = load_profile("a10"), prune(load_model("llama-3.2-1b"), family, 0.5)
    scenario = Scenario(phase=phase, batch=np.array([1, 16]), context=512)
    other = replace(profile, chip=replace(profile.chip, l2_bytes=l2_bytes + 1))
    found, expected = (chain(*both_sides(plan, gpu, scenario), plan.targets) for gpu in (other, profile))
    np.testing.assert_allclose(found.speedups[:4], expected.speedups[:4], rtol=1e-12)


@pytest.mark.usefixtures("_paper_costs")
def test_only_the_ceiling_credits_what_l2_may_hold() -> None:
    """Of a model smaller than L2 no byte need come from memory: that rules out less, and promises no more."""
    plan = prune(paper_model(layers=4), "static-m", 0.5)
    scenario = Scenario(phase=Phase.DECODE, batch=1, context=8)
    dense, pruned = both_sides(plan, paper_profile(l2_bytes=1e9), scenario)
    links = chain(dense, pruned, plan.targets)
    layer, head = 128 * 64 + 64 * 64 + 256 * 64 + 64 * 128, 1000 * 64
    # Values read of a layer besides: K and V of 8 tokens; written: those of one. An embedding row.
    cache, row = 2 * 32 * 8 + 2 * 32, 64
    dense_values = 4 * (layer + cache) + head + row
    assert links.bound == pytest.approx(dense_values / (2 * (layer + cache) + head + row))
    flop = 2 * (2 * layer + head) + 2 * 4 * (2 * 32 * 8)
    dense_s = SLOWDOWN * 2 * dense_values / BANDWIDTH + (10 * 4 + 3) * LAUNCH_S
    assert links.ceiling == pytest.approx(dense_s / (flop / PEAK_FLOP_PER_S))


def test_two_of_four_promises_twice_the_rate_of_the_linears() -> None:
    plan = prune(load_model("llama-3.1-8b"), "static-k-2:4")
    dense, pruned = both_sides(
        plan, load_profile("a100-sxm-80gb"), Scenario(phase=Phase.PREFILL, batch=8, context=4096)
    )
    links = chain(dense, pruned, plan.targets)
    assert links.flops == pytest.approx(2.0)
    m, linears = 8 * 4096, 32 * (4096 * 6144 + 4096 * 4096 + 3 * 4096 * 14336)
    attention = 32 * 4 * 8 * 32 * 128 * (4096 * 4097 / 2)
    others = attention + 2 * 8 * 4096 * 128256
    unpruned = (2 * m * linears + others) / (m * linears + others)
    assert links.flops * links.factors()["unpruned_work"] == pytest.approx(unpruned)


def test_added_ops_count_only_from_the_fourth_link() -> None:
    plan = prune(load_model("llama-3.1-8b"), "static-nk-cross", 0.25)
    without = prune(load_model("llama-3.1-8b"), "static-nk-cross", 0.25, residual_maps=0)
    scenario = Scenario(phase=Phase.PREFILL, batch=1, context=4096)
    profile = load_profile("h100-sxm")
    with_maps = chain(*both_sides(plan, profile, scenario), plan.targets)
    bare = chain(*both_sides(without, profile, scenario), without.targets)
    np.testing.assert_allclose(with_maps.speedups[:3], bare.speedups[:3], rtol=1e-12)
    assert with_maps.factors()["extra_work"] < 0.95
    assert bare.factors()["extra_work"] == pytest.approx(1.0)


def test_no_flops_left_in_the_targeted_parts_leave_no_ratio_of_them() -> None:
    model = paper_model()
    gone = model.with_blocks(tuple(replace(block, ffn=None) for block in model.blocks))
    plan = Plan(base=model, transformer=gone, targets=frozenset({Part.FFN}))
    links = chain(
        *both_sides(plan, load_profile("h100-sxm"), Scenario(phase=Phase.DECODE, batch=1, context=8)),
        plan.targets,
    )
    factors = links.factors()
    assert np.isnan(links.flops)
    assert np.isnan(factors["unpruned_work"])
    rest = links.speedups[1] * np.prod([factors[name] for name in FACTORS[1:-1]])
    assert rest == pytest.approx(links.predicted, rel=1e-9)


def test_a_plan_that_changes_nothing_gains_nothing() -> None:
    model = load_model("llama-3.2-1b")
    plan = Plan(base=model, transformer=model)
    dense, pruned = both_sides(
        plan, load_profile("l4"), Scenario(phase=Phase.DECODE, batch=np.array([1, 64]), context=512)
    )
    links = chain(dense, pruned, plan.targets)
    np.testing.assert_array_equal(links.speedups, np.ones((7, 2)))
    np.testing.assert_allclose(links.upper, 1.0, atol=1e-9)
    np.testing.assert_array_equal(static_m_equivalent(dense, links.predicted), 0.0)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("layers", [8, 16, 24])
def test_static_m_is_its_own_equivalent(phase: Phase, layers: int) -> None:
    plan = prune(load_model("llama-3.1-8b"), "static-m", layers / 32)
    batch, context = scenarios(np.random.default_rng(3), 10)
    profile = load_profile("rtx-4090")
    dense, pruned = both_sides(plan, profile, scenario_on(profile, phase, batch, context))
    links = chain(dense, pruned, plan.targets)
    np.testing.assert_allclose(static_m_equivalent(dense, links.predicted), layers / 32, rtol=1e-9)


def test_static_m_keeps_its_promise_more_surely_than_new_shapes() -> None:
    scenario = Scenario(phase=Phase.PREFILL, batch=1, context=8192)
    widths = {}
    for family in ("static-m", "static-nk", "static-k-lowrank"):
        plan = prune(load_model("llama-3.1-8b"), family, 0.5)
        widths[family] = float(ratio_half_width(*both_sides(plan, load_profile("h100-sxm"), scenario)))
    assert widths["static-m"] < min(widths["static-nk"], widths["static-k-lowrank"])
