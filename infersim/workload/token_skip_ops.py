"""Ops that token skipping (dynamic-m) adds to a sublayer: router, gather of kept tokens, scatter."""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound
from infersim.workload.flow import Flow
from infersim.workload.linear_ops import linear_ops
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Linear, TokenSkip

ROUTER_CLASSES = 2
"""A router scores "skip" and "keep"."""

COMPACTION_KERNELS = 3
"""From scores to the list of kept tokens: compare, prefix sum, write indices."""

_FLAG_BYTES, _INDEX_BYTES = 1, 4


def router(skip: TokenSkip, hidden: int) -> Linear:
    """The router's weights: hidden -> 2, through a bottleneck of `router_width` where there is one."""
    return Linear(out_features=ROUTER_CLASSES, in_features=hidden, rank=skip.router_width)


def routing_ops(
    prefix: str, skip: TokenSkip, hidden: int, everyone: Flow, execution: Execution
) -> Iterator[Op]:
    """`<prefix>_router` on all tokens in 16 bit, and `<prefix>_gather` of the kept rows.

    The gather runs in every pass, even one in which no token is kept: how many are is known to the GPU
    alone. It includes the compaction of scores to indices.
    """
    name = f"{prefix}_router"
    yield from linear_ops(name, Part.EXTRA, router(skip, hidden), everyone, execution.head_precision)
    kept = everyone.kept_by(skip)
    rows_bytes = kept.expected_tokens * hidden * execution.activation_bytes
    score_bytes = ROUTER_CLASSES * execution.activation_bytes
    shape = MemoryBound(
        read_bytes=rows_bytes + everyone.tokens * (score_bytes + _FLAG_BYTES + _INDEX_BYTES),
        write_bytes=rows_bytes + everyone.tokens * (_FLAG_BYTES + 2 * _INDEX_BYTES),
        kernels=1 + COMPACTION_KERNELS,
        gathered=True,
    )
    yield Op(name=f"{prefix}_gather", part=Part.EXTRA, shape=shape)


def scatter(prefix: str, hidden: int, kept: Flow, execution: Execution) -> Op:
    """Add the kept tokens' results into their rows of the stream; this is the sublayer's residual add."""
    rows_bytes = kept.tokens * hidden * execution.activation_bytes
    shape = MemoryBound(read_bytes=2 * rows_bytes, write_bytes=rows_bytes, gathered=True)
    return Op(name=f"{prefix}_scatter", part=Part.EXTRA, shape=shape, count=kept.runs)
