"""`frontier`: what speed pruning gains for what it loses in quality, and who leads.

Losses of quality are cited or a user's own, speedups are predicted (and measured, where anything is). Losses
stand beside each other only within one regime of recovery and on one axis (`QualityPoint.regime`, `.axis`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from infersim.simulation.cases import Case, make_cases, make_execution
from infersim.simulation.comparison import Measured, compare
from infersim.simulation.frontier_choice import Choice, Planned, Quality, chosen_points, planned
from infersim.simulation.frontier_rows import GROUP_KEYS, point_rows, with_standings
from infersim.simulation.frontier_timing import CaseTimings
from infersim.simulation.resolving import Dimension, Gpu, Model, as_profiles, as_transformer
from infersim.workload.requests import Request, request_named
from infersim.workload.scenario import Execution

if TYPE_CHECKING:
    import pandas as pd

    from infersim.domain.profile import HardwareProfile
    from infersim.workload.transformer import Transformer

Workload = str | Request


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frontier:
    """Points of one or several frontiers, their scenarios, how the model is run, and what is left out.

    `points` has a row for each GPU, scenario and loss: `model gpu calibration phase request batch context`,
    the frontier `regime axis quality_model`, the point `point family method plan sparsity sparsity_realised
    params_removed task_type metric source locator evidence series`, `quality_loss_percent` with
    `loss_uncertainty_percent`, the speedups `predicted predicted_lower predicted_upper bound ceiling measured
    measured_scope measured_source`, `fits_memory`, `standing` and `measured_standing` among the points of its
    frontier, and `gain_per_point`: percent of speed gained for each percent of quality lost.

    `workloads` has a row for each GPU and scenario: `dense_ms decode_share memory_bound_share weight_share`.
    """

    points: pd.DataFrame
    workloads: pd.DataFrame
    execution: Execution
    left_out: tuple[str, ...] = ()


def frontier(
    model: Model,
    gpu: Gpu | Sequence[Gpu],
    *,
    phase: str = "prefill",
    batch: Dimension = 1,
    context: Dimension | None = None,
    request: Workload | Sequence[Workload] | None = None,
    quality: Quality | None = None,
    quality_model: str | None = None,
    recovery: str | None = None,
    task_type: str | None = None,
    source: str | None = None,
    measured: Measured | None = None,
    dtype: str = "bf16",
    execution: str = "fused",
    cuda_graph: bool = True,
    kv_dtype: str | None = None,
) -> Frontier:
    """Join losses of quality with the speedups of the same plans.

    `quality` is a table of losses, by default the published one; `quality_model` the model whose losses are
    taken, by default the one asked about. `recovery`, `task_type` and `source` narrow them. Several requests
    may be given. The other arguments, and errors, are those of `compare`; more errors are those of
    `chosen_points`.
    """
    import pandas as pd

    base = as_transformer(model)
    choice = Choice(model=quality_model or base.name, recovery=recovery, task_type=task_type, source=source)
    chosen, left_out = planned(base, chosen_points(quality, choice))
    plans = {each.plan.title: each.plan for each in chosen if each.plan is not None}
    runs = make_execution(dtype=dtype, execution=execution, cuda_graph=cuda_graph, kv_dtype=kv_dtype)
    frames, workloads = [], []
    for name, wanted in _requests(request):
        compared = compare(
            base,
            list(plans.values()),
            gpu,
            phase=phase,
            batch=batch,
            context=context,
            request=wanted,
            measured=measured,
            dtype=dtype,
            execution=execution,
            cuda_graph=cuda_graph,
            kv_dtype=kv_dtype,
        ).assign(request=name)
        cases = make_cases(phase=phase, batch=batch, context=context, request=wanted, execution=runs)
        for profile in as_profiles(gpu):
            for case in cases:
                timings = CaseTimings.of(base, plans, case, profile)
                here = compared[(compared["gpu"] == profile.name) & (compared["phase"] == case.phase)]
                frames += list(_scenario_frames(here, chosen, case, timings))
                workloads.append(_workloads(base, profile, name, case, timings))
    return Frontier(
        points=pd.concat(frames, ignore_index=True).assign(quality_model=choice.model),
        workloads=pd.concat(workloads, ignore_index=True),
        execution=runs,
        left_out=left_out,
    )


def _requests(request: Workload | Sequence[Workload] | None) -> Iterator[tuple[str, Request | None]]:
    """Each request by its name; no request is one without a name."""
    several = [request] if request is None or isinstance(request, Workload) else list(request)
    for each in several:
        known = request_named(each) if isinstance(each, str) else each
        yield ("" if known is None else known.name), known


def _scenario_frames(
    compared: pd.DataFrame, chosen: Sequence[Planned], case: Case, timings: CaseTimings
) -> Iterator[pd.DataFrame]:
    """The points in each scenario of a case on one GPU, judged frontier by frontier."""
    scenarios = list(zip(case.batch.ravel(), case.context.ravel(), strict=True))
    for scenario, (batch, context) in enumerate(scenarios):
        rows = compared[(compared["batch"] == batch) & (compared["context"] == context)]
        frame = point_rows(chosen, rows)
        for _, group in frame.groupby(list(GROUP_KEYS), sort=False):
            yield with_standings(group, partial(timings.half_width, scenario=scenario))


def _workloads(
    base: Transformer, profile: HardwareProfile, request: str, case: Case, timings: CaseTimings
) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "model": base.name,
            "gpu": profile.name,
            "phase": case.phase,
            "request": request,
            "batch": case.batch.ravel().astype(np.int64),
            "context": case.context.ravel().astype(np.int64),
            "dense_ms": timings.dense.latency_s.ravel() * 1e3,
            "decode_share": timings.decode_share(),
            "memory_bound_share": timings.memory_bound_share(),
            "weight_share": timings.weight_share(),
        }
    )
