"""What an answer is set beside: the whole trade-off between loss and time, and uniform plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infersim.simulation.search.problem import Problem
from infersim.simulation.search.programs.program import solve
from infersim.simulation.search.settings.scenarios import Predicted
from infersim.simulation.search.solving import Answer, Solver
from infersim.simulation.search.uniform import UniformPlans

if TYPE_CHECKING:
    import pandas as pd

CURVE_GAP = 5e-3
"""Relative gap of the points of a curve."""

POINT_SECONDS = 2.0
"""At most, for each point of a curve."""

SAME_LOSS, SAME_TIME = "at the same loss", "at the same time"
"""How uniform plans are compared with the answer."""


def curve_frame(solver: Solver, points: int, answer: Answer) -> pd.DataFrame:
    """Least losses at times between the dense model's and the fastest plan's, predicted in full.

    The answer is one of the points. Targets are left out, limits kept; where layers are equal the points are
    uniform plans.
    """
    import pandas as pd

    problem = solver.problem
    plans = _uniform_points(problem, points) if not problem.limits.per_layer else _points(problem, points)
    found = {tuple(places): gap for places, gap in plans}
    found.setdefault(answer.places, answer.gap)
    several = list(found)
    predicted = problem.setting.predicted(
        [problem.plan(places, name=f"point {index}") for index, places in enumerate(several)], problem.targets
    )
    rows = [
        {"loss": solver.loss(places), **_told(each), "gap": found[places], "answer": places == answer.places}
        for places, each in zip(several, predicted, strict=True)
    ]
    return pd.DataFrame(rows).sort_values("predicted", kind="stable").reset_index(drop=True)


def _points(problem: Problem, points: int) -> list[tuple[list[int], float]]:
    program, losses = problem.units.program, problem.option_losses
    lead, rest = program.summed(problem.lead_values()), problem.lead_remainder()
    found: list[tuple[list[int], float]] = [([0] * len(problem.space.slots), 0.0)]
    fastest = solve(program, lead, [], seconds=POINT_SECONDS, gap=CURVE_GAP)
    if fastest.taken is None:
        return found
    least = float(lead[program.starts + fastest.taken].sum()) + rest
    for share in np.linspace(1.0, least, points)[1:-1]:
        solved = solve(
            program, losses, [(lead, rest, float(share) + 1e-9)], seconds=POINT_SECONDS, gap=CURVE_GAP
        )
        if solved.taken is not None:
            found.append((problem.units.chosen(solved.taken.tolist()), solved.gap))
    found.append((problem.units.chosen(fastest.taken.tolist()), fastest.gap))
    return found


def _uniform_points(problem: Problem, points: int) -> list[tuple[list[int], float]]:
    plans = problem.uniform({})
    lead = plans.totals["lead"]
    found = []
    for share in np.linspace(1.0, float(lead.min()), points):
        within = np.where(lead <= share + 1e-9, plans.loss, np.inf)
        if np.isfinite(within.min()):
            found.append((plans.chosen(int(np.argmin(within))), 0.0))
    return found


def _told(found: Predicted) -> dict[str, Any]:
    return {
        "predicted": found.lead,
        "predicted_lower": found.lead_lower,
        "predicted_upper": found.lead_upper,
        **found.columns,
    }


def uniform_frame(solver: Solver, answer: Answer) -> pd.DataFrame:
    """Of each family the fastest uniform plan that loses no more, and the one as fast that loses least.

    Both are predicted in full. A family without such a plan has no row.
    """
    import pandas as pd

    problem = solver.problem
    plans = problem.uniform({})
    lead = plans.totals["lead"]
    own = problem.entries.chosen(answer.places)
    fast = float(problem.lead_values()[own].sum()) + problem.lead_remainder()
    picked = [
        (family, compared, place)
        for family in dict.fromkeys(plans.family)
        if family != "dense"
        for compared, place in _best(plans, family, answer.loss, lead, fast)
    ]
    predicted = problem.setting.predicted(
        [problem.plan(plans.chosen(place), name=plans.text[place]) for *_, place in picked], problem.targets
    )
    rows = [
        {
            "family": family,
            "plan": plans.text[place],
            "compared": compared,
            "loss": float(plans.loss[place]),
            **_told(each),
        }
        for (family, compared, place), each in zip(picked, predicted, strict=True)
    ]
    columns = ["family", "plan", "compared", "loss", "predicted", "predicted_lower", "predicted_upper"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def _best(
    plans: UniformPlans, family: str, loss: float, lead: np.ndarray, fast: float
) -> Sequence[tuple[str, int]]:
    """The two plans of a family; one that is no faster than the dense model counts for nothing."""
    own = np.array([each == family for each in plans.family])
    within = own & (plans.loss <= loss * (1 + 1e-9) + 1e-12) & (lead < 1)
    as_fast = own & (lead <= fast * (1 + 1e-9))
    found = []
    if within.any():
        found.append((SAME_LOSS, int(np.argmin(np.where(within, lead, np.inf)))))
    if as_fast.any():
        found.append((SAME_TIME, int(np.argmin(np.where(as_fast, plans.loss, np.inf)))))
    return found
