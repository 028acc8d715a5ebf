"""`frontier`: what speed pruning gains for what it loses in quality, and who leads.

Losses of quality are cited or a user's own, speedups are predicted (and measured, where anything is). Losses
stand beside each other only within one regime of recovery and on one axis (`QualityPoint.regime`, `.axis`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np

from infersim.domain.arguments import a_path, as_it_is, checked, either, one_or_several, optional, text
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.simulation.frontier.choice import Choice, Planned, Quality, chosen_points, planned
from infersim.simulation.frontier.quality import QualityTable
from infersim.simulation.frontier.rows import GROUP_KEYS, point_rows, with_standings
from infersim.simulation.speedups.case_timings import CaseTimings, case_timings
from infersim.simulation.speedups.comparison import Measured, comparison_frame, measured_index
from infersim.simulation.speedups.resolving import (
    Gpu,
    Model,
    a_model,
    as_plans,
    as_profiles,
    as_transformer,
    measured_speedups,
    profiles,
)
from infersim.simulation.speedups.scenarios import PassOptions, Scenarios, a_request, some_scenarios
from infersim.simulation.speedups.sharing import check_shared, shared_plans
from infersim.workload.requests import Request
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    import pandas as pd

Workload = str | Request


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frontier:
    """Points of one or several frontiers, their scenarios, how the model is run, and what is left out.

    `points` has a row for each GPU, scenario and loss: `model gpu gpus calibration phase request batch
    context`, the frontier `regime axis quality_model`, the point `point family method plan sparsity
    sparsity_realised params_removed task_type metric source locator evidence series`, `quality_loss_percent`
    with `loss_uncertainty_percent`, the speedups `predicted predicted_lower predicted_upper bound ceiling
    measured measured_scope measured_source`, `fits_memory`, `standing` and `measured_standing` among the
    points of its frontier, and `gain_per_point`: percent of speed gained for each percent of quality lost.

    `workloads` has a row for each GPU and scenario: `dense_ms decode_share memory_bound_share weight_share`.
    """

    points: pd.DataFrame
    workloads: pd.DataFrame
    execution: Execution
    left_out: tuple[str, ...] = ()
    model: Transformer | None = None


@checked(
    model=a_model,
    gpu=profiles,
    request=optional(one_or_several(a_request)),
    quality=optional(either(QualityTable, a_path)),
    quality_model=optional(text),
    recovery=optional(text),
    task_type=optional(text),
    source=optional(text),
    measured=measured_speedups,
    scenarios=optional(one_or_several(some_scenarios)),
    options=as_it_is,
)
def frontier(
    model: Model,
    gpu: Gpu | Sequence[Gpu],
    *,
    request: Workload | Sequence[Workload] | None = None,
    quality: Quality | None = None,
    quality_model: str | None = None,
    recovery: str | None = None,
    task_type: str | None = None,
    source: str | None = None,
    measured: Measured | None = None,
    scenarios: Scenarios | Sequence[Scenarios] | None = None,
    **options: Unpack[PassOptions],
) -> Frontier:
    """Join losses of quality with the speedups of the same plans.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    request
        A whole request in place of a context, or several.
    quality
        A table of losses. Left out: the published one.
    quality_model
        The model whose losses are taken. Left out: the one asked about.
    recovery, task_type, source
        Narrow the losses.
    measured
        As in `compare`.
    scenarios
        Ready records of the options, run in one way.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    Frontier
        Points, workloads, and what was left out.

    Raises
    ------
    InfersimError
        Where no plan is left.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    Examples
    --------
    >>> import infersim as sim
    >>> found = sim.frontier("llama-3.1-8b", "a100-sxm-80gb", phase="prefill", context=4096, recovery="none")
    >>> "static-m" in set(found.points["family"])
    True
    """
    import pandas as pd

    records = _records(scenarios, request, options)
    base = as_transformer(model)
    choice = Choice(model=quality_model or base.name, recovery=recovery, task_type=task_type, source=source)
    chosen, left_out = planned(base, chosen_points(quality, choice))
    plans = {each.plan.title: each.plan for each in chosen if each.plan is not None}
    for asked in records:
        check_shared(base, asked.executions())
        sharing = shared_plans(plans.values(), asked.executions())
        plans = {plan.title: plan for plan in sharing.plans}
        left_out = (*left_out, *sharing.left_out)
    chosen = tuple(each for each in chosen if each.plan is None or each.plan.title in plans)
    if not plans:
        raise InfersimError(f"no plan is left: {'; '.join(left_out)}")
    several, gpus, index = list(plans.values()), as_profiles(gpu), measured_index(measured)
    as_plans(base, several)
    frames, workloads = [], []
    for asked in records:
        for timings in case_timings(
            base, several, gpus, asked.cases(plans=len(several) + 1, profiles=len(gpus))
        ):
            compared = comparison_frame([timings], index).assign(request=_name(asked))
            frames += list(_scenario_frames(compared, chosen, timings))
            workloads.append(_workloads(_name(asked), timings))
    return Frontier(
        points=pd.concat(frames, ignore_index=True).assign(quality_model=choice.model),
        workloads=pd.concat(workloads, ignore_index=True),
        execution=records[0].execution,
        left_out=left_out,
        model=base,
    )


def _records(
    ready: Scenarios | Sequence[Scenarios] | None,
    request: Workload | Sequence[Workload] | None,
    options: PassOptions,
) -> list[Scenarios]:
    """One for each request; those that are `ready`, beside which there is no option."""
    several = [request] if request is None or isinstance(request, Workload) else list(request)
    if ready is None:
        return [Scenarios.of(request=each, **options) for each in several]
    records = [ready] if isinstance(ready, Scenarios) else list(ready)
    if request is not None or options or not records:
        raise TypeError("scenarios: at least one record, and no option beside them")
    if any(each.execution != records[0].execution for each in records):
        raise InvalidValueError("scenarios", "several executions", "records of one execution")
    return records


def _name(asked: Scenarios) -> str:
    """That of the request; no request has none."""
    return "" if asked.request is None else asked.request.name


def _scenario_frames(
    compared: pd.DataFrame, chosen: Sequence[Planned], timings: CaseTimings
) -> Iterator[pd.DataFrame]:
    """The points in each scenario of a case on one GPU, judged frontier by frontier."""
    for scenario, (batch, context) in enumerate(timings.case.scenarios):
        rows = compared[(compared["batch"] == batch) & (compared["context"] == context)]
        frame = point_rows(chosen, rows)
        for _, group in frame.groupby(list(GROUP_KEYS), sort=False):
            yield with_standings(group, partial(timings.half_width, scenario=scenario))


def _workloads(request: str, timings: CaseTimings) -> pd.DataFrame:
    import pandas as pd

    case, dense = timings.case, timings.dense
    return pd.DataFrame(
        {
            "model": dense.program.transformer.name,
            "gpu": timings.profile.name,
            "gpus": case.gpus,
            "phase": case.phase,
            "request": request,
            "batch": case.batch.ravel().astype(np.int64),
            "context": case.context.ravel().astype(np.int64),
            "dense_ms": dense.latency_s.ravel() * 1e3,
            "decode_share": timings.decode_share(),
            "memory_bound_share": timings.memory_bound_share(),
            "weight_share": timings.weight_share(),
        }
    )
