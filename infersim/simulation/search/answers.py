"""An answer in words and frames: the plan's numbers, its targets, and what became of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infersim.simulation.search.problem import Problem
from infersim.simulation.search.settings.served import InService
from infersim.simulation.search.solving import MET, Answer, Solver
from infersim.simulation.search.spaces.choices import Sublayer
from infersim.simulation.serving.runnable import support_of
from infersim.workload.transformer import Block

if TYPE_CHECKING:
    import pandas as pd

    from infersim.engines.engine import Engine


def nothing() -> pd.DataFrame:
    """Where it was not asked for."""
    import pandas as pd

    return pd.DataFrame()


def about(problem: Problem, answer: Answer) -> list[str]:
    """What the head of the plan file says."""
    goals = ", ".join(goal.text for goal in answer.predicted.goals)
    return [
        f"Found for {problem.model.name} on {problem.profile.name}: {goals}.",
        f"Predicted {answer.predicted.lead:.3f}x; loss {answer.loss:.6g} by {problem.importance.label}.",
    ]


def answer_frame(problem: Problem, answer: Answer, engine: Engine | None) -> pd.DataFrame:
    """The row of `SearchResult.answer`."""
    import pandas as pd

    found, plan = answer.predicted, answer.plan
    own = problem.setting.service.engine if isinstance(problem.setting, InService) else engine
    support = None if (asked := engine or own) is None else support_of(plan, asked)
    row: Mapping[str, Any] = {
        "model": problem.model.name,
        "gpu": problem.profile.name,
        "calibration": problem.profile.calibration.value,
        "importance": problem.importance.label,
        "measured": problem.importance.measured,
        "loss": answer.loss,
        "predicted": found.lead,
        "predicted_lower": found.lead_lower,
        "predicted_upper": found.lead_upper,
        **found.columns,
        "fits_memory": found.fits_memory,
        "params_removed": plan.params_removed,
        "sure": problem.targets.sure,
        "gap": answer.gap,
        "timed_out": answer.timed_out,
        "rounds": answer.rounds,
        "engine": "" if asked is None else asked.name,
        "runs": "" if support is None else support.answer,
        "runs_needs": "" if support is None else "; ".join(support.notes),
    }
    return pd.DataFrame([row])


def goal_frame(problem: Problem, answer: Answer) -> pd.DataFrame:
    """A row for each target."""
    import pandas as pd

    rows = [
        {
            "target": goal.target,
            "where": goal.where,
            "limit": goal.limit,
            "value": goal.value,
            "kept": goal.kept(problem.targets),
            "met": goal.excess(problem.targets) <= MET,
        }
        for goal in answer.predicted.goals
    ]
    return pd.DataFrame(rows)


def layer_frame(solver: Solver, answer: Answer) -> pd.DataFrame:
    """What each layer became, what it loses, and its share of the plan's time."""
    import pandas as pd

    problem = solver.problem
    slots, lead, kept = problem.space.slots, problem.lead_values(), problem.entries.kept
    values = lead[problem.entries.chosen(answer.places)]
    whole, dense = float(values.sum()) + problem.lead_remainder(), float(lead[kept].sum())
    zeros = {f"{name}_{what}": 0.0 for name in Sublayer for what in ("time", "dense")}
    rows: dict[int, dict[str, Any]] = {
        layer: {"layer": layer, **_dense(block), "share": 0.0, **zeros}
        for layer, block in enumerate(problem.model.blocks)
    }
    for slot, place, value, before in zip(slots, answer.places, values, lead[kept], strict=True):
        rows[slot.layer][slot.sublayer.value] = slot.choices[place].text
        rows[slot.layer]["share"] += float(value) / whole
        rows[slot.layer][f"{slot.sublayer}_time"] = float(value) / dense
        rows[slot.layer][f"{slot.sublayer}_dense"] = float(before) / dense
    frame = pd.DataFrame(list(rows.values()))
    return frame.assign(loss=solver.layer_losses(answer.places))


def _dense(block: Block) -> dict[str, str]:
    """What stands for sublayers without a choice: kept, or not there."""
    return {
        name.value: "kept" if getattr(block, name.value) is not None else "not there" for name in Sublayer
    }


def notes(problem: Problem, answer: Answer) -> list[str]:
    """What to keep in mind."""
    found = [f"Left out: {reason}." for reason in problem.space.left_out]
    if not problem.importance.measured:
        found.insert(0, f"Importance is by {problem.importance.label}.")
    if answer.timed_out:
        found.insert(
            0, f"Out of time: the best plan so far; another could lose {answer.gap:.2%} less at most."
        )
    return found
