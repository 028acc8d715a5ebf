"""How many layers fit: the whole model where the device has room, else a stack of fewer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from infersim.domain.errors import InfersimError
from infersim.measuring.model.memory import needed_bytes
from infersim.measuring.model.runs import MeasurementRun
from infersim.pruning.composition import stack_of_model, stack_of_plan
from infersim.workload.memory import USABLE_SHARE
from infersim.workload.scenario import Scenario

GIB = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A run that fits, and what was done to it (empty: nothing)."""

    run: MeasurementRun
    note: str


def sized(run: MeasurementRun, layers: int | None, free_bytes: float) -> Sized:
    """The run in a stack of `layers`, or of as many as fit (None).

    Dense and pruned model are in memory side by side. Raises InfersimError, with what is needed and free,
    where that is too much even for one layer, or for the layers asked for.
    """
    total = len(run.model.blocks)
    usable = USABLE_SHARE * free_bytes
    if layers is not None:
        stacked = with_layers(run, layers)
        needed = run_bytes(stacked)
        if needed > usable:
            fitting = _most_layers(run, usable)
            hint = f"--layers {fitting} fits" if fitting else "not even one layer fits"
            raise InfersimError(_too_much(stacked, needed, free_bytes, hint))
        note = "" if layers == total else f"Measured is a stack of {layers} of {total} layers."
        return Sized(run=stacked, note=note)
    fitting = _most_layers(run, usable)
    if fitting == 0:
        needed = run_bytes(with_layers(run, 1))
        hint = "one layer of it; choose a smaller --batch, --context or model"
        raise InfersimError(_too_much(run, needed, free_bytes, hint))
    if fitting == total:
        return Sized(run=run, note="")
    note = (
        f"The whole model needs {run_bytes(run) / GIB:.3g} GiB beside its pruned one, and "
        f"{free_bytes / GIB:.3g} GiB are free: measured is a stack of {fitting} of {total} layers "
        f"(to compare: --layers {fitting})."
    )
    return Sized(run=with_layers(run, fitting), note=note)


def with_layers(run: MeasurementRun, layers: int) -> MeasurementRun:
    """The run for a stack of `layers`."""
    return replace(
        run,
        model=stack_of_model(run.model, layers),
        plans=tuple(stack_of_plan(plan, layers) for plan in run.plans),
    )


def run_bytes(run: MeasurementRun) -> float:
    """Bytes that the hungriest scenario needs, dense and pruned model side by side."""
    scenarios = [
        Scenario(
            phase=one_pass.phase,
            batch=one_pass.batch,
            context=one_pass.context,
            execution=run.execution,
        )
        for one_pass in run.passes
    ]
    return needed_bytes(run.model, [plan.transformer for plan in run.plans], scenarios)


def _most_layers(run: MeasurementRun, usable_bytes: float) -> int:
    """The largest stack within the bytes; 0 where one layer is too much. More layers never need less."""
    low, high = 0, len(run.model.blocks)
    while low < high:
        middle = (low + high + 1) // 2
        if run_bytes(with_layers(run, middle)) <= usable_bytes:
            low = middle
        else:
            high = middle - 1
    return low


def _too_much(run: MeasurementRun, needed: float, free: float, hint: str) -> str:
    return (
        f"{run.model.name}, dense and pruned side by side, needs {needed / GIB:.3g} GiB and "
        f"{free / GIB:.3g} GiB are free: {hint}"
    )
