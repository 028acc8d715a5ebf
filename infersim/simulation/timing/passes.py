"""Passes: the forward passes that a question is about, and how often each runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from infersim.domain.arrays import Numeric
from infersim.domain.shapes import Phase
from infersim.workload.requests import Request, decode_points
from infersim.workload.scenario import Execution, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A forward pass in `scenario`, run `times` times (a decode step stands for its neighbours too).

    `last_context` is the context of the last of these passes, where it is not the scenario's.
    """

    scenario: Scenario
    times: float = 1.0
    last_context: float | None = None

    @property
    def last_scenario(self) -> Scenario:
        """The pass that needs the most memory."""
        return (
            self.scenario if self.last_context is None else replace(self.scenario, context=self.last_context)
        )


def request_passes(request: Request, batch: Numeric, execution: Execution) -> tuple[Pass, ...]:
    """Prefill of the prompt, then decode steps at the contexts and weights of `decode_points`."""
    prefill = Scenario(phase=Phase.PREFILL, batch=batch, context=request.prompt_len, execution=execution)
    contexts, weights = decode_points(request)
    steps = (
        Pass(
            scenario=Scenario(phase=Phase.DECODE, batch=batch, context=float(context), execution=execution),
            times=float(weight),
            last_context=float(context + (weight - 1) / 2),
        )
        for context, weight in zip(contexts, weights, strict=True)
    )
    return Pass(scenario=prefill), *steps
