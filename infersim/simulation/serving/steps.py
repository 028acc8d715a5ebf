"""Steps of an engine: seconds of a decode step and of reading a prompt, the host included.

A decode step is what its kernels take, or what the host needs beside them where that is more, and what the
host adds. A prompt is read in as many chunks as the engine's budget makes of it: the GEMMs of each chunk, and
the attention of the whole. No step of the host's own issuing is faster than its kernels can be issued.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from infersim.cost.energy import power_law
from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.simulation.timing.op_costs import over_ops
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    from infersim.engines.engine import Engine, SchedulerTable

S_PER_MS, S_PER_US = 1e-3, 1e-6

Measures: TypeAlias = tuple[Array, Array, Array]
"""Seconds, half-width and joules of kernels."""

STRETCH = 65_536
"""Scenarios that are timed at once: ops x scenarios of arrays are held of them."""

OWN_EXCHANGES = "custom"
"""What an engine's file calls all-reduce kernels of its own."""

MOST_OF_GRID = 1.5
"""A grid may have so many times the scenarios that are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds, the part of them that is the host's, the 80 % half-width of their log, and joules of all
    boards (NaN where nobody states its power limit); arrays."""

    seconds: Array
    host_s: Array
    log_half_width: Array
    joules: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model on a GPU, or shared by several, under an engine: what steps are timed for."""

    transformer: Transformer
    profile: HardwareProfile
    engine: Engine
    execution: Execution

    def decode(self, batch: Array, context: Array) -> Times:
        """One step of `batch` sequences (real numbers are rounded) at a mean context; arrays broadcast."""
        batch, context = np.broadcast_arrays(batch, context)
        whole, seen = (np.maximum(1.0, np.round(values)).ravel() for values in (batch, context))
        kernels = self._gridded(whole, seen) or self._flat(whole, seen)
        gpu_s, width, joules = (values.reshape(batch.shape) for values in kernels)
        host = self.engine.host
        issued_s = self._kernels(Phase.DECODE) * host.kernel_us * S_PER_US
        beyond = whole.reshape(batch.shape) > self.engine.kernels.graph_batch
        beside_s = np.where(beyond, issued_s, host.hidden_ms * S_PER_MS)
        seconds = np.maximum(gpu_s, beside_s) + host.step_ms * S_PER_MS + host.sequence_us * S_PER_US * batch
        host_s = seconds - gpu_s
        return Times(
            seconds=seconds, host_s=host_s, log_half_width=width, joules=joules + self.idle_w * host_s
        )

    def _gridded(self, batch: Array, context: Array) -> Measures | None:
        """Each batch with each context, of which those that are asked for; None where that is far more.

        GEMMs do not depend on the context: laid out as a grid they are timed once for each batch.
        """
        batches, rows = np.unique(batch, return_inverse=True)
        contexts, columns = np.unique(context, return_inverse=True)
        if batches.size * contexts.size > MOST_OF_GRID * batch.size:
            return None
        wide = max(1, STRETCH // batches.size)
        parts = [
            self._measures(self._timeline(Phase.DECODE, batches[:, np.newaxis], some[np.newaxis]))
            for some in np.split(contexts, range(wide, contexts.size, wide))
        ]
        wholes = (np.concatenate(values, axis=1)[rows, columns] for values in zip(*parts, strict=True))
        seconds, width, joules = wholes
        return seconds, width, joules

    def _flat(self, batch: Array, context: Array) -> Measures:
        """Each batch with its own context."""
        places = range(STRETCH, batch.size, STRETCH)
        pairs = zip(np.split(batch, places), np.split(context, places), strict=True)
        parts = [self._measures(self._timeline(Phase.DECODE, *pair)) for pair in pairs]
        seconds, width, joules = (np.concatenate(values) for values in zip(*parts, strict=True))
        return seconds, width, joules

    @property
    def idle_w(self) -> float:
        """What all boards draw while they wait for the host; NaN where nobody states their power limit."""
        law = power_law(self.profile)
        return float("nan") if law is None else self.execution.gpus * law.idle_w

    def _measures(self, found: Timeline) -> Measures:
        """Seconds, half-width and joules of a timeline."""
        law = power_law(self.profile)
        unknown = np.full_like(found.latency_s, np.nan)
        joules = unknown if law is None else over_ops(found.op_energy_j(law))
        return found.latency_s, np.log(found.upper_s / found.latency_s), joules

    def prefill(self, prompt: Array, together: Array | float = 1.0, cached: Array | float = 0.0) -> Times:
        """Reading a prompt of so many tokens: its share of a step that reads so many of them at once.

        So many of its tokens are `cached`, and not computed. Arrays broadcast; each chunk is a step of its
        own.
        """
        prompt, together, cached = np.broadcast_arrays(prompt, together, cached)
        shape, prompt, together, cached = prompt.shape, prompt.ravel(), together.ravel(), cached.ravel()
        cuts = chunked(prompt - cached, together, self.engine.scheduler)
        chunks, pieces = cuts.chunks, cuts.pieces
        before = np.where(pieces > 1, 0.0, cached)
        read = self._timeline(Phase.PREFILL, cuts.batch, cuts.tokens + before, before)
        seconds, width, joules = self._measures(read)
        seconds = chunks * seconds / together
        if (pieces > 1).any():
            whole = self._timeline(Phase.PREFILL, np.ones_like(prompt), prompt, cached)
            pieced = chunks * read.part_s()["attention"] / together
            seconds = seconds + np.where(pieces > 1, whole.part_s()["attention"] - pieced, 0.0)
        issued_s = chunks / together * self._kernels(Phase.PREFILL) * self.engine.host.kernel_us * S_PER_US
        slower = np.maximum(seconds, issued_s)
        return Times(
            seconds=slower.reshape(shape),
            host_s=(slower - seconds).reshape(shape),
            log_half_width=width.reshape(shape),
            joules=(joules * chunks / together + self.idle_w * (slower - seconds)).reshape(shape),
        )

    def _kernels(self, phase: Phase) -> float:
        """Kernels of a step."""
        scenario = Scenario(phase=phase, batch=1, context=1, execution=self.execution)
        ops = model_ops(gpu_share(self.transformer, self.execution), scenario)
        return float(sum(float(np.max(op.count)) for op in ops if op.launched))

    def _timeline(self, phase: Phase, batch: Array, context: Array, cached: Array | float = 0.0) -> Timeline:
        scenario = Scenario(
            phase=phase, batch=batch, context=context, cached=cached, execution=self.execution
        )
        return timelines(lay_out((self.transformer,), (Pass(scenario=scenario),)), self.profile)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunked:
    """Prompts that are read together, cut to an engine's budget of tokens: arrays.

    `chunks` are the steps that it takes; each reads `tokens` of each of `batch` prompts. `pieces` is how many
    steps a prompt is cut into.
    """

    chunks: Array
    pieces: Array
    batch: Array
    tokens: Array


def chunked(new: Array, together: Array, scheduler: SchedulerTable) -> Chunked:
    """So many prompts of so many new tokens, read together."""
    chunks = np.ceil(new * together / scheduler.batched_tokens)
    pieces = np.maximum(chunks / together, 1.0)
    return Chunked(
        chunks=chunks,
        pieces=pieces,
        batch=np.maximum(together / chunks, 1.0),
        tokens=np.ceil(new / pieces),
    )


BROUGHT_ALONG = "tensorrt-llm"
"""The kernel set of all-reduces with a norm in them, under whatever engine (FlashInfer has them)."""


def execution_on(profile: HardwareProfile, execution: Execution, engine: Engine) -> Execution:
    """The execution on a GPU: on some an engine norms in the kernel that adds up, or narrows activations."""
    narrows = profile.compute_capability in engine.kernels.narrow_activations and DType.FP4 in profile.matrix
    if narrows:
        execution = replace(execution, narrow_activations=True)
    if execution.gpus == 1 or profile.compute_capability not in engine.kernels.sums_and_norms:
        return execution
    exchanges = execution.exchanges or BROUGHT_ALONG
    return replace(execution, exchanges=exchanges, norms_with_sums=exchanges == BROUGHT_ALONG)


def with_cache(execution: Execution, engine: Engine, compute_capability: str | None) -> Execution:
    """The execution with the type of cache that the engine makes on a GPU where nothing is said of it."""
    floats = execution.explicit and execution.precision.math in (DType.FP8, DType.FP4)
    if execution.kv_dtype is None and floats and compute_capability in engine.memory.fp8_cache:
        return replace(execution, kv_dtype=DType.FP8)
    return execution


def served_execution(execution: Execution, engine: Engine) -> Execution:
    """The execution as the engine lays it out, its kernels timed as in a CUDA graph: the host is its own."""
    return replace(
        execution,
        layout=Layout(engine.kernels.layout),
        cuda_graph=True,
        stays=engine.kernels.experts == "all_reduce",
        exchanges=None if engine.kernels.all_reduce == OWN_EXCHANGES else engine.kernels.all_reduce,
    )
