"""Laws that hold for every model and scenario: additive over layers, linear in the batch, broadcasting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.ops import Op
from infersim.domain.shapes import Attention, Gemm, MemoryBound
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Layout, Scenario
from infersim.workload.transformer import BlockSparsity, KvScore, SkipExecution, TokenSkip, Transformer
from tests.toy_models import transformer_from_sizes
from tests.workload.examples import MakeScenario, decode, gemm_flop, prefill, sublayers, with_block

MAKERS = st.sampled_from([prefill, decode])
LAYOUTS = st.sampled_from(list(Layout))


@st.composite
def models(draw: st.DrawFn, layers: int | None = None) -> Transformer:
    kv_heads, group = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    return transformer_from_sizes(
        hidden=draw(st.integers(1, 64)) * 8,
        layers=layers or draw(st.integers(1, 12)),
        num_heads=kv_heads * group,
        num_kv_heads=kv_heads,
        head_dim=draw(st.sampled_from([64, 128, 256])),
        width=draw(st.integers(1, 2000)),
        vocab=draw(st.integers(1, 5000)),
        qk_norm=draw(st.booleans()),
    )


def moved_bytes(ops: tuple[Op, ...]) -> float:
    return sum(
        float(np.sum(op.count * (op.shape.read_bytes + op.shape.write_bytes)))
        for op in ops
        if isinstance(op.shape, MemoryBound)
    )


def blocks_only(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    return tuple(op for op in ops if op.group is not None)


@given(models(layers=1), st.integers(1, 40), MAKERS, LAYOUTS)
@settings(deadline=None, max_examples=50)
def test_blocks_add(model: Transformer, layers: int, make: MakeScenario, layout: Layout) -> None:
    scenario = make(3, 17, layout)
    one = blocks_only(model_ops(model, scenario))
    many = blocks_only(model_ops(model.with_blocks(model.blocks * layers), scenario))
    assert gemm_flop(many) == pytest.approx(layers * gemm_flop(one))
    assert moved_bytes(many) == pytest.approx(layers * moved_bytes(one))


@given(models(), st.integers(1, 64), st.integers(1, 500), MAKERS, LAYOUTS)
@settings(deadline=None, max_examples=50)
def test_a_batch_is_that_many_times_the_work_of_one(
    model: Transformer, batch: int, context: int, make: MakeScenario, layout: Layout
) -> None:
    one, many = (model_ops(model, make(size, context, layout)) for size in (1, batch))
    assert gemm_flop(many) == pytest.approx(batch * gemm_flop(one))
    assert moved_bytes(many) == pytest.approx(batch * moved_bytes(one))
    for single, several in zip(one, many, strict=True):
        if isinstance(single.shape, Attention):
            assert several.shape == replace(single.shape, batch=batch)


@given(models(), MAKERS)
@settings(deadline=None, max_examples=50)
def test_both_layouts_do_the_same_multiplications(model: Transformer, make: MakeScenario) -> None:
    fused, separate = (model_ops(model, make(2, 9, layout)) for layout in Layout)
    assert gemm_flop(fused) == gemm_flop(separate)
    assert moved_bytes(fused) < moved_bytes(separate)


@given(
    models(),
    st.floats(0, 0.9),
    st.floats(0.1, 1),
    MAKERS,
    LAYOUTS,
    st.sampled_from(SkipExecution),
    st.sampled_from(KvScore),
)
@settings(deadline=None, max_examples=50)
def test_a_grid_of_scenarios_equals_its_scenarios_one_by_one(
    model: Transformer,
    rate: float,
    kept: float,
    make: MakeScenario,
    layout: Layout,
    execution: SkipExecution,
    score: KvScore,
) -> None:
    """Everything that can vary at once: skipping, block sparsity, kv-pruning, over batches x contexts."""
    heads, ffn = sublayers(model)
    skip = TokenSkip(rate=rate, router_width=8, execution=execution)
    sparsity = BlockSparsity(kept=kept)
    pruned = with_block(
        model,
        attention=replace(heads, skip=skip, kv_kept=kept, kv_score=score, block_sparsity=sparsity),
        ffn=replace(ffn, skip=skip),
    )
    batch, context = np.array([[1], [5]]), np.array([1, 64, 1000])
    grid = model_ops(pruned, make(batch, context, layout))
    for row, column in np.ndindex(2, 3):
        alone: Scenario = make(int(batch[row, 0]), int(context[column]), layout)
        for one, all_at_once in zip(model_ops(pruned, alone), grid, strict=True):
            assert at(all_at_once.count, row, column) == pytest.approx(float(one.count))
            for name in numeric_fields(one):
                found = at(getattr(all_at_once.shape, name), row, column)
                assert found == pytest.approx(float(getattr(one.shape, name))), (one.name, name)


@pytest.mark.parametrize("make", [prefill, decode])
def test_narrow_integers_do_not_overflow(make: MakeScenario) -> None:
    """Bytes of a large pass exceed 2^31, whatever integers the caller's table holds."""
    model = transformer_from_sizes(
        hidden=4096, layers=2, num_heads=32, num_kv_heads=8, width=14336, vocab=1000
    )
    narrow = make(np.array([65536], dtype=np.int32), np.array([32768], dtype=np.int32))
    ops = model_ops(model, narrow)
    assert moved_bytes(ops) == moved_bytes(model_ops(model, make(65536, 32768)))
    assert moved_bytes(ops) > 2**31


def at(value: object, row: int, column: int) -> float:
    return float(np.broadcast_to(np.asarray(value, dtype=float), (2, 3))[row, column])


def numeric_fields(op: Op) -> tuple[str, ...]:
    if isinstance(op.shape, Gemm):
        return "m", "n", "k"
    if isinstance(op.shape, MemoryBound):
        return "read_bytes", "write_bytes", "compulsory_bytes", "kernels"
    return "batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim", "kept"
