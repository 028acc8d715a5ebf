"""The chain of losses of one plan in one scenario, with the times behind every speedup."""

from __future__ import annotations

from typing import Any

import infersim
from infersim.report import rounding
from infersim.simulation.cases import make_cases, make_execution
from infersim.simulation.chain import FACTORS, chain, chain_times_s, static_m_equivalent
from infersim.simulation.program import lay_out
from infersim.simulation.timeline import timelines
from tests.docs.markdown import markdown_table

_COUNTED = (
    "FLOPs of the targeted ops, at the peak",
    "and FLOPs of the untouched ops",
    "and memory: the floor of every op",
    "and ops that the family adds, at their floors",
    "kernels as they are predicted",
    "and launches",
)
_NAMES = ("flops", "", "bound", "", "", "predicted")


def chain_table(question: dict[str, Any]) -> str:
    """A row for each link of `compare`'s chain, then the sums that follow from them."""
    model = infersim.load_model(question["model"])
    plan = infersim.prune(model, question["family"], question["sparsity"])
    profile = infersim.load_profile(question["gpu"])
    runs = make_execution(dtype="bf16", execution="fused", cuda_graph=True, kv_dtype=None)
    (case,) = make_cases(
        phase=question["phase"],
        batch=question["batch"],
        context=question["context"],
        request=None,
        execution=runs,
    )
    dense, pruned = timelines(lay_out((model, plan.transformer), case.passes), profile)
    links = chain(dense, pruned, plan.targets)
    times = [[float(x) * 1e3 for x in side.ravel()] for side in (chain_times_s(dense, plan.targets), chain_times_s(pruned, plan.targets))]
    speedups = [float(x) for x in links.speedups.ravel()]
    rows = []
    for place, (counted, before, after, speedup) in enumerate(zip(_COUNTED, *times, speedups, strict=True)):
        factor = "–" if place == 0 else f"{FACTORS[place - 1].replace('_', ' ')} {speedup / speedups[place - 1]:.3f}"
        name = f"{rounding.speedup(speedup)} **{_NAMES[place]}**" if _NAMES[place] else rounding.speedup(speedup)
        rows.append([str(place + 1), counted, rounding.quantity(before), rounding.quantity(after), factor, name])
    table = markdown_table(
        ["k", "what is counted", "dense ms", "plan ms", "factor", "speedup so far"],
        rows,
        numeric=[False, False, True, True, False, False],
    )
    return f"\n{table}\n{_sums(speedups, times, float(dense.block_s().item()) * 1e3, float(static_m_equivalent(dense, links.predicted).item()))}\n"


def _sums(speedups: list[float], times: list[list[float]], block_ms: float, equivalent: float) -> str:
    dense_ms, floor_ms = times[0][-1], times[1][3]
    flops, bound, predicted = speedups[0], speedups[2], speedups[5]
    factors = " x ".join(f"{after / before:.3f}" for before, after in zip(speedups, speedups[1:], strict=False))
    return (
        f"- {flops:.3f} x {factors} = {predicted:.3f}: the factors lead from the FLOPs ratio to the prediction.\n"
        f"- **Ceiling**: {dense_ms:.2f} ms / {floor_ms:.2f} ms = {rounding.speedup(dense_ms / floor_ms)}. "
        "No implementation of this plan is faster.\n"
        f"- **Attainment**: {predicted:.3f} / {bound:.3f} = {rounding.share(predicted / bound)} of the bound.\n"
        f"- **Static-m equivalent**: (1 - 1 / {predicted:.3f}) x {dense_ms:.2f} ms / {block_ms:.2f} ms in the "
        f"layers = {rounding.share(equivalent)} of the layers.\n"
    )
