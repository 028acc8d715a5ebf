"""Ops of an indexer: what it keeps of each token, and which tokens each query attends to.

Its key is written for every token. Queries, scores and the choice are left out where prompts are so short
that every token is chosen: engines then attend as if there were no indexer (SGLang, pull request 11892). In
decode all of it runs at any length, as a CUDA graph has it. Queries and keys are multiplied in 8 bit.
"""

from __future__ import annotations

from collections.abc import Iterator

from infersim.cost.attention.chosen import SCORE_BYTES
from infersim.cost.floor import causal_pairs
from infersim.domain import shapes
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.dtypes import SCALE_BYTES, DType
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import linear_ops
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.sublayers.latent_attention import Indexer
from infersim.workload.transformer import LatentAttention

NOT_MEASURED = (
    "no kernel that chooses tokens or attends to chosen ones was measured: predicted by bytes and "
    "published rates"
)
"""What people are told of a model with an indexer."""

PLACE_BYTES = 4
"""Of a chosen token's number, and of its place in the cache."""

PASSES = 2
"""Over a query's scores: how many are as great as which, then those that are great enough."""


def key_ops(index: Indexer, turned: int, everyone: Flow, execution: Execution) -> Iterator[Op]:
    """From the input to the cached key: GEMM, norm, rotary over `turned` channels, and the cache's 8 bit."""
    values = everyone.tokens * index.head_dim * execution.activation_bytes
    yield from linear_ops("index_k", Part.QKVO, index.k, everyone, execution.precision)
    yield _small("index_norm", everyone, values, values, SmallKernel.NORM)
    yield _rotary("index_k_rotary", everyone, turned, turned, execution)
    cached = everyone.tokens * index.cache_bytes
    shape = MemoryBound(read_bytes=values, write_bytes=cached, compulsory_bytes=cached, rows=everyone.tokens)
    yield Op(name="index_write", part=Part.ELEMENTWISE, shape=shape)


def choice_ops(
    attention: LatentAttention, index: Indexer, choosing: Flow, scenario: Scenario
) -> Iterator[Op]:
    """From queries to the places of the chosen tokens, for the tokens of `choosing`."""
    execution, turned = scenario.execution, attention.qk_rope_head_dim
    values = choosing.tokens * index.num_heads * index.head_dim
    yield from linear_ops("index_q", Part.QKVO, index.q, choosing, execution.precision)
    yield from linear_ops("index_weights", Part.QKVO, index.weights, choosing, execution.head_precision)
    yield _rotary("index_q_rotary", choosing, index.num_heads * turned, turned, execution)
    scales = choosing.tokens * index.num_heads * SCALE_BYTES
    yield _small(
        "index_quantise",
        choosing,
        values * execution.activation_bytes,
        values * DType.FP8.bytes + scales,
        SmallKernel.QUANTISE_DYNAMIC,
    )
    shape = scores_shape(index, scenario)
    yield Op(name="index_scores", part=Part.ATTENTION, shape=shape, count=choosing.runs)
    yield _top_k(shape, attention.top_k or 0, choosing)


def scores_shape(index: Indexer, scenario: Scenario) -> shapes.Attention:
    """Every head's product with the one key of each token before, in 8 bit."""
    return shapes.Attention(
        phase=scenario.phase,
        batch=scenario.batch,
        query_len=scenario.query_len,
        context_len=scenario.context,
        num_heads=index.num_heads,
        num_kv_heads=1,
        head_dim=index.head_dim,
        value_dim=0,
        shared_kv=True,
        dtype=DType.FP8,
        kv_dtype=DType.FP8,
    )


def score_bytes(shape: shapes.Attention) -> Array:
    """Bytes of the scores of all queries, one for each token before."""
    pairs = causal_pairs(shape.query_len, shape.context_len, None)
    return as_array(shape.batch) * pairs * SCORE_BYTES


def _top_k(shape: shapes.Attention, top_k: int, choosing: Flow) -> Op:
    """The greatest scores of each query, a row, and the places in the cache of the tokens that have them."""
    chosen = choosing.tokens * top_k * PLACE_BYTES
    made = MemoryBound(
        read_bytes=PASSES * score_bytes(shape) + chosen,
        write_bytes=2 * chosen,
        rows=2 * choosing.tokens,
        kernels=2,
        kernel=SmallKernel.NORM,
    )
    return Op(name="index_top_k", part=Part.ELEMENTWISE, shape=made, count=choosing.runs)


def _rotary(name: str, flow: Flow, width: int, table: int, execution: Execution) -> Op:
    """Turns `width` values a token in place, by `table` values of cos and sin."""
    turned = flow.tokens * width * execution.activation_bytes
    shape = MemoryBound(
        read_bytes=turned + flow.tokens * table * execution.activation_bytes,
        write_bytes=turned,
        rewritten_bytes=turned,
        rows=flow.tokens,
        kernel=SmallKernel.ROTARY,
    )
    return Op(name=name, part=Part.ELEMENTWISE, shape=shape, count=flow.runs)


def _small(name: str, flow: Flow, read_bytes: Numeric, write_bytes: Numeric, kernel: SmallKernel) -> Op:
    shape = MemoryBound(read_bytes=read_bytes, write_bytes=write_bytes, rows=flow.tokens, kernel=kernel)
    return Op(name=name, part=Part.ELEMENTWISE, shape=shape, count=flow.runs)
