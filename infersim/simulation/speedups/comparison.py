"""`compare`: how much faster plans are, how much faster they could be, and what eats the difference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.profiles import kernels_named
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.measured.files import MeasuredTable, load_measured, load_published
from infersim.simulation.speedups import resolving
from infersim.simulation.speedups.case_timings import CaseTimings, case_timings
from infersim.simulation.speedups.cases import Case
from infersim.simulation.speedups.chain import Chain, chain, static_m_equivalent
from infersim.simulation.speedups.columns import (
    MS,
    Column,
    Columns,
    constant,
    gpu_columns,
    joined_notes,
    latency_columns,
    model_notes,
    scenario_columns,
    to_frame,
    with_joined_notes,
)
from infersim.simulation.speedups.measured_columns import MeasuredColumns, MeasuredIndex
from infersim.simulation.speedups.resolving import (
    Gpu,
    Model,
    a_model,
    as_plans,
    as_profiles,
    as_transformer,
    measured_speedups,
)
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios, some_scenarios
from infersim.simulation.timing.op_costs import over_ops
from infersim.simulation.timing.timeline import Timeline
from infersim.workload.formats import dtype_name
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    import pandas as pd

Measured = MeasuredTable | str | Path
"""Measured speedups: a table, or a path to a file of one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """A frame of `compare`, and the timings that it was made from: GPUs outermost, then cases."""

    frame: pd.DataFrame
    timings: tuple[CaseTimings, ...]


@checked(
    model=a_model,
    plans=resolving.plans,
    gpu=resolving.profiles,
    measured=measured_speedups,
    scenarios=optional(some_scenarios),
    kernels=kernels_named,
    options=as_it_is,
)
def compare(
    model: Model,
    plans: Plan | Sequence[Plan],
    gpu: Gpu | Sequence[Gpu],
    *,
    measured: Measured | None = None,
    scenarios: Scenarios | None = None,
    kernels: str | None = None,
    **options: Unpack[ScenarioOptions],
) -> pd.DataFrame:
    """Set plans against their dense `model`: one row for each GPU, phase, plan, batch and context.

    The columns of latency (the plan's) are those of `predict`, and so is `kernels`. The others:

    - `plan targets family sparsity sparsity_realised params_removed flops_removed bytes_removed`: the plan
      by its title, and the parts it means to cut. FLOPs and compulsory bytes (weights, KV cache, embedding
      rows) are those of the row's scenario; `sparsity` is NaN for a plan of several steps.
    - `flops`, `bound`, `ceiling`, `predicted` (80 % interval `predicted_lower predicted_upper`): speedups as
      `chain.Chain` defines them. `ceiling` starts from the predicted or the measured dense latency, the
      longer one, so that neither speedup can exceed it.
    - `measured` with `measured_scope` and `measured_source`: `measured` is the argument's table, by default
      the published speedups that travel with infersim. Only scope `point` is set against the prediction;
      of it `measured_dense_ms` and `measured_ms` (the plan's), where the table states times.
    - `attainment`: realised (measured, else predicted) over `bound`; it may exceed 1.
    - `static_m_equivalent`: the fraction of equal layers to remove for the same predicted speedup.
    - `loss_<name>` for each of `chain.FACTORS`: `flops` times the first five is `predicted`, times
      `loss_unexplained` `measured`. Where `flops` is NaN, so is `loss_unpruned_work`; `notes` says why.
    - `dense_ms dense_fits_memory`: the dense model in the same scenario.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    plans
        What `prune` made of that model, one or several.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    measured
        Your own measured speedups: a table or its path. Left out: the published ones.
    scenarios
        A ready record of the options.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    DataFrame
        One row for each GPU, phase, plan, batch and context.

    Raises
    ------
    InvalidValueError
        For plans that were not made of `model`, and for impossible dimensions.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
       multicore architectures", Communications of the ACM 52(4), 2009, from which `bound` follows.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = sim.prune("llama-3.1-8b", "static-m", sparsity=0.5)
    >>> frame = sim.compare("llama-3.1-8b", plan, "h100-sxm", phase="decode", batch=8, context=4096)
    >>> bool(1 < frame["predicted"].iloc[0] <= frame["ceiling"].iloc[0])
    True
    """
    base = as_transformer(model)
    several = as_plans(base, plans)
    asked = Scenarios.of(scenarios, **options)
    gpus = [profile.with_kernels(kernels) for profile in as_profiles(gpu)]
    return with_joined_notes(streamed_comparison(base, several, gpus, asked, measured_index(measured)))


def streamed_comparison(
    base: Transformer,
    plans: Sequence[Plan],
    profiles: Sequence[HardwareProfile],
    scenarios: Scenarios,
    index: MeasuredIndex,
) -> pd.DataFrame:
    """`compare` with the notes of a row as a tuple of texts; timings are dropped as soon as they are read."""
    return comparison_frame(
        case_timings(base, plans, profiles, scenarios.cases(plans=len(plans) + 1, profiles=len(profiles))),
        index,
    )


def compared(
    base: Transformer,
    plans: Sequence[Plan],
    profiles: Sequence[HardwareProfile],
    scenarios: Scenarios,
    index: MeasuredIndex,
) -> Comparison:
    """`compare` with the timings behind it, for what else is read from them."""
    timings = tuple(
        case_timings(base, plans, profiles, scenarios.cases(plans=len(plans) + 1, profiles=len(profiles)))
    )
    return Comparison(frame=comparison_frame(timings, index), timings=timings)


def measured_index(measured: Measured | None) -> MeasuredIndex:
    """The measured speedups to set beside predictions; None: the published ones."""
    if measured is None:
        return MeasuredIndex.of(load_published())
    table = measured if isinstance(measured, MeasuredTable) else load_measured(measured)
    return MeasuredIndex.of(table)


@marks(FrameKind.COMPARE)
def comparison_frame(timings: Iterable[CaseTimings], index: MeasuredIndex) -> pd.DataFrame:
    """The frame of `compare`: timings in their order, plans in that of each, scenarios inside."""
    return to_frame([columns for each in timings for columns in _case_columns(each, index)])


def _description(plan: Plan) -> dict[str, str | float]:
    """What is the same in every row of a plan."""
    return {
        "plan": plan.title,
        "targets": " ".join(sorted(plan.targets)),
        "family": plan.family,
        "sparsity": math.nan if plan.sparsity is None else plan.sparsity,
        "sparsity_realised": plan.sparsity_realised,
        "params_removed": plan.params_removed,
    }


def _case_columns(timings: CaseTimings, index: MeasuredIndex) -> Iterator[Columns]:
    case, dense, profile = timings.case, timings.dense, timings.profile
    for plan, timeline in zip(timings.plans, timings.pruned, strict=True):
        found = index.columns(plan, profile.name, case)
        links = chain(dense, timeline, plan.targets)
        yield {
            "model": constant(plan.base.name, case),
            **gpu_columns(case, timeline),
            **{name: constant(value, case) for name, value in _description(plan).items()},
            "flops_removed": _removed(dense.work().flop, timeline.work().flop),
            "bytes_removed": _removed(dense.costs.model_bytes, timeline.costs.model_bytes),
            **scenario_columns(case, timeline),
            **_speedup_columns(links, dense, timeline, found),
            "dense_ms": dense.latency_s.ravel() * MS,
            "dense_fits_memory": dense.fits_memory.ravel(),
            **latency_columns(case, timeline),
            "notes": joined_notes(_format_change(case, dense, timeline), _notes(case, timeline, links)),
        }


def _removed(dense: Array, pruned: Array) -> Array:
    return (1 - over_ops(pruned) / over_ops(dense)).ravel()


def _speedup_columns(links: Chain, dense: Timeline, timeline: Timeline, found: MeasuredColumns) -> Columns:
    predicted, bound = links.predicted.ravel(), links.bound.ravel()
    realised = np.where(np.isnan(found.realised), predicted, found.realised)
    measured_ceiling = found.dense_s / timeline.floor_s.ravel()
    factors = links.factors(found.realised.reshape(links.predicted.shape))
    return {
        "flops": links.flops.ravel(),
        "bound": bound,
        "ceiling": np.fmax(links.ceiling.ravel(), measured_ceiling),
        "predicted": predicted,
        "predicted_lower": links.lower.ravel(),
        "predicted_upper": links.upper.ravel(),
        "measured": found.speedup,
        "measured_scope": found.scope,
        "measured_source": found.source,
        "measured_dense_ms": found.dense_s * MS,
        "measured_ms": found.pruned_s * MS,
        "attainment": realised / bound,
        "static_m_equivalent": static_m_equivalent(dense, links.predicted).ravel(),
        **{f"loss_{name}": factor.ravel() for name, factor in factors.items()},
    }


def _format_change(case: Case, dense: Timeline, timeline: Timeline) -> Column:
    """A note where the two sides are stored unlike: a checkpoint beside a model that states nothing."""
    execution = case.passes[0].scenario.execution
    before, after = (dtype_name(one.program.transformer, execution) for one in (dense, timeline))
    note = f"the dense model is {before}, this one {after}: speedups hold the change of format too"
    return constant(note if before != after else "", case)


def _notes(case: Case, timeline: Timeline, links: Chain) -> Column:
    reason = "flops undefined: only one side has FLOPs in the targeted parts"
    undefined = np.where(np.isnan(links.flops), reason, "").astype(object).ravel()
    return joined_notes(undefined, model_notes(case, timeline))
