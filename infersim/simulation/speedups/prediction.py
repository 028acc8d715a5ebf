"""`predict`: how long a model, dense or pruned, takes on a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Unpack

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.profile_files.profiles import kernels_named
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.speedups.cases import Case
from infersim.simulation.speedups.columns import (
    Columns,
    constant,
    gpu_columns,
    latency_columns,
    model_notes,
    scenario_columns,
    to_frame,
    with_joined_notes,
)
from infersim.simulation.speedups.resolving import (
    Gpu,
    Model,
    a_model_or_plan,
    as_plan,
    as_profiles,
    profiles,
)
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios, some_scenarios
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines

if TYPE_CHECKING:
    import pandas as pd


@checked(
    model_or_plan=a_model_or_plan,
    gpu=profiles,
    scenarios=optional(some_scenarios),
    kernels=kernels_named,
    options=as_it_is,
)
def predict(
    model_or_plan: Model | Plan,
    gpu: Gpu | Sequence[Gpu],
    *,
    scenarios: Scenarios | None = None,
    kernels: str | None = None,
    **options: Unpack[ScenarioOptions],
) -> pd.DataFrame:
    """Latency of every combination of batch and context, one row each.

    Columns: `model gpu calibration phase batch context fits_memory`, `latency_ms` with its 80 % interval
    `lower_ms upper_ms` and `floor_ms`, `tokens_per_s` (read in prefill, generated otherwise), `memory_gib`,
    kernel milliseconds of each part and all launches (`ms_qkvo ms_ffn ms_attention ms_lm_head ms_elementwise
    ms_extra ms_launch`, which sum to `latency_ms`), `calibrated_share` (of the latency: from kernels inside
    the calibrated range), joules of the whole board `energy_j_per_token` (of those that `tokens_per_s`
    counts) with the 80 % interval `energy_lower_j_per_token energy_upper_j_per_token` and
    `energy_j_per_request` (of the row's passes, for each request of the batch), mean `watts`,
    `energy_calibration` (`fitted` where the board was metered, `transferred` by the datasheet, `none` and NaN
    where nobody states its power limit) and `notes`, one text. A scenario that does not fit in memory is
    timed as if it did, and marked.

    Parameters
    ----------
    model_or_plan
        A name (`infersim models`), a path to a config or checkpoint, a ready model, or a plan of `prune`.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    scenarios
        A ready record of the options.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    DataFrame
        One row for each GPU, phase, batch and context.

    Raises
    ------
    UnknownNameError
        For names that are not known.
    InvalidValueError
        For impossible dimensions.
    UnsupportedError
        For a data type that the GPU lacks.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
       multicore architectures", Communications of the ACM 52(4), 2009: `floor_ms`, summed over ops.

    Examples
    --------
    >>> import infersim as sim
    >>> frame = sim.predict("llama-3.1-8b", "h100-sxm", phase="decode", batch=[1, 8], context=4096)
    >>> frame["batch"].tolist()
    [1, 8]
    >>> bool((frame["latency_ms"] > frame["floor_ms"]).all())
    True
    """
    gpus = [profile.with_kernels(kernels) for profile in as_profiles(gpu)]
    return with_joined_notes(predicted(model_or_plan, gpus, Scenarios.of(scenarios, **options)))


def predicted(model_or_plan: Model | Plan, gpu: Gpu | Sequence[Gpu], scenarios: Scenarios) -> pd.DataFrame:
    """`predict`, with the notes of a row as a tuple of texts."""
    plan = as_plan(model_or_plan)
    profiles = as_profiles(gpu)
    cases = scenarios.cases(profiles=len(profiles))
    programs = [lay_out((plan.transformer,), case.passes) for case in cases]
    timed = (
        (case, timelines(laid_out, profile)[0])
        for profile in profiles
        for case, laid_out in zip(cases, programs, strict=True)
    )
    return prediction_frame(plan, timed)


@marks(FrameKind.PREDICT)
def prediction_frame(plan: Plan, timed: Iterable[tuple[Case, Timeline]]) -> pd.DataFrame:
    """The frame of `predict`: timelines of `plan` in their order, scenarios inside."""
    return to_frame([_columns(plan, case, timeline) for case, timeline in timed])


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
