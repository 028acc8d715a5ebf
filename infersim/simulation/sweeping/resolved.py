"""A sweep's plan with all that it names, checked before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError, UnsupportedError
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.locations import data_folder
from infersim.pruning.plan import Plan
from infersim.pruning.table_files import checked_tables, tables_from_file
from infersim.simulation.cases import make_cases
from infersim.simulation.program import Programs, lay_out
from infersim.simulation.published import load_published
from infersim.simulation.sweeping.fingerprint import code_fingerprint, fingerprint
from infersim.simulation.sweeping.grid import Grid, Setting
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
from infersim.simulation.sweeping.plan_tables import NESTED, SweepTables
from infersim.simulation.timeline import timelines
from infersim.workload.requests import Request

SweepPlan = str | Path | Mapping[str, object]
"""A plan's file, the name of a shipped one, or its tables as they would be in a file."""

Identity = Mapping[str, object]
"""What must be the same for a sweep to go on: versions, the plan, and the content of what it names."""


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
                    left_out[each.what, each.reason] += each.plans * len(gpus) * asked.scenarios
                grids += _possible(replace(asked, gpus=gpus), left_out)
    told = tuple(LeftOut(what=key[0], reason=key[1], scenarios=n) for key, n in left_out.items())
    if not grids:
        reasons = "; ".join(f"{each.what}: {each.reason}" for each in told)
        raise InfersimError(f"{source.label}: nothing is left to compute: {reasons}")
    return ResolvedSweep(grids=tuple(grids), left_out=told, identity=_identity(source, prunings, gpus))


def read_sweep_plan(plan: SweepPlan) -> Source:
    """The plan's tables, not yet looked up; errors as in `resolve_sweep`."""
    if isinstance(plan, Mapping):
        tables = checked_tables(plan, "plan", SweepTables, NESTED)
        return Source(label="plan", folder=Path(), tables=tables)
    file = Path(plan)
    if isinstance(plan, str) and not plan.endswith(".toml"):
        shipped = shipped_sweeps()
        if plan not in shipped:
            raise UnknownNameError("sweep (a .toml file, or one that infersim ships)", plan, shipped)
        file = shipped[plan]
    tables = tables_from_file(file, "plan", SweepTables, NESTED)
    return Source(label=str(file), folder=file.parent, tables=tables)


def shipped_sweeps() -> dict[str, Path]:
    """Files of the plans that travel with infersim, by name."""
    return {file.stem: file for file in sorted((data_folder("calibration") / "sweeps").glob("*.toml"))}


def _asked(
    source: Source,
    pruning: ModelPlans,
    setting: Setting,
    phases: Sequence[str],
    requests: Sequence[Request],
) -> Iterator[Grid]:
    """A grid for each phase and request, still without GPUs."""
    tables = source.tables
    questions: list[tuple[str | None, Request | None]] = [(phase, None) for phase in phases]
    for phase, request in [*questions, *((None, request) for request in requests)]:
        yield Grid(
            model=pruning.model,
            setting=setting,
            phase=phase,
            request=request,
            gpus=(),
            plans=pruning.plans,
            batches=distinct(tables.batch),
            contexts=distinct(tables.context or []) if request is None else (),
        )


def _possible(grid: Grid, left_out: Counter[tuple[str, str]]) -> Iterator[Grid]:
    """The grid on the GPUs that can run it; the others are counted in `left_out`."""
    if not grid.plans:
        return
    corner = _largest(grid)
    able = []
    for profile in grid.gpus:
        try:
            timelines(corner, profile)
        except UnsupportedError as error:
            alone = replace(grid, gpus=(profile,))
            left_out[f"{grid.setting.dtype} on {profile.name}", str(error)] += alone.rows
        except InvalidValueError as error:
            size = f"batch {max(grid.batches)}" + (f", context {max(grid.contexts)}" if grid.contexts else "")
            raise InfersimError(f"{grid.model.name} on {profile.name}, {size}: {error}") from None
        else:
            able.append(profile)
    if able:
        yield replace(grid, gpus=tuple(able))


def _largest(grid: Grid) -> Programs:
    """The dense model in the largest scenario: where it can be timed, all others can."""
    (case,) = make_cases(
        phase=grid.phase or "",
        batch=max(grid.batches),
        context=max(grid.contexts) if grid.request is None else None,
        request=grid.request,
        execution=grid.setting.as_execution(),
    )
    return lay_out((grid.model,), case.passes)


def _identity(
    source: Source, prunings: Sequence[ModelPlans], gpus: Sequence[HardwareProfile]
) -> dict[str, object]:
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
