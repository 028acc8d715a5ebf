"""Solving a problem: a plan from the table, its full prediction, and again until that meets the targets.

A target on a measure is a bound on the table's sum. The bound of a plan is the sum at which its full
prediction would just meet the target; solved anew with the bounds of the plan just found, tightened where it
misses a target and loosened where the first bounds were stricter than they had to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np

from infersim.domain.arrays import Array
from infersim.pruning.plan import Plan
from infersim.simulation.search.problem import Problem
from infersim.simulation.search.programs.program import Solved, closest, solve
from infersim.simulation.search.settings.costs import Quantity
from infersim.simulation.search.settings.scenarios import Predicted
from infersim.simulation.search.settings.served import InService
from infersim.simulation.search.uniform import LossOf, UniformPlans

MOST_ROUNDS = 10
"""Times that a program is solved with corrected bounds."""

SAME = 1e-3
"""Bounds that grow by less are not solved anew for."""

MET = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A plan with its full prediction. `gap` and `timed_out` are the solver's; `rounds` it was solved for."""

    places: tuple[int, ...]
    loss: float
    predicted: Predicted
    gap: float
    timed_out: bool
    rounds: int = 1

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.predicted.plan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """Bounds on table sums, one for each goal, with the measures that they are of."""

    measures: Mapping[str, Quantity]
    names: tuple[str, ...]
    bounds: Array


class Solver:
    """Solves one problem, counting the time; a problem of equal layers by its uniform plans."""

    def __init__(self, problem: Problem, seconds: float, gap: float) -> None:
        self.problem, self.gap = problem, gap
        self.ends = monotonic() + seconds
        self._losses = LossOf(problem.entries, problem.importance)
        self._uniform: tuple[int, UniformPlans] | None = None

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.ends - monotonic())

    def start(self) -> State:
        """The bounds of the dense model."""
        dense = self.problem.setting.predicted([self.dense], self.problem.targets)[0]
        return self.state([0] * len(self.problem.space.slots), dense, self.problem.measures)

    def dense_answer(self) -> Answer | None:
        """The plan that changes nothing, where that meets the targets."""
        places = (0,) * len(self.problem.space.slots)
        found, loss = self.predicted(places), self.loss(places)
        if not np.isfinite(loss) or _worst(found, self) > MET:
            return None
        return Answer(places=places, loss=loss, predicted=found, gap=0.0, timed_out=False)

    @property
    def dense(self) -> Plan:
        """The plan that changes nothing."""
        return Plan(base=self.problem.model, transformer=self.problem.model)

    def state(self, places: Sequence[int], found: Predicted, measures: Mapping[str, Quantity]) -> State:
        """The bounds at which a plan with this prediction would just meet its targets."""
        problem = self.problem
        if isinstance(problem.setting, InService) and _runs_otherwise(problem.setting, found):
            measures = problem.setting.measures(problem.entries, found.plan)
        entries = problem.entries.chosen(places)
        totals = [float(measures[goal.measure].total(entries)) for goal in found.goals]
        bounds = [
            total / goal.excess(problem.targets) for total, goal in zip(totals, found.goals, strict=True)
        ]
        names = tuple(goal.measure for goal in found.goals)
        return State(measures=measures, names=names, bounds=np.array(bounds))

    def minimise(self, state: State) -> tuple[Solved, list[int]]:
        """The plan of least loss within the bounds."""
        if not self.problem.limits.per_layer:
            return self._of_uniform(state, nearest=False)
        rows = self._rows(state)
        losses = self.problem.option_losses
        found = solve(self.problem.units.program, losses, rows, seconds=self.left_s, gap=self.gap)
        return found, self._places(found)

    def nearest(self, state: State) -> tuple[Solved, list[int]]:
        """The plan whose worst target is missed by the least factor, its `loss`."""
        if not self.problem.limits.per_layer:
            return self._of_uniform(state, nearest=True)
        seconds = max(1.0, self.left_s)
        found = closest(self.problem.units.program, self._rows(state), seconds=seconds, gap=self.gap)
        return found, self._places(found)

    def _rows(self, state: State) -> list[tuple[Array, float, float]]:
        program = self.problem.units.program
        return [
            (program.summed(state.measures[name].values), float(state.measures[name].remainder), float(bound))
            for name, bound in zip(state.names, state.bounds, strict=True)
        ]

    def _places(self, found: Solved) -> list[int]:
        return [] if found.taken is None else self.problem.units.chosen(found.taken.tolist())

    def _of_uniform(self, state: State, *, nearest: bool) -> tuple[Solved, list[int]]:
        """The same among uniform plans, all of which are looked at."""
        if self._uniform is None or self._uniform[0] != id(state.measures):
            self._uniform = (id(state.measures), self.problem.uniform(state.measures))
        plans = self._uniform[1]
        ratios = [plans.totals[name] / bound for name, bound in zip(state.names, state.bounds, strict=True)]
        worst = np.max(ratios, axis=0)
        objective = worst if nearest else np.where(worst <= 1, plans.loss, np.inf)
        place = int(np.argmin(objective))
        if not np.isfinite(objective[place]):
            return Solved(taken=None, loss=np.nan, gap=np.nan, feasible=False, timed_out=False), []
        taken = np.array(plans.chosen(place), dtype=np.intp)
        return (
            Solved(taken=taken, loss=float(objective[place]), gap=0.0, feasible=True, timed_out=False),
            taken.tolist(),
        )

    def predicted(self, places: Sequence[int]) -> Predicted:
        """The full prediction of a plan."""
        return self.problem.setting.predicted([self.problem.plan(places)], self.problem.targets)[0]

    def loss(self, places: Sequence[int]) -> float:
        """What a plan loses."""
        return float(self._losses.total(places))

    def layer_losses(self, places: Sequence[int]) -> list[float]:
        """What each layer of the model loses in a plan."""
        losses = self._losses
        found = [0.0] * len(self.problem.model.blocks)
        for layer, slots in losses.layers().items():
            found[layer] = float(losses.of_slots(slots, places, places))
        return found


def search_for(solver: Solver) -> tuple[Answer | None, State]:
    """The best plan that meets its targets in full, or None; and the bounds that were reached last."""
    state, best, rounds = solver.start(), solver.dense_answer(), 0
    tried: dict[tuple[int, ...], int] = {}
    near = False
    while rounds < MOST_ROUNDS:
        rounds += 1
        solved, places = (solver.nearest if near else solver.minimise)(state)
        if solved.taken is None or (near and best is None and solved.loss > MET and tuple(places) in tried):
            if best is not None or near or solved.feasible is None:
                break
            near = True
            continue
        found = solver.predicted(places)
        excess = _worst(found, solver)
        after = solver.state(places, found, state.measures)
        again = tried.get(tuple(places), 0)
        tried[tuple(places)] = again + 1
        if excess <= MET:
            loss = solver.loss(places)
            if best is None or loss < best.loss:
                best = Answer(
                    places=tuple(places),
                    loss=loss,
                    predicted=found,
                    gap=solved.gap if not near else float("nan"),
                    timed_out=solved.timed_out,
                    rounds=rounds,
                )
            grows = float(np.max(after.bounds / state.bounds)) if after.names == state.names else 2.0
            if (again or grows < 1 + SAME) and not near:
                break
            state, near = after, False
        else:
            shrunk = np.minimum(after.bounds, state.bounds * (1 - 2e-3 * again))
            state, near = replace(after, bounds=shrunk if again else after.bounds), False
        if solver.left_s == 0 and best is not None:
            break
    return best, state


def _worst(found: Predicted, solver: Solver) -> float:
    targets = solver.problem.targets
    return max(goal.excess(targets) for goal in found.goals)


def _runs_otherwise(setting: InService, found: Predicted) -> bool:
    """Whether a plan lets another number of requests run than the dense model."""
    dense = float(setting.dense.steady.running[0, 0])
    return not np.isclose(found.columns["running"], dense, rtol=1e-6)
