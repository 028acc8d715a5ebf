"""An answer: a plan on a GPU under a service, its memory, its load and its steady state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.fit import KERNEL_SETS
from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.simulation.serving.closed_form import Load, Steady, steady_state
from infersim.simulation.serving.memory import ServingMemory, serving_memory
from infersim.simulation.serving.prompts import reading_of
from infersim.simulation.serving.runnable import Support, support_of
from infersim.simulation.serving.service import Service
from infersim.simulation.serving.steps import Served


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """Arrays of `load` and `steady` are lengths x concurrencies; `most` are whole requests that the cache
    holds and the engine runs, for each of the lengths."""

    plan: Plan
    profile: HardwareProfile
    service: Service
    served: Served
    memory: ServingMemory
    support: Support
    most: npt.NDArray[np.int64]
    load: Load
    steady: Steady

    def at(self, concurrency: Array) -> Steady:
        """The steady state at other concurrencies, lengths x concurrencies."""
        shape = (len(self.service.lengths), concurrency.shape[-1])
        return steady_state(
            self.served,
            replace(self.load, concurrency=np.broadcast_to(concurrency, shape).astype(np.float64)),
        )


def answered(plan: Plan, profile: HardwareProfile, service: Service) -> Answer:
    """What a service says of a plan on a GPU; raises UnsupportedError for a data type that the GPU lacks."""
    profile, service = run_by(profile, service), service.on(profile)
    execution = service.execution
    served = Served(transformer=plan.transformer, profile=profile, engine=service.engine, execution=execution)
    memory = serving_memory(plan.transformer, profile, service.engine, service.execution)
    sequences = service.engine.scheduler.max_sequences
    most = np.array(
        [int(min(float(memory.held(sum(each.longest()))), sequences)) for each in service.lengths]
    )
    load = _load(served, memory, service, most)
    return Answer(
        plan=plan,
        profile=profile,
        service=service,
        served=served,
        memory=memory,
        support=support_of(plan, service.engine),
        most=most,
        load=load,
        steady=steady_state(served, load),
    )


def run_by(profile: HardwareProfile, service: Service) -> HardwareProfile:
    """The profile with the kernels of the engine in force, where kernels of that name are measured."""
    kernels = service.engine.kernels.set
    return profile.with_kernels(kernels) if kernels in KERNEL_SETS else profile


def _load(served: Served, memory: ServingMemory, service: Service, most: npt.NDArray[np.int64]) -> Load:
    lengths, rules = service.lengths, service.engine
    whole, block = rules.scheduler.admits == "whole", rules.memory.block_tokens
    held = memory.held(np.array([each.held_tokens(block, whole=whole) for each in lengths]))
    if service.concurrency:
        asked = np.broadcast_to(
            np.array(service.concurrency, dtype=np.float64), (len(lengths), len(service.concurrency))
        )
    else:
        asked = np.maximum(1, most).astype(np.float64)[:, np.newaxis]
    return Load(
        concurrency=asked,
        steps=np.array([each.output - 1 for each in lengths])[:, np.newaxis],
        context=np.array([each.context for each in lengths])[:, np.newaxis],
        alike=np.array([each.alike for each in lengths])[:, np.newaxis],
        held=np.where(most < 1, 0.0, np.maximum(1.0, held))[:, np.newaxis],
        reading=reading_of(served, lengths),
    )
