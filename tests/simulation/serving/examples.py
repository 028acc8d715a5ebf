"""Small models and services for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import infersim as sim
from infersim.engines.engine import Engine
from infersim.engines.reading import load_engine
from infersim.pruning.plan import Plan
from infersim.simulation.serving.answers import Answer, answered
from infersim.simulation.serving.service import Service

MODEL, GPU = "llama-3.2-1b", "h100-sxm"


def dense(model: str = MODEL) -> Plan:
    """A plan without steps."""
    transformer = sim.load_model(model)
    return Plan(base=transformer, transformer=transformer)


def answer(plan: Plan | None = None, gpu: str = GPU, engine: Engine | None = None, **options: Any) -> Answer:
    """Of a service of short requests, unless others are asked for."""
    asked = {"prompt": 512, "output": 64, "concurrency": 8, **options}
    service = Service.of(**asked)
    if engine is not None:
        service = replace(service, engine=engine)
    return answered(dense() if plan is None else plan, sim.load_profile(gpu), service)


def changed(name: str = "vllm", **tables: dict[str, Any]) -> Engine:
    """An engine with some numbers changed, by table."""
    engine = load_engine(name)
    return engine.model_copy(
        update={table: getattr(engine, table).model_copy(update=values) for table, values in tables.items()}
    )
