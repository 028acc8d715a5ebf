"""Targets beyond reach: the best that exists, which target binds, and which limit stands in the way."""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.simulation.search.problem import Problem
from infersim.simulation.search.settings.scenarios import Predicted
from infersim.simulation.search.settings.targets import Goal, Targets
from infersim.simulation.search.solving import MET, Solver, State, search_for
from infersim.simulation.search.spaces.limits import Limits

LIMITS = ("keep", "multiple", "tensor_parallel", "group", "shapes", "runnable")
"""Limits in the order in which they are tried without."""

SECONDS = 5.0
"""For each further question."""


def out_of_reach(solver: Solver, state: State) -> InfersimError:
    """The error: what the nearest plan reaches, what binds, and without which limit it would be reached."""
    problem = solver.problem
    _, places = solver.nearest(state)
    if not places:
        return InfersimError("no plan was found in time: expected more than time_limit seconds")
    nearest = solver.predicted(places)
    wanted = problem.targets.named
    words = _reached(nearest, problem.targets)
    if len(wanted) == 1:
        name, value = next(iter(wanted.items()))
        side = "at most" if name == "speedup" else "at least"
        expected = f"{side} {words}, the best that exists{_sure(problem.targets)}{_binding(problem)}"
        return InvalidValueError(f"target_{name}", value, expected)
    alone = ", ".join(_alone(problem, name) for name in wanted)
    expected = (
        f"targets that one plan meets: the nearest reaches {words}{_sure(problem.targets)}; "
        f"{_binds(nearest, problem.targets)} binds; each alone reaches {alone}{_binding(problem)}"
    )
    given = ", ".join(f"{name} {value:g}" for name, value in wanted.items())
    return InvalidValueError("targets", given, expected)


def _sure(targets: Targets) -> str:
    return f" (kept with probability {targets.sure:g})" if targets.sure > 0.5 else ""


def _reached(found: Predicted, targets: Targets) -> str:
    """What a plan keeps of each target, as surely as is wanted."""
    return ", ".join(_kept(goal, targets) for goal in found.goals)


def _kept(goal: Goal, targets: Targets) -> str:
    name = goal.target.partition("_")[0]
    where = f" ({goal.where})" if goal.where else ""
    kept = replace(goal, value=goal.kept(targets))
    return f"{name} {kept.reached}{where}"


def _binds(found: Predicted, targets: Targets) -> str:
    worst = max(found.goals, key=lambda goal: goal.excess(targets))
    return worst.target + (f" ({worst.where})" if worst.where else "")


def _alone(problem: Problem, name: str) -> str:
    """The best of one target without the others."""
    targets = Targets(**{name: problem.targets.named[name]}, sure=problem.targets.sure)
    solver = Solver(replace(problem, targets=targets), SECONDS, 1e-2)
    solved, places = solver.nearest(solver.start())
    return _reached(solver.predicted(places), targets) if solved.taken is not None else f"{name}: unknown"


def _binding(problem: Problem) -> str:
    """Limits without which the targets are met; the choices themselves where there is none."""
    found = [limit for limit in _in_force(problem) if _met_without(problem, limit)]
    if found:
        return f"; without the limit {' or '.join(found)} it is met"
    return "; the choices themselves bind, not a limit"


def _in_force(problem: Problem) -> list[str]:
    limits, plain = problem.limits, Limits(tensor_parallel=problem.setting.gpus)
    own = [name for name in LIMITS if name != "runnable" and getattr(limits, name) != getattr(plain, name)]
    return own + (["runnable"] if limits.refused or not limits.per_layer else [])


def _met_without(problem: Problem, limit: str) -> bool:
    try:
        other = problem.without(limit)
    except InfersimError:
        return False
    solver = Solver(other, SECONDS, 1e-2)
    state = solver.start()
    solved, places = solver.nearest(state)
    if solved.taken is None:
        return False
    found = solver.predicted(places)
    return (
        max(goal.excess(problem.targets) for goal in found.goals) <= MET or search_for(solver)[0] is not None
    )
