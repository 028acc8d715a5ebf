"""Models, scenarios and look-ups that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from infersim.domain.arrays import Array, Numeric
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.ops import Op
from infersim.domain.shapes import Attention as AttentionShape
from infersim.domain.shapes import Gemm, MemoryBound, Phase
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import Attention, Block, FeedForward, Transformer
from tests.toy_models import transformer_from_sizes

MakeScenario = Callable[..., Scenario]

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, WIDTH, VOCAB = 256, 3, 8, 2, 32, 640, 1000


def small() -> Transformer:
    """Three equal blocks whose sizes are all different, so that no two can be mistaken."""
    return transformer_from_sizes(
        hidden=HIDDEN, layers=LAYERS, num_heads=HEADS, num_kv_heads=KV_HEADS, width=WIDTH, vocab=VOCAB
    )


def sublayers(model: Transformer) -> tuple[Attention, FeedForward]:
    """Attention and feed-forward of the first block."""
    block = model.blocks[0]
    assert isinstance(block.attention, Attention)
    assert isinstance(block.ffn, FeedForward)
    return block.attention, block.ffn


def with_block(model: Transformer, **changes: object) -> Transformer:
    """The model with every block changed alike."""
    changed: list[Block] = [replace(block, **changes) for block in model.blocks]  # type: ignore[arg-type]
    return model.with_blocks(tuple(changed))


def prefill(batch: Numeric, context: Numeric, layout: Layout = Layout.FUSED, dtype: str = "bf16") -> Scenario:
    return _scenario(Phase.PREFILL, batch, context, layout, dtype, None)


def decode(
    batch: Numeric,
    context: Numeric,
    layout: Layout = Layout.FUSED,
    dtype: str = "bf16",
    kv_dtype: DType | None = None,
) -> Scenario:
    return _scenario(Phase.DECODE, batch, context, layout, dtype, kv_dtype)


def _scenario(
    phase: Phase, batch: Numeric, context: Numeric, layout: Layout, dtype: str, kv_dtype: DType | None
) -> Scenario:
    execution = Execution(layout=layout, precision=precision_named(dtype), kv_dtype=kv_dtype)
    return Scenario(phase=phase, batch=batch, context=context, execution=execution)


def ops_by_name(model: Transformer, scenario: Scenario, group: int | None = 0) -> dict[str, Op]:
    """Ops of one group of equal blocks and of what is outside the blocks; names must be unique."""
    ops = [op for op in model_ops(model, scenario) if op.group in (group, None)]
    found = {op.name: op for op in ops}
    assert len(found) == len(ops)
    return found


def gemm(op: Op) -> Gemm:
    assert isinstance(op.shape, Gemm)
    return op.shape


def mnk(op: Op) -> tuple[float, float, float]:
    shape = gemm(op)
    return float(shape.m), float(shape.n), float(shape.k)


def moved(op: Op) -> MemoryBound:
    assert isinstance(op.shape, MemoryBound)
    return op.shape


def attention(op: Op) -> AttentionShape:
    assert isinstance(op.shape, AttentionShape)
    return op.shape


def gemm_flop(ops: Sequence[Op]) -> Array:
    """2 M N K of all GEMMs, by their counts."""
    return sum(
        (
            np.asarray(2.0 * op.shape.m * op.shape.n * op.shape.k * op.count)
            for op in ops
            if isinstance(op.shape, Gemm)
        ),
        start=np.zeros(()),
    )
