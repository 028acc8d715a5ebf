"""Timelines: one derived by hand, and what holds for every GPU and family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.dtypes import DType, precision_named
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Phase
from infersim.profile_files.profiles import list_profiles, load_profile
from infersim.pruning.composition import prune
from infersim.simulation.speedups.op_frames import op_table
from infersim.simulation.timing.passes import Pass, request_passes
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timeline, timelines
from infersim.workload.presets import load_model
from infersim.workload.requests import Request
from infersim.workload.scenario import Execution, Layout, Scenario
from tests.simulation.handmade import (
    BANDWIDTH,
    LAUNCH_S,
    PEAK_FLOP_PER_S,
    SLOWDOWN,
    all_gpus,
    gemm_fit,
    half_of,
    paper_model,
    paper_profile,
    scenarios,
)

LAYERS, BATCH, CONTEXT = 4, 2, 8


def paper_prefill(profile: HardwareProfile | None = None) -> Timeline:
    scenario = Scenario(phase=Phase.PREFILL, batch=BATCH, context=CONTEXT)
    return timeline(paper_model(layers=LAYERS), profile or paper_profile(), scenario)


def execution_on(profile: HardwareProfile, layout: Layout = Layout.FUSED) -> Execution:
    """16 bit of the kind that the GPU has."""
    dtype = "bf16" if DType.BF16 in profile.matrix else "fp16"
    return Execution(layout=layout, precision=precision_named(dtype))


@pytest.mark.usefixtures("_paper_costs")
def test_a_prefill_derived_by_hand() -> None:
    m = BATCH * CONTEXT
    # N, K: qkv 2 x 32 + 2 x 32 heads of 32 over 64; all are bound by FLOPs, at M = 16 FLOP a byte of weight.
    qkvo_s = LAYERS * 2 * m * (128 * 64 + 64 * 64) / PEAK_FLOP_PER_S
    ffn_s = LAYERS * 2 * m * (256 * 64 + 64 * 128) / PEAK_FLOP_PER_S
    # 8 x 9 / 2 causal pairs, 2 sequences, 2 heads of 32, two multiply-adds.
    attention_s = LAYERS * 4 * 36 * BATCH * 2 * 32 / PEAK_FLOP_PER_S
    # The LM head sees one token a sequence and is bound by its weights.
    lm_head_s = 1000 * 64 * 2 / BANDWIDTH
    # Compulsory: an embedding row a token, and in each layer K and V of 32 values a token.
    elementwise_s = (m * 64 * 2 + LAYERS * m * 2 * 32 * 2) / BANDWIDTH
    # A layer: two norms, qkv, rotary, cache write, attention, o; gate-up, activation, down. Outside: three.
    launches = 10 * LAYERS + 3

    parts = paper_prefill().part_s()
    assert parts["qkvo"] == pytest.approx(SLOWDOWN * qkvo_s)
    assert parts["ffn"] == pytest.approx(SLOWDOWN * ffn_s)
    assert parts["attention"] == pytest.approx(SLOWDOWN * attention_s)
    assert parts["lm_head"] == pytest.approx(SLOWDOWN * lm_head_s)
    assert parts["elementwise"] == pytest.approx(SLOWDOWN * elementwise_s)
    assert parts["extra"] == 0
    assert parts["launch"] == pytest.approx(launches * LAUNCH_S)

    found = paper_prefill()
    floor_s = qkvo_s + ffn_s + attention_s + lm_head_s + elementwise_s
    assert found.floor_s == pytest.approx(floor_s)
    assert found.latency_s == pytest.approx(SLOWDOWN * floor_s + launches * LAUNCH_S)
    assert found.block_s() == pytest.approx(
        found.latency_s - SLOWDOWN * (lm_head_s + m * 64 * 2 / BANDWIDTH) - 3 * LAUNCH_S
    )
    gemm_s = SLOWDOWN * (qkvo_s + ffn_s + lm_head_s) + (4 * LAYERS + 1) * LAUNCH_S
    assert found.calibrated_share() == pytest.approx(gemm_s / found.latency_s)


@pytest.mark.usefixtures("_paper_costs")
def test_l2_is_credited_once_a_step() -> None:
    credit_bytes = 1000.0
    with_l2, without = paper_prefill(paper_profile(l2_bytes=credit_bytes)), paper_prefill()
    assert without.floor_s - with_l2.floor_s == pytest.approx(credit_bytes / BANDWIDTH)
    cold_s = with_l2.costs.cold_roofline_s
    np.testing.assert_array_equal(cold_s, without.costs.cold_roofline_s)
    assert cold_s.sum() == pytest.approx(without.floor_s)


@pytest.mark.usefixtures("_paper_costs")
def test_removing_half_of_equal_layers_halves_the_time_in_blocks() -> None:
    scenario = Scenario(phase=Phase.DECODE, batch=np.array([1, 4]), context=64)
    dense, half = timelines(
        lay_out(
            (paper_model(), prune(paper_model(), "static-m", 0.5).transformer), (Pass(scenario=scenario),)
        ),
        paper_profile(),
    )
    np.testing.assert_allclose(half.block_s(), dense.block_s() / 2, rtol=1e-12)
    np.testing.assert_allclose(dense.latency_s - half.latency_s, dense.block_s() / 2, rtol=1e-12)


@pytest.mark.usefixtures("_paper_costs")
def test_a_request_is_the_sum_of_its_passes() -> None:
    request, profile, model = Request(prompt_len=8, output_len=5), paper_profile(), paper_model()
    batch = np.array([[1.0], [2.0]])
    (whole,) = timelines(lay_out((model,), request_passes(request, batch, Execution())), profile)
    steps = [timeline(model, profile, Scenario(phase=Phase.PREFILL, batch=batch, context=8))]
    steps += [
        timeline(model, profile, Scenario(phase=Phase.DECODE, batch=batch, context=context))
        for context in (9, 10, 11, 12)
    ]
    np.testing.assert_allclose(whole.latency_s, sum(step.latency_s for step in steps))
    np.testing.assert_allclose(whole.floor_s, sum(step.floor_s for step in steps))
    np.testing.assert_allclose(whole.part_s()["attention"], sum(step.part_s()["attention"] for step in steps))


def test_steps_of_a_long_request_each_get_the_credit_of_l2() -> None:
    profile, model = load_profile("a100-sxm-80gb"), load_model("llama-3.1-8b")
    request = Request(prompt_len=1024, output_len=101)
    (whole,) = timelines(lay_out((model,), request_passes(request, 1.0, Execution())), profile)
    contexts = np.arange(1025, 1125)
    steps = timeline(model, profile, Scenario(phase=Phase.DECODE, batch=1, context=contexts))
    prefill = timeline(model, profile, Scenario(phase=Phase.PREFILL, batch=1, context=1024))
    assert whole.floor_s == pytest.approx(prefill.floor_s + steps.floor_s.sum(), rel=1e-6)
    assert whole.latency_s == pytest.approx(prefill.latency_s + steps.latency_s.sum(), rel=1e-3)


@pytest.mark.parametrize("gpu", all_gpus())
@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("layout", list(Layout))
def test_no_latency_is_below_its_floor(gpu: str, phase: Phase, layout: Layout) -> None:
    profile, dense = load_profile(gpu), load_model("qwen3-8b")
    batch, context = scenarios(np.random.default_rng(0), 20)
    scenario = Scenario(phase=phase, batch=batch, context=context, execution=execution_on(profile, layout))
    pruned = [plan.transformer for plan in half_of("qwen3-8b")]
    for found in timelines(lay_out((dense, *pruned), (Pass(scenario=scenario),)), profile):
        assert np.isfinite(found.latency_s).all()
        assert (found.floor_s > 0).all()
        cold_roofline_s = found.costs.cold_roofline_s.sum(axis=0)
        assert (cold_roofline_s >= found.floor_s).all()
        assert (found.latency_s >= cold_roofline_s).all()
        assert (found.lower_s >= found.floor_s).all()
        assert (found.latency_s >= found.lower_s).all()
        assert (found.upper_s >= found.latency_s).all()
        np.testing.assert_allclose(sum(found.part_s().values()), found.latency_s)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    gpu=st.sampled_from(list_profiles()),
    phase=st.sampled_from(list(Phase)),
    batch=st.integers(1, 512),
    context=st.integers(1, 2**17),
)
def test_one_scenario_and_a_grid_agree(gpu: str, phase: Phase, batch: int, context: int) -> None:
    profile, model = load_profile(gpu), load_model("llama-3.2-1b")
    execution = execution_on(profile)
    alone = timeline(model, profile, Scenario(phase=phase, batch=batch, context=context, execution=execution))
    grid = timeline(
        model,
        profile,
        Scenario(
            phase=phase,
            batch=np.array([[1], [batch]]),
            context=np.array([context, 77, 1]),
            execution=execution,
        ),
    )
    assert grid.latency_s.shape == (2, 3)
    for name in ("latency_s", "lower_s", "upper_s", "floor_s"):
        assert getattr(grid, name)[1, 0] == pytest.approx(getattr(alone, name), rel=1e-5)
    assert grid.fits_memory[1, 0] == alone.fits_memory


def test_calibration_narrows_intervals_and_its_range_is_told() -> None:
    """A fit of GEMMs up to m = 64: decode at batch 8 lies inside, at batch 256 outside."""
    plain = replace(load_profile("h100-sxm"), fit=None, calibration=Calibration.NONE)
    fit = gemm_fit(width=0.05, pair=0.03, outside=0.3, max_m=64)
    fitted = replace(plain, fit=fit, calibration=Calibration.FITTED)
    model = load_model("llama-3.1-8b")
    scenario = Scenario(phase=Phase.DECODE, batch=np.array([8, 256]), context=512)
    before, after = (timeline(model, profile, scenario) for profile in (plain, fitted))
    np.testing.assert_allclose(after.latency_s, before.latency_s)
    assert (before.calibrated_share() == 0).all()
    inside, outside = after.calibrated_share()
    gemms = after.costs.error_group == "gemm"
    assert inside == pytest.approx(after.costs.latency_s[gemms, 0].sum() / after.latency_s[0])
    assert outside == 0
    half_widths = np.log(after.upper_s / after.latency_s)
    assert half_widths[0] < half_widths[1] < np.log(before.upper_s / before.latency_s)[1]


def test_a_scenario_that_would_run_for_hours_is_refused() -> None:
    scenario = Scenario(phase=Phase.PREFILL, batch=2**20, context=2**27)
    with pytest.raises(InvalidValueError, match="within an hour"):
        timeline(load_model("llama-3.1-8b"), load_profile("a100-sxm-80gb"), scenario)


def test_the_table_of_ops_adds_up_to_the_timeline() -> None:
    scenario = Scenario(phase=Phase.PREFILL, batch=np.array([1, 8]), context=1024)
    found = timeline(load_model("llama-3.1-8b"), load_profile("h100-sxm"), scenario)
    table = op_table(found)
    ms = table.assign(ms=table["kernel_ms"] + table["launch_ms"]).groupby("scenario")["ms"].sum()
    np.testing.assert_allclose(ms, found.latency_s * 1e3)
    (down,) = table[(table["op"] == "down") & (table["scenario"] == 1)].to_dict("records")
    assert down["count"] == 32
    assert down["flop"] == 32 * 2 * 8 * 1024 * 4096 * 14336
    assert down["compulsory_bytes"] == 32 * 4096 * 14336 * 2
    assert down["limiter"] == "compute"
    assert down["part"] == "ffn"
