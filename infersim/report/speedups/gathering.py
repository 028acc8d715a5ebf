"""All that a comparison's page shows: the frame of `compare`, the ops behind it, and curves over sparsity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Unpack

from infersim.domain.arguments import as_it_is, checked, one_or_several, optional, text
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.profile import HardwareProfile
from infersim.pruning.composition import prune
from infersim.pruning.plan import Plan, PlanStep
from infersim.report.core.scenarios import SCENARIO_KEYS, only_scenarios, setting_text, shown_scenarios
from infersim.simulation.speedups import resolving
from infersim.simulation.speedups.case_timings import CaseTimings, case_timings, with_plans
from infersim.simulation.speedups.comparison import (
    Comparison,
    Measured,
    compared,
    comparison_frame,
    measured_index,
)
from infersim.simulation.speedups.measured_columns import MeasuredIndex
from infersim.simulation.speedups.op_frames import op_frames
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
from infersim.simulation.speedups.sharing import shared_plans

if TYPE_CHECKING:
    import pandas as pd


SPARSITIES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
"""Where curves are computed beside the sparsities that were asked for."""


def curve_name(plan: Plan) -> str:
    """The curve that a plan lies on: its family with the options that were set."""
    options = ", ".join(f"{name}={value}" for step in plan.steps for name, value in step.options)
    return f"{plan.family} ({options})" if options else plan.family


def curve_plans(plans: Sequence[Plan]) -> dict[str, Plan]:
    """Plans by title: those given, and those of the same family and options at other sparsities.

    Plans of several steps, with a name or with detail by layer have no sparsity to vary: they stand alone.
    What a family cannot do (2:4 at another sparsity) is left out. Of equal titles the first is kept.
    """
    found = {plan.title: plan for plan in plans}
    for plan in plans:
        if plan.name or plan.sparsity is None:
            continue
        for sparsity in SPARSITIES:
            pruned = _pruned(plan, plan.steps[0], sparsity)
            if pruned is not None:
                found.setdefault(pruned.title, pruned)
    return found


def _pruned(plan: Plan, step: PlanStep, sparsity: float) -> Plan | None:
    try:
        return prune(plan.base, step.family, sparsity, **dict(step.options))
    except (UnsupportedError, InvalidValueError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparisonReport:
    """`comparison` holds all scenarios; `ops` and `curves` only those of `scenarios`, which are drawn.

    `curves` is a frame of `compare` with a column `curve`. `setting` says how the model is run, `left_out`
    which plans were asked for and cannot be.
    """

    comparison: pd.DataFrame
    scenarios: pd.DataFrame
    ops: pd.DataFrame
    curves: pd.DataFrame
    profiles: Mapping[str, HardwareProfile]
    setting: str
    left_out: tuple[str, ...] = ()


@checked(
    model=a_model,
    plans=resolving.plans,
    gpu=resolving.profiles,
    measured=measured_speedups,
    scenarios=optional(some_scenarios),
    left_out=one_or_several(text, at_least=0),
    options=as_it_is,
)
def gather_comparison(
    model: Model,
    plans: Plan | Sequence[Plan],
    gpu: Gpu | Sequence[Gpu],
    *,
    measured: Measured | None = None,
    scenarios: Scenarios | None = None,
    left_out: Sequence[str] = (),
    **options: Unpack[ScenarioOptions],
) -> ComparisonReport:
    """Compare, and add what figures need; arguments and errors are those of `compare`.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    plans
        A plan of `prune`, or several.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    measured
        Measured speedups, as in `compare`.
    scenarios
        A ready record of scenarios, in place of options.
    left_out
        Sentences on what was not compared, for the page.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    ComparisonReport
        The comparison, its scenarios, ops and curves, and the profiles.

    Raises
    ------
    InfersimError
        What `compare` raises.

    Examples
    --------
    >>> import infersim as sim
    >>> plans = [sim.prune("llama-3.2-1b", "static-m", 0.5)]
    >>> report = sim.gather_comparison("llama-3.2-1b", plans, "l4", phase="decode", context=1024)
    >>> len(report.comparison)
    1
    """
    base, profiles = as_transformer(model), as_profiles(gpu)
    several, asked = as_plans(base, plans), Scenarios.of(scenarios, **options)
    index = measured_index(measured)
    found = compared(base, several, profiles, asked, index)
    shown = shown_scenarios(found.frame)
    return ComparisonReport(
        comparison=found.frame,
        scenarios=shown,
        ops=op_frames(found.timings, shown),
        curves=_curves(found, several, asked, shown, index),
        profiles={profile.name: profile for profile in profiles},
        setting=setting_text(asked.execution, asked.request, transformer=base, gpus=asked.gpus),
        left_out=tuple(left_out),
    )


def _curves(
    found: Comparison, plans: Sequence[Plan], asked: Scenarios, shown: pd.DataFrame, index: MeasuredIndex
) -> pd.DataFrame:
    """The rows of `shown` scenarios, and between their plans those of the same curves that GPUs can share."""
    import pandas as pd

    drawn, titles = curve_plans(plans), {plan.title for plan in plans}
    more = [plan for title, plan in drawn.items() if title not in titles]
    between = shared_plans(more, asked.executions()).plans
    rows = [found.frame.drop_duplicates([*SCENARIO_KEYS, "plan"])]
    if between:
        rows.append(comparison_frame(_timed(found, between, asked, shown), index))
    frame = only_scenarios(pd.concat(rows, ignore_index=True), shown)
    return frame.assign(curve=frame["plan"].map({title: curve_name(plan) for title, plan in drawn.items()}))


def _timed(
    found: Comparison, plans: Sequence[Plan], asked: Scenarios, shown: pd.DataFrame
) -> Iterator[CaseTimings]:
    """More plans beside a comparison, where it is drawn: of many scenarios only some are."""
    here = [each for each in found.timings if each.profile.name in set(shown["gpu"])]
    drawn = replace(
        asked,
        gpus=tuple(shown["gpus"].unique().tolist()),
        batch=tuple(shown["batch"].unique().tolist()),
        context=tuple(shown["context"].unique().tolist()) if asked.context else (),
    )
    if drawn == asked:
        return with_plans(here, plans)
    profiles = {each.profile.name: each.profile for each in here}
    return case_timings(plans[0].base, plans, profiles.values(), drawn.cases())
