"""What kv-pruning pays to decide which cached tokens stay, by `KvScore`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from infersim.domain.arrays import Numeric, as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Attention, MemoryBound, Phase
from infersim.workload.scenario import Execution
from infersim.workload.transformer import KvScore

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
    copied = 2 * kept * keys
    return MemoryBound(
        read_bytes=keys + 2 * votes + copied,
        write_bytes=2 * votes + copied,
        kernels=VOTING_KERNELS,
        gathered=True,
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
