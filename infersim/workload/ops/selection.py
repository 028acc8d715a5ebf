"""What selecting costs.

Which blocks block-sparse attention computes (dynamic-nk), which cached tokens stay (kv-pruning).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Attention, MemoryBound, Phase
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import BlockSparsity, KvScore

OBSERVED_QUERIES = 32
"""The prompt's last queries that vote in SnapKV."""

_SUM_BYTES = 4
VOTING_KERNELS = 5
"""Score the keys, add up and pool the votes, choose, and copy what stays of K and of V."""

BOOKKEEPING_KERNELS = 3
"""Add the step's weights to the sums, find the least, put the new token in its place."""


def eviction_ops(
    shape: Attention, kept: float, score: KvScore, runs: Numeric, execution: Execution
) -> Iterator[Op]:
    """Ops beside the attention `shape` of the pass: none where nothing goes, or where position decides.

    - WINDOW: once, at the end of prefill: read all keys for OBSERVED_QUERIES queries, write and read their
      votes, and copy what stays. Their multiplications are below OBSERVED_QUERIES / context of the
      attention's and left out.
    - ACCUMULATED: flash attention keeps no weights, so prefill multiplies Q K^T a second time, in a kernel of
      its own; decode writes each step's weights and adds them to sums that live beside the cache.
    """
    if kept == 1.0 or score is KvScore.POSITION:
        return
    if score is KvScore.WINDOW and shape.phase is Phase.PREFILL:
        yield Op(name="kv_vote", part=Part.EXTRA, shape=_voting(shape, kept, execution), count=runs)
    elif score is KvScore.ACCUMULATED and shape.phase is Phase.PREFILL:
        second = replace(shape, kept=as_array(shape.kept) / 2, generated=True)
        yield Op(name="kv_score", part=Part.EXTRA, shape=second, count=runs)
    elif score is KvScore.ACCUMULATED:
        yield Op(name="kv_score", part=Part.EXTRA, shape=_bookkeeping(shape, execution), count=runs)


def _voting(shape: Attention, kept: float, execution: Execution) -> MemoryBound:
    tokens = as_array(shape.batch) * shape.context_len
    keys = tokens * shape.num_kv_heads * shape.head_dim * execution.cache_dtype.bytes
    votes = tokens * shape.num_heads * execution.activation_bytes
    copied = 2 * kept * keys * (shape.mean_dim / as_array(shape.head_dim))
    return MemoryBound(
        read_bytes=keys + 2 * votes + copied,
        write_bytes=2 * votes + copied,
        kernels=VOTING_KERNELS,
        kernel=SmallKernel.GATHER,
    )


def _bookkeeping(shape: Attention, execution: Execution) -> MemoryBound:
    tokens = as_array(shape.batch) * shape.context_len
    weights = tokens * shape.num_heads * execution.activation_bytes
    sums = tokens * shape.num_kv_heads * _SUM_BYTES
    return MemoryBound(
        read_bytes=weights + 2 * sums,
        write_bytes=weights + sums,
        compulsory_bytes=sums,
        kernels=BOOKKEEPING_KERNELS,
    )


_MASK_BYTES = 1
KERNELS = 3
"""Pool, score, select."""

EAGER_KERNELS = 8
"""Pool and project queries, the same for keys, score, normalise, order, and mark the chosen."""


def mask_estimation(shape: Attention, sparsity: BlockSparsity, runs: Numeric, execution: Execution) -> Op:
    """Gate of the kind that SeerAttention (arXiv 2410.13276) learns, for the attention `shape`.

    Three kernels: pool q and k over each block to `gate_dim` values a head; score pooled q against pooled k
    for each query head; select blocks. The SEPARATE layout takes EAGER_KERNELS. In decode the pooled keys
    are cached, so all of K need not be read: one vector a block and KV head. Pooled keys (written in
    prefill, read in decode) are compulsory.

    Scores cost 2 `gate_dim` FLOPs for `block`^2 pairs, which the attention itself spends 4 head_dim FLOPs on
    each: a share below 1/`block`^2 of it, so the bytes alone are counted. The gate's own projections,
    head_dim x gate_dim for each head, work on pooled vectors and are left out likewise.
    """
    pairs, blocks = _scored_blocks(shape, sparsity.block)
    heads, kv_heads, head_dim = as_array(shape.num_heads), as_array(shape.num_kv_heads), shape.head_dim
    batch, value_bytes = as_array(shape.batch), execution.activation_bytes
    pooled_k = batch * kv_heads * blocks * sparsity.gate_dim * value_bytes
    scores = batch * heads * pairs
    queries = batch * heads * shape.query_len * head_dim * value_bytes
    if shape.phase is Phase.PREFILL:
        keys = batch * kv_heads * shape.context_len * head_dim * value_bytes
        pooled_q = batch * heads * blocks * sparsity.gate_dim * value_bytes
        pooling_reads, pooling_writes = queries + keys, pooled_q + pooled_k
        scoring_reads = pooled_q + pooled_k
    else:
        newest = batch * kv_heads * value_bytes
        pooling_reads, pooling_writes = newest * head_dim, newest * sparsity.gate_dim
        scoring_reads = queries + pooled_k
    estimation = MemoryBound(
        read_bytes=pooling_reads + scoring_reads + scores * value_bytes,
        write_bytes=pooling_writes + scores * (value_bytes + _MASK_BYTES),
        compulsory_bytes=pooled_k,
        kernels=KERNELS if execution.layout is Layout.FUSED else EAGER_KERNELS,
    )
    return Op(name="mask_estimation", part=Part.EXTRA, shape=estimation, count=runs)


def _scored_blocks(shape: Attention, block: int) -> tuple[Array, Array]:
    """(query block, key block) pairs to score and blocks of keys, for one head of one sequence.

    In prefill a query block scores itself and those before it, no further back than the window.
    """
    context = as_array(shape.context_len)
    visible = context if shape.window is None else np.minimum(context, shape.window)
    reach = np.ceil(visible / block)
    if shape.phase is Phase.DECODE:
        return reach, reach
    blocks = np.ceil(context / block)
    return blocks * reach - reach * (reach - 1) / 2, blocks
