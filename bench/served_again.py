"""A served case under other constants of its engine: kernels are timed once, the closed form asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.shapes import Phase
from infersim.simulation.serving.closed_form import Steady, steady_state
from infersim.simulation.serving.steps import Measures, Served

if TYPE_CHECKING:
    from infersim.engines.engine import Engine
    from served_tables import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed(Served):
    """A model whose decode kernels are known at the one load that it is asked for."""

    kernels: Measures
    launches: float

    def _gridded(self, batch: Array, context: Array) -> Measures:  # noqa: ARG002
        return self.kernels

    def _kernels(self, phase: Phase) -> float:  # noqa: ARG002
        return self.launches


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What is fitted of an engine."""

    step_ms: float
    sequence_us: float
    hidden_ms: float
    request_ms: float
    together: float


def timed(case: Case) -> Timed:
    """The kernels of a case."""
    served, step = case.answer.served, case.answer.steady.step
    kernels = (step.seconds - step.host_s, step.log_half_width, np.zeros_like(step.seconds))
    seconds, width, joules = (values.ravel() for values in kernels)
    return Timed(
        transformer=served.transformer,
        profile=served.profile,
        engine=served.engine,
        execution=served.execution,
        kernels=(seconds, width, joules),
        launches=served._kernels(Phase.DECODE),
    )


def shipped(engine: Engine) -> Constants:
    """Those of the engine's file, as it is on a GPU."""
    host = engine.host
    return Constants(
        step_ms=host.step_ms,
        sequence_us=host.sequence_us,
        hidden_ms=host.hidden_ms,
        request_ms=host.request_ms,
        together=engine.scheduler.together,
    )


def asked_again(case: Case, kernels: Timed, constants: Constants) -> Steady:
    """The steady state of a case under other constants."""
    engine = kernels.engine
    host = engine.host.model_copy(
        update={
            "step_ms": constants.step_ms,
            "sequence_us": constants.sequence_us,
            "hidden_ms": constants.hidden_ms,
            "request_ms": constants.request_ms,
        }
    )
    scheduler = engine.scheduler.model_copy(update={"together": constants.together})
    engine = engine.model_copy(update={"host": host, "scheduler": scheduler})
    return steady_state(replace(kernels, engine=engine), case.answer.load)
