"""Every family's plan is shared: what is exchanged stays, and no GPU does less than its part of the FLOPs."""

from __future__ import annotations

import pytest

from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import families
from infersim.workload.presets import load_model
from tests.workload.parallel.examples import exchanged, ops_on

NAMES = [family.name for family in families()]


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("name", NAMES)
def test_a_plan_of_every_family_is_shared(name: str, phase: Phase) -> None:
    model = load_model("mixtral-8x7b" if name.endswith("-e") else "llama-3.1-8b")
    plan = prune(model, name, 0.5).transformer
    ops = ops_on(plan, 4, phase, batch=2, context=512)
    found = exchanged(ops)
    hidden, tokens = plan.hidden, 2 * (512 if phase is Phase.PREFILL else 1)
    blocks = len(plan.blocks)
    for sublayer in ("attn", "ffn"):
        message, times = found[f"{sublayer}_all_reduce"]
        assert message * times <= tokens * hidden * 2 * blocks * 1.0001
        assert times <= blocks
    # The kernels are those of one GPU, and exchanges beside them.
    names = {op.name for op in ops if op.part is Part.COMMUNICATION}
    alone = {op.name for op in ops_on(plan, 1, phase, batch=2, context=512)}
    assert {op.name for op in ops} - names == alone


def test_groups_of_pairs_exchange_between_factors() -> None:
    plan = prune(prune(load_model("llama-3.1-8b"), "static-k-lowrank", 0.5), "dynamic-mnk", 0.5).transformer
    found = exchanged(ops_on(plan, 4, batch=2))
    assert {"q.all_gather", "o.reduce_scatter", "down.reduce_scatter"} <= found.keys()
