"""Memory of an engine: what is left for the KV cache, and how many requests that holds.

    cache = share x total - weights - activations - reserve       (engines that take a share of all memory)
    cache = share x total - weights - reserve                     (activations lie in the other share)
    cache = share x (total - weights - activations - reserve)     (engines that take a share of what is free)

All of one GPU: where several share the model, each has its share of weights and cache. Weights are the
model's in its formats; activations are the peak over a step of as many tokens as the engine's budget. Weights
that pruning frees become cache, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.simulation.speedups.columns import GIB
from infersim.workload.counts import weight_bytes
from infersim.workload.memory import kv_cache_bytes, peak_activation_bytes
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    from infersim.engines.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingMemory:
    """Bytes on each device, and its share of the model. `cache_bytes` may be negative: what is missing before
    any request is let in."""

    transformer: Transformer
    execution: Execution
    block_tokens: int
    weights_bytes: float
    activations_bytes: float
    reserve_bytes: float
    cache_bytes: float

    @property
    def blocks(self) -> int:
        """Whole blocks of KV cache."""
        of_block = float(self.cache_of(self.block_tokens))
        return max(0, int(self.cache_bytes // of_block)) if of_block else 0

    def cache_of(self, tokens: Numeric) -> Array:
        """Bytes of the cache of one sequence of so many tokens, in whole blocks."""
        in_blocks = np.ceil(as_array(tokens) / self.block_tokens) * self.block_tokens
        scenario = Scenario(phase=Phase.DECODE, batch=1, context=in_blocks, execution=self.execution)
        return kv_cache_bytes(self.transformer, scenario)

    def held(self, tokens: Numeric) -> Array:
        """How many sequences of so many tokens the cache holds, a real number."""
        each = self.cache_of(tokens)
        room = np.full_like(each, max(0.0, self.cache_bytes))
        return np.divide(room, each, out=np.full_like(each, np.inf), where=each > 0)

    def missing_bytes(self, tokens: float) -> float:
        """What is missing for one sequence of so many tokens; 0 where it fits."""
        return max(0.0, float(self.cache_of(tokens)) - self.cache_bytes)


def serving_memory(
    transformer: Transformer, profile: HardwareProfile, engine: Engine, execution: Execution
) -> ServingMemory:
    """What `engine` makes of the memory of each GPU that serves a model."""
    rules, transformer = engine.memory, gpu_share(transformer, execution)
    weights = weight_bytes(transformer, execution)
    widest = Scenario(
        phase=Phase.PREFILL, batch=1, context=engine.scheduler.batched_tokens, execution=execution
    )
    activations = float(peak_activation_bytes(transformer, widest))
    reserve = rules.reserve_gib * GIB
    total = profile.memory.total_bytes
    beside = 0.0 if rules.of == "static" else activations
    cache = (1.0 if rules.of == "free" else rules.share) * total - weights - beside - reserve
    if rules.of == "free" and cache > 0:
        cache *= rules.share
    return ServingMemory(
        transformer=transformer,
        execution=execution,
        block_tokens=rules.block_tokens,
        weights_bytes=weights,
        activations_bytes=activations,
        reserve_bytes=reserve,
        cache_bytes=cache,
    )
