"""Nothing is timed twice: each model once in each case on each GPU."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import infersim as sim
from infersim.domain.profile import HardwareProfile
from infersim.report.speedups.gathering import curve_plans
from infersim.report.speedups.prediction_page import gather_prediction
from infersim.simulation.speedups.case_timings import case_timings, with_plans
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.simulation.timing import timeline
from infersim.simulation.timing.op_costs import OpCosts, cost_ops
from infersim.simulation.timing.program import Programs

MODEL = sim.load_model("llama-3.2-1b")
PLANS = [sim.prune(MODEL, "static-nk", 0.5), sim.prune(MODEL, "static-m", 0.5)]

Timed = Counter[tuple[object, ...]]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    """How often each transformer was timed, by phases of the passes, and GPU."""
    counts: Timed = Counter()

    def counted(programs: Programs, profile: HardwareProfile) -> OpCosts:
        for member in programs.members:
            phases = tuple(each.scenario.phase for each in member.passes)
            counts[member.transformer, phases, profile.name] += 1
        return cost_ops(programs, profile)

    monkeypatch.setattr(timeline, "cost_ops", counted)
    return counts


def test_a_comparison_with_its_figures_times_each_model_once(timed: Timed) -> None:
    sim.gather_comparison(MODEL, PLANS, ["l4", "t4"], phase="both", context=[512, 1024], dtype="fp16")
    models = {MODEL, *(plan.transformer for plan in curve_plans(PLANS).values())}
    assert len(models) > len(PLANS) + 1
    assert timed.total() == len(models) * 2 * 2
    assert set(timed.values()) == {1}


@pytest.mark.slow
def test_a_frontier_times_each_model_once(timed: Timed) -> None:
    found = sim.frontier("llama-3.1-8b", ["l4", "a10"], phase="both", batch=[1, 8], context=512)
    plans = found.points.loc[found.points["predicted"].notna(), "plan"].nunique()
    assert set(timed.values()) == {1}
    assert timed.total() <= (1 + plans) * 2 * 2
    assert timed.total() % 4 == 0


@pytest.mark.slow
def test_requests_of_a_frontier_are_timed_once_each(timed: Timed) -> None:
    sim.frontier("llama-3.1-8b", "l4", request=["classification", "generation"])
    assert set(timed.values()) == {1}


def test_a_prediction_with_its_figures_times_plan_and_base_once(timed: Timed) -> None:
    gather_prediction(PLANS[0], "l4", phase="both", context=512)
    assert (timed.total(), set(timed.values())) == (2 * 2, {1})


def test_a_target_speedup_is_sought_without_timing_a_model_again(timed: Timed) -> None:
    sim.sparsity_for(MODEL, "l4", 1.5, chosen=["static-m", "static-nk"], context=512)
    assert set(timed.values()) == {1}


def test_free_widths_time_the_dense_model_and_each_width_once(timed: Timed) -> None:
    sim.free_widths(MODEL, "l4", 0.5, context=512)
    assert set(timed.values()) == {1}


def test_plans_that_make_one_model_share_its_timeline(timed: Timed) -> None:
    (timings,) = case_timings(
        MODEL, [PLANS[0], PLANS[0]], [sim.load_profile("l4")], Scenarios.of(context=512).cases()
    )
    assert timings.pruned[0] is timings.pruned[1]
    assert timed.total() == 2


def test_plans_added_later_are_timed_as_if_they_had_been_there() -> None:
    cases = Scenarios.of(phase="both", batch=[1, 8], context=512).cases()
    profiles = [sim.load_profile("l4"), sim.load_profile("h100-sxm")]
    whole = list(case_timings(MODEL, PLANS, profiles, cases))
    later = list(with_plans(list(case_timings(MODEL, PLANS[:1], profiles, cases)), PLANS[::-1]))
    for one, other in zip(whole, later, strict=True):
        assert one.profile == other.profile
        assert one.case.phase == other.case.phase
        assert one.of(PLANS[1]).latency_s == pytest.approx(other.of(PLANS[1]).latency_s, rel=1e-12)
        np.testing.assert_array_equal(
            one.half_width("static-m 50 %", "static-nk 50 %", 1),
            other.half_width("static-nk 50 %", "static-m 50 %", 1),
        )
