"""A stack of fewer layers keeps the mix of a model's and a plan's layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import InvalidValueError
from infersim.pruning.composition import prune, stack_of_model, stack_of_plan
from infersim.workload.transformer import Transformer
from tests.toy_models import transformer_from_sizes


def model(layers: int = 16) -> Transformer:
    return transformer_from_sizes(hidden=64, layers=layers, num_heads=4, num_kv_heads=2, width=128, vocab=100)


def test_all_layers_are_the_model_itself() -> None:
    plan = prune(model(), "static-m", 0.25)
    assert stack_of_model(model(), 16) == model()
    assert stack_of_plan(plan, 16) is plan


def test_depth_plan_loses_its_share() -> None:
    stack = stack_of_plan(prune(model(), "static-m", 0.25), 8)
    assert len(stack.base.blocks) == 8
    assert len(stack.transformer.blocks) == 6
    assert stack.base.name == "custom (8 of 16 layers)"
    assert stack.title == "static-m 25 %"


def test_width_plan_keeps_its_widths() -> None:
    plan = prune(model(), "static-nk", 0.5)
    stack = stack_of_plan(plan, 3)
    assert stack.transformer.blocks == plan.transformer.blocks[:3]
    assert stack.sparsity_realised == plan.sparsity_realised


def test_mixed_blocks_keep_their_shares() -> None:
    """Of 12 blocks with and 4 without FFN a stack of 4 has 3 and 1."""
    blocks = tuple(
        replace(block, ffn=None) if index % 4 == 1 else block for index, block in enumerate(model().blocks)
    )
    stack = stack_of_model(model().with_blocks(blocks), 4)
    assert Counter(block.ffn is None for block in stack.blocks) == {False: 3, True: 1}


def test_one_layer_always_stays() -> None:
    assert len(stack_of_plan(prune(model(), "static-m", 0.9), 1).transformer.blocks) == 1


@pytest.mark.parametrize("layers", [0, 17, True])
def test_impossible_stacks_are_refused(layers: int) -> None:
    with pytest.raises(InvalidValueError, match="1 to 16"):
        stack_of_model(model(), layers)


@given(total=st.integers(1, 40), layers=st.integers(1, 40), sparsity=st.floats(0, 0.9))
def test_stack_keeps_shares_within_one_layer(total: int, layers: int, sparsity: float) -> None:
    layers = min(layers, total)
    dense = model(total)
    try:
        plan = prune(dense, "static-m", sparsity)
    except InvalidValueError:
        return
    stack = stack_of_plan(plan, layers)
    assert len(stack.base.blocks) == layers
    exact = len(plan.transformer.blocks) * layers / total
    assert abs(len(stack.transformer.blocks) - exact) <= 1
