"""Heads of V narrower than K's, as MiMo-V2 has them: kernels, cache, shares and pruning by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.cost.floor import attention_flop, attention_kv_bytes
from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import Attention as AttentionShape
from infersim.domain.shapes import Gemm, Phase
from infersim.measuring.model.measurable import check_measurable
from infersim.pruning.composition import prune
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution
from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.transformer import Attention, Block, Transformer
from tests.workload.examples import decode, prefill

HIDDEN, HEADS, KV_HEADS, SIZE, SIZE_OF_V = 512, 16, 4, 48, 32
ATTENTION = grouped_query_attention(
    hidden=HIDDEN, num_heads=HEADS, num_kv_heads=KV_HEADS, head_dim=SIZE, value_dim=SIZE_OF_V
)
MODEL = Transformer(
    name="narrow",
    hidden=HIDDEN,
    vocab=1000,
    tied_embeddings=False,
    max_position=4096,
    blocks=(Block(attention=ATTENTION, ffn=swiglu(hidden=HIDDEN, width=1024)),) * 2,
)


def attention_of(model: Transformer) -> Attention:
    found = model.blocks[0].attention
    assert isinstance(found, Attention)
    return found


def widths(attention: Attention) -> tuple[int, ...]:
    return (
        attention.q.out_features,
        attention.k.out_features,
        attention.v.out_features,
        attention.o.in_features,
    )


def test_matrices() -> None:
    assert widths(ATTENTION) == (HEADS * SIZE, KV_HEADS * SIZE, KV_HEADS * SIZE_OF_V, HEADS * SIZE_OF_V)
    alike = grouped_query_attention(
        hidden=HIDDEN, num_heads=HEADS, num_kv_heads=KV_HEADS, head_dim=SIZE, value_dim=SIZE
    )
    assert alike.value_dim is None


def test_the_kernel_multiplies_and_reads_by_both_sizes() -> None:
    ops = {op.name: op for op in model_ops(MODEL, decode(2, 100)) if op.group == 0}
    shape, stacked = ops["attention"].shape, ops["qkv"].shape
    assert isinstance(shape, AttentionShape)
    assert isinstance(stacked, Gemm)
    assert attention_flop(shape) == 2 * 2 * HEADS * 100 * (SIZE + SIZE_OF_V)
    assert attention_kv_bytes(shape) == 2 * 100 * KV_HEADS * (SIZE + SIZE_OF_V) * 2
    assert stacked.n == HEADS * SIZE + KV_HEADS * (SIZE + SIZE_OF_V)
    assert float(kv_cache_bytes(MODEL, decode(2, 100))) == 2 * attention_kv_bytes(shape)


def test_prefill_is_between_that_of_narrow_and_that_of_wide_heads() -> None:
    def flop(size: int) -> float:
        alike = replace(ATTENTION, head_dim=size, value_dim=None)
        model = MODEL.with_blocks((replace(MODEL.blocks[0], attention=alike),) * 2)
        (shape,) = (op.shape for op in model_ops(model, prefill(1, 64)) if op.name == "attention")
        assert isinstance(shape, AttentionShape)
        return float(attention_flop(shape))

    (shape,) = (op.shape for op in model_ops(MODEL, prefill(1, 64)) if op.name == "attention")
    assert isinstance(shape, AttentionShape)
    assert float(attention_flop(shape)) == (flop(SIZE) + flop(SIZE_OF_V)) / 2


def test_shares_and_fewer_heads_keep_both_sizes() -> None:
    share = attention_of(gpu_share(MODEL, Execution(gpus=4)))
    assert widths(share) == (4 * SIZE, SIZE, SIZE_OF_V, 4 * SIZE_OF_V)
    fewer = attention_of(prune(MODEL, "static-nk", sparsity=0.5, target="heads").transformer)
    assert widths(fewer) == (8 * SIZE, 2 * SIZE, 2 * SIZE_OF_V, 8 * SIZE_OF_V)


def test_such_heads_and_sinks_are_predicted_only() -> None:
    with pytest.raises(UnsupportedError, match="heads of V of another size"):
        check_measurable(MODEL, Phase.DECODE)
    sinks = replace(ATTENTION, sinks=True)
    with pytest.raises(UnsupportedError, match="a score of each head"):
        check_measurable(MODEL.with_blocks((replace(MODEL.blocks[0], attention=sinks),)), Phase.DECODE)
