"""Plans that several GPUs can share, and why others cannot be shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infersim.domain.errors import InfersimError
from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.workload.parallel.dividing import check_divides, obstacle
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Plans that each number of GPUs shares evenly, and the others by title with what is in the way."""

    plans: tuple[Plan, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """A line on each of the others."""
        return tuple(f"{title}: {reason}" for title, reason in self.refused)


def shared_plans(plans: Iterable[Plan], executions: Sequence[Execution]) -> Sharing:
    """Those of `plans` that the GPUs of all `executions` share evenly."""
    able, refused = [], []
    for plan in plans:
        reason = why_not_shared(plan.transformer, executions)
        if reason:
            refused.append((plan.title, reason))
        else:
            able.append(plan)
    return Sharing(plans=tuple(able), refused=tuple(refused))


def why_not_shared(transformer: Transformer, executions: Sequence[Execution]) -> str:
    """Why one of the numbers of GPUs does not share a model evenly; empty where all do."""
    found = (obstacle(transformer, each.gpus, expert_parallel=each.expert_parallel) for each in executions)
    return next(filter(None, found), "")


def why_not_linked(profile: HardwareProfile, executions: Sequence[Execution]) -> str:
    """Why so many GPUs do not stand in one node, or nobody says how they are linked; empty where they do."""
    for each in executions:
        if each.gpus > 1:
            try:
                profile.link_between(each.gpus)
            except InfersimError as error:
                return str(error)
    return ""


def check_shared(model: Transformer, executions: Sequence[Execution]) -> None:
    """Raise InvalidValueError where GPUs do not share a model evenly, with what would do."""
    for each in executions:
        check_divides(model, each.gpus, expert_parallel=each.expert_parallel)
