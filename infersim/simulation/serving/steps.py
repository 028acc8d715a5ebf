"""Steps of an engine: seconds of a decode step and of reading a prompt, the host included.

A decode step is what its kernels take, or what the host needs beside them where that is more, and what the
host adds. A prompt is read in as many chunks as the engine's budget makes of it: the GEMMs of each chunk, and
the attention of the whole. No step of the host's own issuing is faster than its kernels can be issued.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    from infersim.engines.engine import Engine

MS, US = 1e-3, 1e-6

STRETCH = 65_536
"""Scenarios that are timed at once: ops x scenarios of arrays are held of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds, the part of them that is the host's, and the 80 % half-width of their log; arrays."""

    seconds: Array
    host_s: Array
    log_half_width: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model on a GPU under an engine: what steps are timed for."""

    transformer: Transformer
    profile: HardwareProfile
    engine: Engine
    execution: Execution

    def decode(self, batch: Array, context: Array) -> Times:
        """One step of `batch` sequences (real numbers are rounded) at a mean context; arrays broadcast."""
        batch, context = np.broadcast_arrays(batch, context)
        flat_batch, flat_context = batch.ravel(), context.ravel()
        parts = [
            self._decode(flat_batch[start : start + STRETCH], flat_context[start : start + STRETCH])
            for start in range(0, flat_batch.size, STRETCH)
        ]
        return _joined(parts, batch.shape)

    def prefill(self, prompt: Array, together: Array | float = 1.0) -> Times:
        """Reading a prompt of so many tokens: its share of a step that reads so many of them at once.

        Arrays broadcast; each chunk is a step of its own.
        """
        prompt, together = np.broadcast_arrays(prompt, together)
        shape, prompt, together = prompt.shape, prompt.ravel(), together.ravel()
        chunks = np.ceil(prompt * together / self.engine.scheduler.batched_tokens)
        pieces = np.maximum(chunks / together, 1.0)
        read = self._timeline(Phase.PREFILL, np.maximum(together / chunks, 1.0), np.ceil(prompt / pieces))
        seconds = chunks * read.latency_s / together
        if (pieces > 1).any():
            whole = self._timeline(Phase.PREFILL, np.ones_like(prompt), prompt)
            pieced = chunks * read.part_s()["attention"] / together
            seconds = seconds + np.where(pieces > 1, whole.part_s()["attention"] - pieced, 0.0)
        issued_s = chunks / together * self._kernels(Phase.PREFILL) * self.engine.host.kernel_us * US
        slower = np.maximum(seconds, issued_s)
        return Times(
            seconds=slower.reshape(shape),
            host_s=(slower - seconds).reshape(shape),
            log_half_width=_width(read).reshape(shape),
        )

    def _decode(self, batch: Array, context: Array) -> Times:
        host = self.engine.host
        whole = np.maximum(1.0, np.round(batch))
        kernels = self._timeline(Phase.DECODE, whole, np.maximum(1.0, np.round(context)))
        gpu_s = kernels.latency_s
        issued_s = self._kernels(Phase.DECODE) * host.kernel_us * US
        beside_s = np.where(whole > self.engine.kernels.graph_batch, issued_s, host.hidden_ms * MS)
        added_s = host.step_ms * MS + host.sequence_us * US * batch
        seconds = np.maximum(gpu_s, beside_s) + added_s
        return Times(seconds=seconds, host_s=seconds - gpu_s, log_half_width=_width(kernels))

    def _kernels(self, phase: Phase) -> float:
        """Kernels of a step."""
        scenario = Scenario(phase=phase, batch=1, context=1, execution=self.execution)
        return float(
            sum(float(np.max(op.count)) for op in model_ops(self.transformer, scenario) if op.launched)
        )

    def _timeline(self, phase: Phase, batch: Array, context: Array) -> Timeline:
        scenario = Scenario(phase=phase, batch=batch, context=context, execution=self.execution)
        return timelines(lay_out((self.transformer,), (Pass(scenario=scenario),)), self.profile)[0]


def served_execution(execution: Execution, engine: Engine) -> Execution:
    """The execution as the engine lays it out, its kernels timed as in a CUDA graph: the host is its own."""
    cache = execution.kv_dtype
    floats = execution.precision.math in (DType.FP8, DType.FP4)
    if cache is None and engine.memory.fp8_cache and execution.explicit and floats:
        cache = DType.FP8
    return replace(execution, layout=Layout(engine.kernels.layout), cuda_graph=True, kv_dtype=cache)


def _width(found: Timeline) -> Array:
    width: Array = np.log(found.upper_s / found.latency_s)
    return width


def _joined(parts: list[Times], shape: tuple[int, ...]) -> Times:
    def whole(name: str) -> Array:
        joined: Array = np.concatenate([np.atleast_1d(getattr(part, name)) for part in parts]).reshape(shape)
        return joined

    return Times(seconds=whole("seconds"), host_s=whole("host_s"), log_half_width=whole("log_half_width"))
