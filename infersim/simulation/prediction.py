"""`predict`: how long a model, dense or pruned, takes on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infersim.pruning.plan import Plan
from infersim.simulation.cases import Case, make_cases, make_execution
from infersim.simulation.columns import (
    Columns,
    constant,
    gpu_columns,
    latency_columns,
    model_notes,
    scenario_columns,
    to_frame,
)
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.program import lay_out
from infersim.simulation.resolving import Dimension, Gpu, Model, as_plan, as_profiles
from infersim.simulation.timeline import Timeline, timelines
from infersim.workload.requests import Request

if TYPE_CHECKING:
    import pandas as pd


@marks(FrameKind.PREDICT)
def predict(
    model_or_plan: Model | Plan,
    gpu: Gpu | Sequence[Gpu],
    *,
    phase: str = "prefill",
    batch: Dimension = 1,
    context: Dimension | None = None,
    dtype: str = "bf16",
    execution: str = "fused",
    cuda_graph: bool = True,
    kv_dtype: str | None = None,
    request: str | Request | None = None,
) -> pd.DataFrame:
    """Latency of every combination of batch and context, one row each.

    `phase` is `prefill` (`context` is the prompt), `decode` (one step; `context` includes the current token)
    or `both`. With a `request` (a preset's name, or lengths) in place of a context, prefill and all decode
    steps are summed over the growing context.

    Columns: `model gpu calibration phase batch context fits_memory`, `latency_ms` with its 80 % interval
    `lower_ms upper_ms` and `floor_ms`, `tokens_per_s` (read in prefill, generated otherwise), `memory_gib`,
    kernel milliseconds of each part and all launches (`ms_qkvo ms_ffn ms_attention ms_lm_head
    ms_elementwise ms_extra ms_launch`, which sum to `latency_ms`), `calibrated_share` (of the latency: from
    kernels inside the calibrated range) and `notes`. A scenario that does not fit in memory is timed as if it
    did, and marked.

    Raises UnknownNameError for names that are not known, InvalidValueError for impossible dimensions, and
    UnsupportedError for a data type that the GPU lacks.
    """
    plan = as_plan(model_or_plan)
    runs = make_execution(dtype=dtype, execution=execution, cuda_graph=cuda_graph, kv_dtype=kv_dtype)
    cases = make_cases(phase=phase, batch=batch, context=context, request=request, execution=runs)
    programs = [lay_out((plan.transformer,), case.passes) for case in cases]
    return to_frame(
        [
            _columns(plan, case, timelines(laid_out, profile)[0])
            for profile in as_profiles(gpu)
            for case, laid_out in zip(cases, programs, strict=True)
        ]
    )


def _columns(plan: Plan, case: Case, timeline: Timeline) -> Columns:
    return {
        "model": constant(_title(plan), case),
        **gpu_columns(case, timeline),
        **scenario_columns(case, timeline),
        **latency_columns(case, timeline),
        "notes": model_notes(case, timeline),
    }


def _title(plan: Plan) -> str:
    """The model, with what was done to it."""
    if not plan.steps:
        return plan.name or plan.transformer.name
    return plan.name or f"{plan.base.name} ({plan.family}, {plan.sparsity_realised:.1%})"
