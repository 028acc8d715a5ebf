"""Cases: the scenarios of one phase, or of one request, laid out as passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.shapes import Phase
from infersim.simulation.timing.passes import Pass, request_passes
from infersim.workload.requests import Request
from infersim.workload.scenario import Execution, Scenario

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

    @property
    def gpus(self) -> int:
        """How many share the model."""
        return self.passes[0].scenario.gpus

    @property
    def scenarios(self) -> tuple[tuple[int, int], ...]:
        """Batch and context of each scenario, counted along the flat axes."""
        return tuple((int(b), int(c)) for b, c in zip(self.batch.flat, self.context.flat, strict=True))


def phase_case(phase: Phase, batches: Array, contexts: Array, execution: Execution) -> Case:
    """One pass of each batch and context; `batches` are a column, `contexts` a row."""
    scenario = Scenario(phase=phase, batch=batches, context=contexts, execution=execution)
    batch, context = np.broadcast_arrays(batches, contexts)
    tokens = batch * context if phase is Phase.PREFILL else batch
    return Case(
        phase=phase.value, passes=(Pass(scenario=scenario),), batch=batch, context=context, tokens=tokens
    )


def request_case(request: Request, batches: Array, execution: Execution) -> Case:
    """All passes of a request for each of `batches`, a column."""
    passes = request_passes(request, batches, execution)
    return Case(
        phase=REQUEST,
        passes=passes,
        batch=batches,
        context=np.full_like(batches, request.prompt_len + request.output_len),
        tokens=batches * request.output_len,
        output_len=request.output_len,
    )
