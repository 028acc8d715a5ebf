"""A sweep's plan with all that it names, checked before anything is computed, and its identity.

The identity is what must be the same for a sweep's table to go on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError, UnsupportedError
from infersim.domain.profile import HardwareProfile
from infersim.files.fingerprint import code_fingerprint, fingerprint
from infersim.pruning.plan import Plan
from infersim.simulation.measured.files import load_published
from infersim.simulation.serving.answers import answered
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios
from infersim.simulation.speedups.sharing import shared_plans, why_not_linked, why_not_shared
from infersim.simulation.sweeping.grid import Grid
from infersim.simulation.sweeping.plan_lists import (
    Source,
    SweepPlan,
    distinct,
    listed_gpus,
    listed_models,
    listed_phases,
    listed_requests,
    listed_services,
    listed_settings,
    read_sweep_plan,
)
from infersim.simulation.sweeping.plan_prunings import ModelPlans, listed_prunings
from infersim.simulation.sweeping.served import ServedGrid
from infersim.simulation.timing.program import Programs, lay_out
from infersim.simulation.timing.timeline import timelines
from infersim.workload.requests import Request
from infersim.workload.scenario import Execution

AnyGrid = TypeVar("AnyGrid", Grid, ServedGrid)

Identity = Mapping[str, object]
"""Versions, the plan, and fingerprints of what it names: as JSON beside the parts and in the table."""


def sweep_identity(
    source: Source, prunings: Sequence[ModelPlans], gpus: Sequence[HardwareProfile]
) -> dict[str, object]:
    """The identity of a plan with all that it names."""
    own = [plan for pruning in prunings for plan in pruning.plans if plan.name]
    return {
        "version of infersim": version("infersim"),
        "code of infersim": code_fingerprint(),
        "plan": source.tables.model_dump(mode="json"),
        "models": {pruning.model.name: fingerprint(pruning.model) for pruning in prunings},
        "gpus": {profile.name: fingerprint(profile) for profile in gpus},
        "plan files": {f"{plan.title} of {plan.base.name}": _plan_fingerprint(plan) for plan in own},
        "published speedups": fingerprint(load_published()),
    }


def _plan_fingerprint(plan: Plan) -> str:
    return fingerprint((plan.title, plan.steps, plan.targets, plan.transformer))


def refuse_other(place: Path, said: object, identity: Identity, cure: str) -> None:
    """Raise FileContentError that names the first thing of `said` that differs from `identity`."""
    key, before, now = _difference(said, json.loads(json.dumps(identity)))
    if key:
        expected = f"{_brief(now)} as now. To start this sweep over, {cure}, or choose another out"
        raise FileContentError(place, key, _brief(before), expected)


def _difference(said: object, now: object) -> tuple[str, object, object]:
    if isinstance(said, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*said, *now)):
            inner, before, after = _difference(said.get(key), now.get(key))
            if (before, after) != (None, None):
                return f"{key}.{inner}".rstrip("."), before, after
        return "", None, None
    return ("", None, None) if said == now else ("", said, now)


def _brief(value: object) -> object:
    """A fingerprint by its first digits."""
    return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else value


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was asked for and cannot be, why, and how many scenarios of the plan that concerns."""

    what: str
    reason: str
    scenarios: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSweep:
    """Grids in the order of the table's rows, and what is none of them."""

    grids: tuple[Grid | ServedGrid, ...]
    left_out: tuple[LeftOut, ...]
    identity: Identity

    @property
    def rows(self) -> int:
        """Scenarios that are computed."""
        return sum(grid.rows for grid in self.grids)

    def chunks(self, rows: int) -> list[Grid | ServedGrid]:
        """All grids, cut as `Grid.chunks` does."""
        return [chunk for grid in self.grids for chunk in grid.chunks(rows)]


def resolve_sweep(plan: SweepPlan) -> ResolvedSweep:
    """Load all that `plan` names and leave out what cannot be.

    Raises FileContentError, InvalidValueError or UnknownNameError for what is wrong in the plan or in a
    file that it names, and InfersimError where nothing is left to compute.
    """
    source = read_sweep_plan(plan)
    models, gpus = listed_models(source), listed_gpus(source)
    services = listed_services(source)
    settings, phases, requests = listed_settings(source), listed_phases(source), listed_requests(source)
    prunings = listed_prunings(source, models)
    left_out: Counter[tuple[str, str]] = Counter()
    grids: list[Grid | ServedGrid] = []
    for pruning in prunings:
        for service in services:
            served = ServedGrid(model=pruning.model, service=service, gpus=gpus, plans=pruning.plans)
            for each in pruning.skipped:
                left_out[each.what, each.reason] += each.plans * len(gpus) * served.plan_rows
            grids += _servable(served, left_out)
        for setting in settings if not services else ():
            for asked in _asked(source, pruning, setting, phases, requests):
                for each in pruning.skipped:
                    left_out[each.what, each.reason] += each.plans * len(gpus) * asked.plan_rows
                grids += _possible(replace(asked, gpus=gpus), left_out)
    told = tuple(LeftOut(what=key[0], reason=key[1], scenarios=n) for key, n in left_out.items())
    if not grids:
        reasons = "; ".join(f"{each.what}: {each.reason}" for each in told)
        raise InfersimError(f"{source.label}: nothing is left to compute: {reasons}")
    return ResolvedSweep(grids=tuple(grids), left_out=told, identity=sweep_identity(source, prunings, gpus))


def _asked(
    source: Source,
    pruning: ModelPlans,
    setting: ScenarioOptions,
    phases: Sequence[str],
    requests: Sequence[Request],
) -> Iterator[Grid]:
    """A grid for each phase and request, still without GPUs."""
    tables = source.tables
    batch, context = distinct(tables.batch), distinct(tables.context or [])
    subject = partial(Grid, model=pruning.model, gpus=(), plans=pruning.plans)
    for phase in phases:
        options: ScenarioOptions = {**setting, "phase": phase, "batch": batch, "context": context}
        yield subject(scenarios=Scenarios.of(**options))
    for request in requests:
        options = {**setting, "batch": batch, "request": request}
        yield subject(scenarios=Scenarios.of(**options))


def _possible(grid: Grid, left_out: Counter[tuple[str, str]]) -> Iterator[Grid]:
    """The grid on the GPUs that can run it; the others are counted in `left_out`."""
    runs = grid.scenarios.executions()
    grid = _shared(_linked(grid, runs, left_out), runs, left_out)
    if not grid.plans or not grid.gpus:
        return
    asked = grid.scenarios
    try:
        corner = _largest(grid)
    except InvalidValueError as error:  # another format than the model's file states
        left_out[f"{grid.model.name} in {asked.execution.precision.name}", str(error)] += grid.rows
        return
    able = []
    for profile in grid.gpus:
        try:
            timelines(corner, profile)
        except UnsupportedError as error:
            alone = replace(grid, gpus=(profile,))
            left_out[f"{asked.execution.precision.name} on {profile.name}", str(error)] += alone.rows
        except InvalidValueError as error:
            size = f"batch {max(asked.batch)}" + (f", context {max(asked.context)}" if asked.context else "")
            raise InfersimError(f"{grid.model.name} on {profile.name}, {size}: {error}") from None
        else:
            able.append(profile)
    if able:
        yield replace(grid, gpus=tuple(able))


def _servable(grid: ServedGrid, left_out: Counter[tuple[str, str]]) -> Iterator[ServedGrid]:
    """The grid on the GPUs that can run it; the others are counted in `left_out`."""
    runs = [grid.service.execution]
    grid = _shared(_linked(grid, runs, left_out), runs, left_out)
    if not grid.plans or not grid.gpus:
        return
    dense, able = Plan(base=grid.model, transformer=grid.model), []
    one = replace(grid.service, lengths=grid.service.lengths[:1], concurrency=(1,))
    precision = grid.service.execution.precision.name
    for profile in grid.gpus:
        try:
            answered(dense, profile, one)
        except UnsupportedError as error:
            left_out[f"{precision} on {profile.name}", str(error)] += grid.rows // len(grid.gpus)
        except InvalidValueError as error:  # another format than the model's file states
            left_out[f"{grid.model.name} in {precision}", str(error)] += grid.rows // len(grid.gpus)
        else:
            able.append(profile)
    if able:
        yield replace(grid, gpus=tuple(able))


def _linked(grid: AnyGrid, executions: Sequence[Execution], left_out: Counter[tuple[str, str]]) -> AnyGrid:
    """The grid on GPUs of which a node has so many; the others are counted in `left_out`."""
    able = []
    for profile in grid.gpus:
        reason = why_not_linked(profile, executions)
        if reason:
            what = f"{executions[0].gpus} x {profile.name}"
            left_out[what, reason] += grid.rows // len(grid.gpus)
        else:
            able.append(profile)
    return replace(grid, gpus=tuple(able))


def _shared(grid: AnyGrid, executions: Sequence[Execution], left_out: Counter[tuple[str, str]]) -> AnyGrid:
    """The grid with the plans that its GPUs share evenly; the others are counted in `left_out`."""
    if not grid.gpus or not grid.plans:
        return grid
    gpus = f"on {executions[0].gpus} GPUs"
    reason = why_not_shared(grid.model, executions)
    if reason:
        left_out[f"{grid.model.name} {gpus}", reason] += grid.rows
        return replace(grid, plans=())
    sharing = shared_plans(grid.plans, executions)
    for title, reason in sharing.refused:
        left_out[f"{title} {gpus}", reason] += grid.rows // len(grid.plans)
    return replace(grid, plans=sharing.plans)


def _largest(grid: Grid) -> Programs:
    """The dense model in the largest scenario: where it can be timed, all others can."""
    asked = grid.scenarios
    contexts = (max(asked.context),) if asked.context else ()
    (case,) = replace(asked, batch=(max(asked.batch),), context=contexts).cases()
    return lay_out((grid.model,), case.passes)
