"""The chain of losses of one plan in one scenario, with the times behind every speedup."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import infersim
from _generate.markdown import markdown_table
from infersim.domain.arrays import Array
from infersim.pruning.plan import Plan
from infersim.report.core import rounding
from infersim.simulation.speedups.case_timings import case_timings
from infersim.simulation.speedups.chain import (
    BOUND,
    FACTORS,
    PREDICTED,
    chain,
    chain_times_s,
    static_m_equivalent,
)
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.simulation.timing.timeline import Timeline

_COUNTED = (
    "FLOPs of the targeted ops, at the peak",
    "and FLOPs of the untouched ops",
    "and memory: the cold roofline of every op",
    "and ops that the family adds, at theirs",
    "kernels as they are predicted",
    "and launches",
    "and exchanges between GPUs, where several share the model",
)
_NAMES = {0: " **flops**", BOUND: " **bound**", PREDICTED: " **predicted**"}


def chain_table(question: dict[str, Any]) -> str:
    """A row for each link of `compare`'s chain, then what follows from them."""
    plan = infersim.prune(infersim.load_model(question["model"]), question["family"], question["sparsity"])
    dense, pruned = _timelines(question, plan)
    links = chain(dense, pruned, plan.targets)
    dense_ms, plan_ms = (_milliseconds(chain_times_s(side, plan.targets)) for side in (dense, pruned))
    speedups = [float(speedup) for speedup in links.speedups.ravel()]
    factors = [
        f"{name.replace('_', ' ')} {after / before:.3f}"
        for name, (before, after) in zip(FACTORS, pairwise(speedups), strict=False)
    ]
    rows = [
        [
            str(place + 1),
            counted,
            rounding.quantity(dense_ms[place]),
            rounding.quantity(plan_ms[place]),
            factors[place - 1] if place else "–",
            f"{rounding.speedup(speedups[place])}{_NAMES.get(place, '')}",
        ]
        for place, counted in enumerate(_COUNTED)
    ]
    table = markdown_table(
        ["k", "what is counted", "dense ms", "plan ms", "factor", "speedup so far"],
        rows,
        numeric=[False, False, True, True, False, False],
    )
    equivalent = float(static_m_equivalent(dense, links.predicted).item())
    (block_ms,), (floor_ms,) = _milliseconds(dense.block_s()), _milliseconds(pruned.floor_s)
    return f"\n{table}\n{_sums(speedups, dense_ms[-1], floor_ms, block_ms, equivalent)}\n"


def _timelines(question: dict[str, Any], plan: Plan) -> tuple[Timeline, ...]:
    """Of the dense model and the plan, in one scenario."""
    scenarios = Scenarios.of(phase=question["phase"], batch=question["batch"], context=question["context"])
    profile = infersim.load_profile(question["gpu"])
    (timings,) = case_timings(plan.base, [plan], [profile], scenarios.cases())
    return timings.dense, *timings.pruned


def _milliseconds(seconds: Array) -> list[float]:
    return [float(second) * 1e3 for second in seconds.ravel()]


def _sums(speedups: list[float], dense_ms: float, floor_ms: float, block_ms: float, equivalent: float) -> str:
    flops, bound, predicted = speedups[0], speedups[BOUND], speedups[PREDICTED]
    factors = " x ".join(f"{after / before:.3f}" for before, after in pairwise(speedups))
    ceiling, attainment = rounding.speedup(dense_ms / floor_ms), rounding.share(predicted / bound)
    lines = (
        f"{flops:.3f} x {factors} = {predicted:.3f}: the factors lead from FLOPs to the prediction.",
        f"**Ceiling**: {dense_ms:.2f} ms / {floor_ms:.2f} ms = {ceiling}. "
        "No implementation of this plan is faster: its floor is the fourth time less what L2 may hold.",
        f"**Attainment**: {predicted:.3f} / {bound:.3f} = {attainment} of the bound.",
        f"**Static-m equivalent**: (1 - 1 / {predicted:.3f}) x {dense_ms:.2f} ms / {block_ms:.2f} ms "
        f"in the layers = {rounding.share(equivalent)} of the layers.",
    )
    return "".join(f"- {line}\n" for line in lines)
