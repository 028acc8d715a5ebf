"""How tokens choose experts, as an option of scenarios."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.cost.kernels import kernel_kind
from infersim.domain.arrays import as_array
from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import Experts
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import load_model
from infersim.workload.transformer import Transformer


def two_layers() -> Transformer:
    model = load_model("qwen3-30b-a3b")
    return model.with_blocks(model.blocks[:2])


def hit_bytes(routing: str | None, model: Transformer | None = None) -> float:
    asked = Scenarios.of(phase="decode", batch=32, context=1024, routing=routing)
    (case,) = asked.cases()
    ops = model_ops(model or two_layers(), case.passes[0].scenario)
    (experts,) = (op.shape for op in ops if isinstance(op.shape, Experts))
    return float(as_array(kernel_kind(experts).operand_bytes(experts)).ravel()[0])


def test_a_power_law_hits_fewer_experts() -> None:
    balanced, steep = (hit_bytes(name) for name in ("balanced", "power_law_1.2"))
    assert balanced > steep


def test_balanced_is_what_most_models_do_where_nobody_says() -> None:
    asked = Scenarios.of(context=1024)
    assert (asked.execution.skew, asked.execution.popularity) == (0, None)
    assert hit_bytes(None) == hit_bytes("balanced")


def test_a_model_has_popular_experts_of_its_own() -> None:
    model = load_model("gpt-oss-20b")
    model = model.with_blocks(model.blocks[1:2])
    own, balanced, steeper = (hit_bytes(name, model) for name in (None, "balanced", "zipf_1.5"))
    assert balanced > own > steeper
    assert own == hit_bytes("zipf_1", model)


def test_another_option_keeps_the_routing() -> None:
    asked = Scenarios.of(context=1024, routing="power_law_1.2").replace(batch=4)
    assert asked.execution.skew == 1.2
    asked = Scenarios.of(context=1024, routing="zipf_0.9").replace(batch=4)
    assert asked.execution.popularity == 0.9
    asked = Scenarios.of(context=1024, routing="balanced").replace(batch=4)
    assert asked.execution.popularity == 0


@pytest.mark.parametrize("routing", ["even", "power_law_", "power_law_-1", "power_law_9", 1.2])
def test_other_names_are_refused(routing: object) -> None:
    with pytest.raises(InvalidValueError, match="routing"):
        Scenarios.of(context=1024, routing=routing)  # type: ignore[arg-type]


def test_a_dense_model_has_no_routing() -> None:
    with pytest.raises(InvalidValueError, match=r"expected balanced: llama-3\.2-1b has no experts"):
        sim.predict("llama-3.2-1b", "h100-sxm", context=1024, routing="power_law_1.2")
