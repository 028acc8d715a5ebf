"""A sweep's plan with all that it names, checked before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from infersim.domain.errors import InfersimError, InvalidValueError, UnsupportedError
from infersim.simulation.program import Programs, lay_out
from infersim.simulation.speedups.scenarios import RunOptions, Scenarios
from infersim.simulation.sweeping.grid import Grid
from infersim.simulation.sweeping.identity import Identity, sweep_identity
from infersim.simulation.sweeping.plan_lists import (
    Source,
    distinct,
    listed_gpus,
    listed_models,
    listed_phases,
    listed_requests,
    listed_settings,
)
from infersim.simulation.sweeping.plan_prunings import ModelPlans, listed_prunings
from infersim.simulation.sweeping.plan_reading import SweepPlan, read_sweep_plan
from infersim.simulation.timeline import timelines
from infersim.workload.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was asked for and cannot be, why, and how many scenarios of the plan that concerns."""

    what: str
    reason: str
    scenarios: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSweep:
    """Grids in the order of the table's rows, and what is none of them."""

    grids: tuple[Grid, ...]
    left_out: tuple[LeftOut, ...]
    identity: Identity

    @property
    def rows(self) -> int:
        """Scenarios that are computed."""
        return sum(grid.rows for grid in self.grids)

    def chunks(self, rows: int) -> list[Grid]:
        """All grids, cut as `Grid.chunks` does."""
        return [chunk for grid in self.grids for chunk in grid.chunks(rows)]


def resolve_sweep(plan: SweepPlan) -> ResolvedSweep:
    """Load all that `plan` names and leave out what cannot be.

    Raises FileContentError, InvalidValueError or UnknownNameError for what is wrong in the plan or in a
    file that it names, and InfersimError where nothing is left to compute.
    """
    source = read_sweep_plan(plan)
    models, gpus = listed_models(source), listed_gpus(source)
    settings, phases, requests = listed_settings(source), listed_phases(source), listed_requests(source)
    prunings = listed_prunings(source, models)
    left_out: Counter[tuple[str, str]] = Counter()
    grids: list[Grid] = []
    for pruning in prunings:
        for setting in settings:
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
    setting: RunOptions,
    phases: Sequence[str],
    requests: Sequence[Request],
) -> Iterator[Grid]:
    """A grid for each phase and request, still without GPUs."""
    tables = source.tables
    batch, context = distinct(tables.batch), distinct(tables.context or [])
    subject = partial(Grid, model=pruning.model, gpus=(), plans=pruning.plans)
    for phase in phases:
        yield subject(scenarios=Scenarios.of(phase=phase, batch=batch, context=context, **setting))
    for request in requests:
        yield subject(scenarios=Scenarios.of(batch=batch, request=request, **setting))


def _possible(grid: Grid, left_out: Counter[tuple[str, str]]) -> Iterator[Grid]:
    """The grid on the GPUs that can run it; the others are counted in `left_out`."""
    if not grid.plans:
        return
    asked, corner = grid.scenarios, _largest(grid)
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


def _largest(grid: Grid) -> Programs:
    """The dense model in the largest scenario: where it can be timed, all others can."""
    asked = grid.scenarios
    contexts = (max(asked.context),) if asked.context else ()
    (case,) = replace(asked, batch=(max(asked.batch),), context=contexts).cases()
    return lay_out((grid.model,), case.passes)
