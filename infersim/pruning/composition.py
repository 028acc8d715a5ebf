"""Applying a family to a model or to a plan: plans compose step by step."""

from __future__ import annotations

from dataclasses import replace

from infersim.pruning.checks import check_sparsity
from infersim.pruning.plan import OptionValue, Plan, PlanStep
from infersim.pruning.registry import family_named
from infersim.workload.transformer import Transformer


def prune(
    model: Transformer | Plan, /, family: str, sparsity: float | None = None, **options: OptionValue
) -> Plan:
    """Apply a family to a model, or to what a plan made of one.

    `sparsity` is a fraction in [0, 1) of what the family targets, None only where the family has a fixed
    one; `options` are those of the family. A composed step works on, and counts from, what the steps before
    left. Raises UnknownNameError for an unknown family or option, InvalidValueError for a value outside
    what is possible, and UnsupportedError where the model has nothing to prune or families do not compose.
    """
    chosen = family_named(family)
    chosen.check_options(options)
    requested = check_sparsity(chosen.fixed_sparsity if sparsity is None else sparsity)
    plan = model if isinstance(model, Plan) else Plan(base=model, transformer=model)
    pruned = chosen.function(plan.transformer, requested, **options)
    step = PlanStep(
        family=family,
        sparsity=requested,
        sparsity_realised=pruned.sparsity_realised,
        options=tuple(sorted(options.items())),
    )
    return replace(
        plan,
        transformer=pruned.transformer,
        steps=(*plan.steps, step),
        targets=plan.targets | pruned.targets,
    )
