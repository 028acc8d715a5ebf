"""Cases: the scenarios that a user's arguments ask about, checked and laid out as passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.domain.shapes import Phase
from infersim.simulation.passes import Pass, request_passes
from infersim.simulation.resolving import Dimension, checked_dimension
from infersim.workload.requests import Request, request_named
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.scenario_checks import MAX_BATCH, MAX_CONTEXT

REQUEST, BOTH = "request", "both"
PHASES = (Phase.PREFILL.value, Phase.DECODE.value, BOTH)
"""What a user can ask for without a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One phase over the product of all batches and contexts, as axes batch x context.

    `phase` is `prefill`, `decode` or `request`. `context` is the context when the last pass ends, and
    `tokens` those that the passes read (prefill) or generate (decode, request); both are batch x context.
    """

    phase: str
    passes: tuple[Pass, ...]
    batch: Array
    context: Array
    tokens: Array
    output_len: int | None = None


def make_execution(*, dtype: str, execution: str, cuda_graph: bool, kv_dtype: str | None) -> Execution:
    """The execution by its names; raises UnknownNameError that lists the known ones."""
    layouts = [layout.value for layout in Layout]
    if execution not in layouts:
        raise UnknownNameError("execution", execution, layouts)
    dtypes = [name.value for name in DType]
    if kv_dtype is not None and kv_dtype not in dtypes:
        raise UnknownNameError("kv_dtype", kv_dtype, dtypes)
    return Execution(
        layout=Layout(execution),
        cuda_graph=cuda_graph,
        precision=precision_named(dtype),
        kv_dtype=None if kv_dtype is None else DType(kv_dtype),
    )


def make_cases(
    *,
    phase: str,
    batch: Dimension,
    context: Dimension | None,
    request: str | Request | None,
    execution: Execution,
) -> tuple[Case, ...]:
    """One case for each phase asked for, or the one of a request, whose lengths stand for the context.

    Raises InvalidValueError for dimensions that are impossible, missing or one too many, and
    UnknownNameError for a phase or request of no known name.
    """
    batches = _flat("batch", batch, MAX_BATCH)[:, np.newaxis]
    if request is not None:
        if context is not None:
            raise InvalidValueError("context", context, "none beside a request, which has its own lengths")
        known = request_named(request) if isinstance(request, str) else request
        return (_request_case(known, batches, execution),)
    if context is None:
        raise InvalidValueError(
            "context", None, "the context in tokens (--context 4096), or a request (--request generation)"
        )
    if phase not in PHASES:
        raise UnknownNameError("phase", phase, PHASES)
    contexts = _flat("context", context, MAX_CONTEXT)
    return tuple(_phase_case(each, batches, contexts, execution) for each in _phases(phase))


def _phases(phase: str) -> Iterator[Phase]:
    yield from Phase if phase == BOTH else (Phase(phase),)


def _phase_case(phase: Phase, batches: Array, contexts: Array, execution: Execution) -> Case:
    scenario = Scenario(phase=phase, batch=batches, context=contexts, execution=execution)
    batch, context = np.broadcast_arrays(batches, contexts)
    tokens = batch * context if phase is Phase.PREFILL else batch
    return Case(
        phase=phase.value, passes=(Pass(scenario=scenario),), batch=batch, context=context, tokens=tokens
    )


def _request_case(request: Request, batches: Array, execution: Execution) -> Case:
    passes = request_passes(request, batches, execution)
    return Case(
        phase=REQUEST,
        passes=passes,
        batch=batches,
        context=np.full_like(batches, request.prompt_len + request.output_len),
        tokens=batches * request.output_len,
        output_len=request.output_len,
    )


def _flat(key: str, value: Dimension, high: int) -> Array:
    array = np.atleast_1d(checked_dimension(key, value, high))
    if array.ndim > 1:
        raise InvalidValueError(key, value, "a positive integer, or a flat list of them")
    return array
