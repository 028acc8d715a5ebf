"""Answers to the choices of the page, from simulation and report; what a slider leaves as it is is kept.

Kept are models, plans, timings, ops of each plan and served curves, by the choices that they rely on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from infersim.app.choices import Choices
from infersim.app.models import chosen_model
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.engines.reading import load_engine
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import FamilyPlans, family_plans
from infersim.pruning.plan import Plan
from infersim.report.speedups.gathering import SPARSITIES, curve_name
from infersim.simulation.serving.answers import answered
from infersim.simulation.serving.runnable import with_support
from infersim.simulation.serving.service import Service
from infersim.simulation.serving.under_load import Curve, Targets, UnderLoad, curve_of
from infersim.simulation.speedups.case_timings import CaseTimings
from infersim.simulation.speedups.comparison import Comparison, compared, measured_index
from infersim.simulation.speedups.op_frames import op_frames
from infersim.simulation.speedups.resolving import DENSE
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.simulation.speedups.sharing import check_shared, shared_plans

if TYPE_CHECKING:
    import pandas as pd

    from infersim.domain.profile import HardwareProfile
    from infersim.workload.scenario import Execution
    from infersim.workload.transformer import Transformer

_KEPT = 64
"""Answers of each kind that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pruned:
    """The model, its plans, and why others that were chosen are left out.

    Equal choices have the same record: it is told by its identity, as comparing models takes long.
    """

    model: Transformer
    plans: tuple[Plan, ...]
    left_out: tuple[str, ...]


def scenarios_of(choices: Choices) -> Scenarios:
    """The one scenario of the page."""
    return Scenarios.of(
        phase=choices.phase,
        batch=choices.batch,
        context=choices.context,
        dtype=choices.dtype or None,
        kv_dtype=choices.kv_dtype or None,
        gpus=choices.gpus,
    )


def pruned(choices: Choices) -> Pruned:
    """The plans of the page; raises InfersimError where none is chosen or none can be made or shared."""
    model = (choices.model, choices.config, choices.config_name)
    return _pruned(model, choices.families, scenarios_of(choices).executions())


@lru_cache(maxsize=_KEPT)
def _pruned(
    named: tuple[str, str, str], families: tuple[tuple[str, float], ...], executions: tuple[Execution, ...]
) -> Pruned:
    if not families:
        raise InvalidValueError("families", "none", "at least one family of pruning")
    model = chosen_model(*named)
    check_shared(model, executions)
    made = [_family_plans(named, name, (sparsity,)) for name, sparsity in families]
    sharing = shared_plans([plan for each in made for plan in each.plans], executions)
    skipped = [str(one) for each in made for one in each.skipped]
    left_out = (*skipped, *sharing.left_out)
    if not sharing.plans:
        raise InfersimError(f"no plan can be made: {'; '.join(left_out)}")
    return Pruned(model=model, plans=sharing.plans, left_out=left_out)


def profiles_of(choices: Choices) -> list[HardwareProfile]:
    """The GPUs side by side."""
    return [load_profile(name) for name in choices.profiles]


def comparison(choices: Choices) -> Comparison:
    """What `infersim compare` computes; its frame says too which plans the engine runs."""
    found = pruned(choices)
    timed = _compared(found, choices.profiles, scenarios_of(choices))
    return replace(timed, frame=with_support(timed.frame, found.plans, load_engine(choices.engine)))


def ops_on(timed: Comparison, place: int, choices: Choices) -> pd.DataFrame:
    """The ops of the dense model and of every plan on one of the GPUs."""
    import pandas as pd

    timings = timed.timings[place]
    alone = replace(choices, gpu=timings.profile.name, versus="", families=(), losses="")
    frames = [
        _ops(_Timed(choices=alone, title=plan.title if plan else DENSE, plan=plan, timings=timings))
        for plan in (None, *timings.plans)
    ]
    return pd.concat(frames, ignore_index=True)


def curves(choices: Choices) -> pd.DataFrame:
    """Speedup over sparsity of every chosen family: the rows of `compare`, with a column `curve`."""
    import pandas as pd

    found, scenarios = pruned(choices), scenarios_of(choices)
    rows = [_compared(found, choices.profiles, scenarios).frame]
    named = (choices.model, choices.config, choices.config_name)
    between = _between(named, tuple(plan.family for plan in found.plans), scenarios.executions())
    if between.plans:
        rows.append(_compared(between, choices.profiles, scenarios).frame)
    frame = pd.concat(rows, ignore_index=True).drop_duplicates(["gpu", "plan"])
    names = {plan.title: curve_name(plan) for plan in (*found.plans, *between.plans)}
    return frame.assign(curve=frame["plan"].map(names))


def service_of(choices: Choices) -> Service:
    """Requests that read the context, as the engine serves them."""
    return Service.of(
        prompt=choices.context,
        output=choices.output,
        concurrency=choices.concurrency,
        engine=choices.engine,
        gpus=choices.gpus,
        dtype=choices.dtype or None,
        kv_dtype=choices.kv_dtype or None,
    )


def served(choices: Choices) -> list[UnderLoad]:
    """Each GPU with the dense model and the plans under load; raises InfersimError where nothing fits."""
    found = pruned(choices)
    load = replace(choices, families=(), losses="", phase="prefill", batch=1, versus="")
    dense = Plan(base=found.model, transformer=found.model, name=DENSE)
    answers = []
    for name in choices.profiles:
        here = replace(load, gpu=name)
        curves_here = [
            _served(_Loaded(choices=here, title=plan.title, plan=plan)) for plan in (dense, *found.plans)
        ]
        if not any(curve.most for curve in curves_here):
            raise InfersimError(f"nothing fits into the memory of {name} beside what {choices.engine} needs")
        first, *others = curves_here
        answers.append(UnderLoad(dense=first, plans=tuple(others), targets=Targets()))
    return answers


@lru_cache(maxsize=1024)
def _family_plans(named: tuple[str, str, str], family: str, sparsities: tuple[float, ...]) -> FamilyPlans:
    return family_plans(chosen_model(*named), [family], sparsities)


@lru_cache(maxsize=_KEPT)
def _compared(found: Pruned, profiles: tuple[str, ...], scenarios: Scenarios) -> Comparison:
    gpus = [load_profile(name) for name in profiles]
    return compared(found.model, found.plans, gpus, scenarios, measured_index(None))


@lru_cache(maxsize=_KEPT)
def _between(
    named: tuple[str, str, str], families: tuple[str, ...], executions: tuple[Execution, ...]
) -> Pruned:
    """Plans of families at the sparsities where curves are drawn, as far as GPUs can share them."""
    made = [plan for family in families for plan in _family_plans(named, family, SPARSITIES).plans]
    sharing = shared_plans(made, executions)
    return Pruned(model=chosen_model(*named), plans=sharing.plans, left_out=sharing.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A plan under load on the one GPU of `choices`; those of one title have equal curves."""

    choices: Choices
    title: str
    plan: Plan = field(compare=False)


@lru_cache(maxsize=_KEPT)
def _served(loaded: _Loaded) -> Curve:
    service = service_of(loaded.choices)
    return curve_of(answered(loaded.plan, load_profile(loaded.choices.gpu), service))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    """The dense model (no plan) or a plan; those of one title have equal timings for equal `choices`."""

    choices: Choices
    title: str
    plan: Plan | None = field(compare=False)
    timings: CaseTimings = field(compare=False)


@lru_cache(maxsize=_KEPT)
def _ops(timed: _Timed) -> pd.DataFrame:
    timings, plan = timed.timings, timed.plan
    if plan is None:
        return op_frames([replace(timings, plans=(), pruned=())], _scenario_of(timings))
    alone = replace(timings, plans=(plan,), pruned=(timings.of(plan),))
    return op_frames([alone], _scenario_of(timings), with_dense=False)


def _scenario_of(timings: CaseTimings) -> pd.DataFrame:
    import pandas as pd

    case = timings.case
    return pd.DataFrame(
        {
            "gpu": [timings.profile.name],
            "gpus": [case.gpus],
            "phase": [case.phase],
            "batch": case.batch.ravel()[:1].astype(int),
            "context": case.context.ravel()[:1].astype(int),
        }
    )
