"""Plans that several GPUs can share, and why others cannot be shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infersim.pruning.plan import Plan
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.workload.parallel.dividing import check_divides, obstacle
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Plans that each number of GPUs shares evenly, and a line on each of the others."""

    plans: tuple[Plan, ...]
    left_out: tuple[str, ...]


def shared_plans(plans: Iterable[Plan], scenarios: Scenarios) -> Sharing:
    """Those of `plans` that the GPUs of `scenarios` share evenly."""
    able, left_out = [], []
    for plan in plans:
        reason = why_not_shared(plan.transformer, scenarios)
        if reason:
            left_out.append(f"{plan.title}: {reason}")
        else:
            able.append(plan)
    return Sharing(plans=tuple(able), left_out=tuple(left_out))


def why_not_shared(transformer: Transformer, scenarios: Scenarios) -> str:
    """Why one of the numbers of GPUs does not share a model evenly; empty where all do."""
    experts = scenarios.execution.expert_parallel
    found = (obstacle(transformer, count, expert_parallel=experts) for count in scenarios.gpus)
    return next(filter(None, found), "")


def check_shared(models: Sequence[Transformer], scenarios: Scenarios) -> None:
    """Raise InvalidValueError where GPUs do not share one of `models` evenly, with what would do."""
    for model in models:
        for count in scenarios.gpus:
            check_divides(model, count, expert_parallel=scenarios.execution.expert_parallel)
