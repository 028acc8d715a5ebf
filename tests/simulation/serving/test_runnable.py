"""Whether an engine runs a plan: families, shapes by layer, formats, each with a source."""

from __future__ import annotations

from dataclasses import replace

import pytest

import infersim as sim
from infersim.engines.reading import list_engines, load_engine
from infersim.pruning.families.registry import families
from infersim.pruning.plan import Plan, PlanStep
from infersim.simulation.serving.runnable import support_of, varies_by_layer
from tests.simulation.serving.examples import MODEL, dense
from tests.workload.test_experts import of_experts


@pytest.mark.parametrize("engine", list_engines())
def test_every_engine_answers_for_every_family(engine: str) -> None:
    for family in families():
        model = of_experts() if family.of_experts else MODEL
        found = support_of(sim.prune(model, family.name, 0.5), load_engine(engine))
        assert found.answer in ("yes", "needs", "no", "unknown")
        assert found.sources or found.answer == "unknown"
        assert bool(found.notes) == (found.answer != "yes")


def test_vllm_dropped_2_4_and_runs_depth_and_plain_widths() -> None:
    vllm = load_engine("vllm")
    sparse = support_of(sim.prune(MODEL, "static-k-2:4"), vllm)
    assert sparse.answer == "no"
    assert "before 0.19" in sparse.notes[0]
    assert any("36799" in source for source in sparse.sources)
    assert support_of(sim.prune(MODEL, "static-m", 0.5), vllm).answer == "yes"
    assert support_of(sim.prune(MODEL, "static-nk", 0.5), vllm).since == "0.5.4"
    assert support_of(dense(), vllm).answer == "yes"


def test_shapes_that_vary_by_layer_are_another_matter() -> None:
    plan = sim.prune(MODEL, "static-nk", 0.5)
    blocks = (*plan.base.blocks[:8], *plan.transformer.blocks[8:])
    uneven = replace(plan, transformer=plan.base.with_blocks(blocks))
    assert varies_by_layer(uneven)
    assert not varies_by_layer(plan)
    assert support_of(uneven, load_engine("vllm")).answer == "needs"
    nas = support_of(uneven, load_engine("tensorrt-llm"))
    assert (nas.answer, nas.since) == ("yes", "0.17")
    assert support_of(uneven, load_engine("pruninginfersim")).answer == "yes"


def test_counts_of_experts_that_vary_by_layer_take_code_everywhere() -> None:
    plan = sim.prune(of_experts(), "static-e", 0.5)
    assert support_of(plan, load_engine("vllm")).answer == "yes"
    blocks = (*plan.base.blocks[:1], *plan.transformer.blocks[1:])
    uneven = replace(plan, transformer=plan.base.with_blocks(blocks))
    for engine in ("vllm", "tensorrt-llm", "sglang", "transformers"):
        found = support_of(uneven, load_engine(engine))
        assert found.answer == "needs"
        assert "one count of experts" in found.notes[0]
    mixed = sim.prune(of_experts(), "dynamic-e", 0.25, layers="mixed")
    assert support_of(mixed, load_engine("tensorrt-llm")).answer == "needs"


def test_a_family_that_states_no_engine_is_unknown_to_all() -> None:
    family = replace(families()[0], name="of-tomorrow", engines=())
    assert family.support("vllm").answer == "unknown"
    # A plan of a family that nothing is known of is no dense model's.
    steps = (PlanStep(family="static-m", sparsity=0.5, sparsity_realised=0.5),)
    plan = Plan(base=dense().base, transformer=dense().base, steps=steps)
    assert support_of(plan, load_engine("vllm")).said
