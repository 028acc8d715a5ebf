"""Ops that token skipping (dynamic-m) adds to a sublayer: router, compaction, and what the execution needs.

GATHER copies kept rows together and scatters their results back. BLOCKS moves nothing, but fills the results
of skipped rows with zeros, so that all tokens can go through the elementwise kernels that follow. A
forecaster stands in for what is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import linear_ops
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Linear, SkipExecution, TokenSkip

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
    """`<prefix>_router` on all tokens in 16 bit, then `<prefix>_gather`, or in BLOCKS `<prefix>_compaction`.

    Either runs in every pass, even one in which no token is kept: how many are is known to the GPU alone. The
    gather of the kept rows includes the compaction of scores to indices. Where the router before has decided,
    a gather is all that is left.
    """
    compaction = MemoryBound(read_bytes=0.0, write_bytes=0.0, kernels=0, kernel=SmallKernel.GATHER)
    if skip.decides:
        name = f"{prefix}_router"
        yield from linear_ops(name, Part.EXTRA, router(skip, hidden), everyone, execution.head_precision)
        score_bytes = ROUTER_CLASSES * execution.activation_bytes
        compaction = MemoryBound(
            read_bytes=everyone.tokens * (score_bytes + _FLAG_BYTES + _INDEX_BYTES),
            write_bytes=everyone.tokens * (_FLAG_BYTES + 2 * _INDEX_BYTES),
            kernels=COMPACTION_KERNELS,
            kernel=SmallKernel.GATHER,
        )
    if skip.execution is SkipExecution.BLOCKS:
        if skip.decides:
            yield Op(name=f"{prefix}_compaction", part=Part.EXTRA, shape=compaction)
        return
    rows_bytes = everyone.kept_by(skip).expected_tokens * hidden * execution.activation_bytes
    gather = replace(
        compaction,
        read_bytes=rows_bytes + compaction.read_bytes,
        write_bytes=rows_bytes + compaction.write_bytes,
        kernels=1 + compaction.kernels,
    )
    yield Op(name=f"{prefix}_gather", part=Part.EXTRA, shape=gather)


def forecaster(rank: int, hidden: int) -> Linear:
    """The weights that stand in for what is skipped: hidden -> rank -> hidden."""
    return Linear(out_features=hidden, in_features=hidden, rank=rank)


def forecast_ops(
    prefix: str, skip: TokenSkip, rank: int, hidden: int, everyone: Flow, execution: Execution
) -> Iterator[Op]:
    """`<prefix>_forecast` of all tokens, in 16 bit: two layers with an activation between (2510.13831).

    In BLOCKS they write the result, over which kernels write the kept rows; behind a GATHER what they say of
    skipped rows is added to the stream.
    """
    name, precision = f"{prefix}_forecast", execution.head_precision
    first, second = linear_ops(name, Part.EXTRA, forecaster(rank, hidden), everyone, precision)
    yield first
    inner_bytes = everyone.tokens * rank * execution.activation_bytes
    between = MemoryBound(
        read_bytes=inner_bytes, write_bytes=inner_bytes, rows=everyone.tokens, kernel=SmallKernel.ACTIVATION
    )
    yield Op(name=f"{name}_activation", part=Part.EXTRA, shape=between)
    yield second
    if skip.execution is SkipExecution.GATHER:
        stream_bytes = everyone.tokens * hidden * execution.activation_bytes
        added = MemoryBound(read_bytes=2 * stream_bytes, write_bytes=stream_bytes, kernel=SmallKernel.ADD)
        yield Op(name=f"{name}_add", part=Part.EXTRA, shape=added)


def zero_fill(prefix: str, widths: Sequence[int], everyone: Flow, execution: Execution) -> Op:
    """Fill results of kernels that skip rows with zeros: a kernel for each of `widths`, values a token."""
    written_bytes = everyone.tokens * sum(widths) * execution.activation_bytes
    shape = MemoryBound(read_bytes=0.0, write_bytes=written_bytes, kernels=len(widths))
    return Op(name=f"{prefix}_zero_fill", part=Part.EXTRA, shape=shape)


def skips_in_place(skip: TokenSkip | None) -> bool:
    """Whether skipped rows stay where they are, so that elementwise kernels see all tokens."""
    return skip is not None and skip.execution is SkipExecution.BLOCKS


def scatter(prefix: str, hidden: int, kept: Flow, execution: Execution) -> Op:
    """Add the kept tokens' results into their rows of the stream; this is the sublayer's residual add."""
    rows_bytes = kept.tokens * hidden * execution.activation_bytes
    shape = MemoryBound(read_bytes=2 * rows_bytes, write_bytes=rows_bytes, kernel=SmallKernel.GATHER)
    return Op(name=f"{prefix}_scatter", part=Part.EXTRA, shape=shape, count=kept.runs)
