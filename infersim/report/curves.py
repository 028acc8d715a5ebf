"""The plans between those that were asked for: each family's speedup over sparsity."""

from __future__ import annotations

from collections.abc import Sequence

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.composition import prune
from infersim.pruning.plan import Plan, PlanStep

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
