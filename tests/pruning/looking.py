"""Look-ups that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Mapping

from infersim.domain.ops import Op
from infersim.domain.shapes import Attention as AttentionShape
from infersim.domain.shapes import Gemm, Phase
from infersim.pruning.plan import Plan
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import Attention, Block, FeedForward, Transformer

Shapes = Mapping[str, tuple[float, float, float]]


def heads_of(block: Block) -> Attention:
    """The attention of a block that has one."""
    assert isinstance(block.attention, Attention)
    return block.attention


def ffn_of(block: Block) -> FeedForward:
    """The FFN of a block that has one."""
    assert isinstance(block.ffn, FeedForward)
    return block.ffn


def ops_of(model: Transformer | Plan, batch: int, context: int, *, phase: str, layout: str) -> dict[str, Op]:
    """Ops by name of a model whose blocks are all equal."""
    transformer = model.transformer if isinstance(model, Plan) else model
    assert len(set(transformer.blocks)) == 1
    execution = Execution(layout=Layout(layout))
    scenario = Scenario(phase=Phase(phase), batch=batch, context=context, execution=execution)
    return {op.name: op for op in model_ops(transformer, scenario)}


def gemms(
    model: Transformer | Plan, batch: int = 1, context: int = 1024, *, phase: str = "prefill", layout: str
) -> Shapes:
    """(M, N, K) of every GEMM by name."""
    ops = ops_of(model, batch, context, phase=phase, layout=layout)
    return {
        name: (float(op.shape.m), float(op.shape.n), float(op.shape.k))
        for name, op in ops.items()
        if isinstance(op.shape, Gemm)
    }


def attention_of(
    model: Transformer | Plan, batch: int = 1, context: int = 1024, *, phase: str = "prefill"
) -> AttentionShape:
    """Shape of the attention kernel."""
    shape = ops_of(model, batch, context, phase=phase, layout="fused")["attention"].shape
    assert isinstance(shape, AttentionShape)
    return shape
