"""How many layers fit: the whole model where the device has room, else a stack of fewer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from infersim.domain.errors import InfersimError
from infersim.measuring.model.memory import needed_bytes
from infersim.measuring.model.runs import Programme
from infersim.pruning.stack import stack_of_model, stack_of_plan
from infersim.workload.memory import USABLE_SHARE
from infersim.workload.scenario import Scenario

GIB = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A programme that fits, and what was done to it (empty: nothing)."""

    programme: Programme
    note: str


def sized(programme: Programme, layers: int | None, free_bytes: float) -> Sized:
    """The programme in a stack of `layers`, or of as many as fit (None).

    Dense and pruned model are in memory side by side. Raises InfersimError, with what is needed and free,
    where that is too much even for one layer, or for the layers asked for.
    """
    total = len(programme.model.blocks)
    usable = USABLE_SHARE * free_bytes
    if layers is not None:
        stacked = with_layers(programme, layers)
        needed = programme_bytes(stacked)
        if needed > usable:
            fitting = _most_layers(programme, usable)
            hint = f"--layers {fitting} fits" if fitting else "not even one layer fits"
            raise InfersimError(_too_much(stacked, needed, free_bytes, hint))
        note = "" if layers == total else f"Measured is a stack of {layers} of {total} layers."
        return Sized(programme=stacked, note=note)
    fitting = _most_layers(programme, usable)
    if fitting == 0:
        needed = programme_bytes(with_layers(programme, 1))
        hint = "one layer of it; choose a smaller --batch, --context or model"
        raise InfersimError(_too_much(programme, needed, free_bytes, hint))
    if fitting == total:
        return Sized(programme=programme, note="")
    note = (
        f"The whole model needs {programme_bytes(programme) / GIB:.3g} GiB beside its pruned one, and "
        f"{free_bytes / GIB:.3g} GiB are free: measured is a stack of {fitting} of {total} layers "
        f"(to compare: --layers {fitting})."
    )
    return Sized(programme=with_layers(programme, fitting), note=note)


def with_layers(programme: Programme, layers: int) -> Programme:
    """The programme for a stack of `layers`."""
    return replace(
        programme,
        model=stack_of_model(programme.model, layers),
        plans=tuple(stack_of_plan(plan, layers) for plan in programme.plans),
    )


def programme_bytes(programme: Programme) -> float:
    """Bytes that the hungriest scenario needs, dense and pruned model side by side."""
    scenarios = [
        Scenario(
            phase=question.phase,
            batch=question.batch,
            context=question.context,
            execution=programme.execution,
        )
        for question in programme.questions
    ]
    return needed_bytes(programme.model, [plan.transformer for plan in programme.plans], scenarios)


def _most_layers(programme: Programme, usable_bytes: float) -> int:
    """The largest stack within the bytes; 0 where one layer is too much. More layers never need less."""
    low, high = 0, len(programme.model.blocks)
    while low < high:
        middle = (low + high + 1) // 2
        if programme_bytes(with_layers(programme, middle)) <= usable_bytes:
            low = middle
        else:
            high = middle - 1
    return low


def _too_much(programme: Programme, needed: float, free: float, hint: str) -> str:
    return (
        f"{programme.model.name}, dense and pruned side by side, needs {needed / GIB:.3g} GiB and "
        f"{free / GIB:.3g} GiB are free: {hint}"
    )
