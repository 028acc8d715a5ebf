"""Ops of weight matrices: one GEMM, a low-rank pair, or matrices of one input stacked into one GEMM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from infersim.cost.gemm.unstructured import UnstructuredGemm
from infersim.domain.dtypes import Precision
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Exchange, Gemm, MemoryBound
from infersim.domain.small_kernels import SmallKernel
from infersim.workload.ops.exchanges import exchange_op
from infersim.workload.ops.flow import Flow
from infersim.workload.transformer import Linear


def linear_ops(name: str, part: Part, linear: Linear, flow: Flow, precision: Precision) -> Iterator[Op]:
    """One GEMM `name`, or for a low-rank matrix `name.a` (K -> rank) and `name.b` (rank -> N).

    A bias is added in the GEMM's epilogue and costs no kernel. A fused pair is one generated kernel: its
    second half is part of the first's launch. GPUs that share a pair exchange between the two.
    """
    n, k = linear.out_features, linear.in_features
    if linear.fused_pair:
        flow = replace(flow, generated=True)
    if linear.rank is None:
        yield _gemm(name, part, flow, n, k, linear, precision)
        yield from _into_rows(name, linear, flow, n, precision)
    else:
        inner = linear.read_rank or 0
        yield _gemm(f"{name}.a", part, flow, linear.rank, k, linear, precision)
        yield from between_factors(name, linear.rank, inner, flow, precision)
        yield _gemm(f"{name}.b", part, flow, n, inner, linear, precision, launched=not linear.fused_pair)


def stacked_ops(
    name: str, part: Part, members: Mapping[str, Linear], flow: Flow, precision: Precision
) -> Iterator[Op]:
    """Matrices that share their input as one GEMM `name` whose N is the sum of theirs.

    Of low-rank pairs only the first factors share their input: they become `name.a`, and each second factor
    is a GEMM of its own, `member.b`. Matrices that cannot be stacked (K differs, only some are 2:4 or low
    rank, formats differ, or pairs are fused) run apart under their own names.
    """
    linears = tuple(members.values())
    first = linears[0]
    kinds = {
        (
            *(linear.in_features, linear.form, linear.rank is None, linear.transposed_result),
            *(linear.format, linear.zeros),
        )
        for linear in linears
    }
    if len(kinds) > 1 or any(linear.fused_pair for linear in linears):
        for member, linear in members.items():
            yield from linear_ops(member, part, linear, flow, precision)
    elif first.rank is None:
        n = sum(linear.out_features for linear in linears)
        yield _gemm(name, part, flow, n, first.in_features, first, precision)
        yield from _into_rows(name, first, flow, n, precision)
    else:
        ranks = {member: linear.rank or 0 for member, linear in members.items()}
        read = {member: linear.read_rank or 0 for member, linear in members.items()}
        yield _gemm(f"{name}.a", part, flow, sum(ranks.values()), first.in_features, first, precision)
        yield from between_factors(name, sum(ranks.values()), sum(read.values()), flow, precision)
        for member, linear in members.items():
            yield _gemm(f"{member}.b", part, flow, linear.out_features, read[member], linear, precision)


def between_factors(name: str, rank: int, read: int, flow: Flow, precision: Precision) -> Iterator[Op]:
    """What GPUs exchange between the factors of a pair: each has a share of the ranks and reads all of them,
    or has a part of all sums and reads a share.
    """
    if read == rank:
        return
    exchange = Exchange.ALL_GATHER if read > rank else Exchange.REDUCE_SCATTER
    most, least = max(read, rank), min(read, rank)
    moved_bytes = flow.tokens * most * precision.output_bytes
    yield exchange_op(f"{name}.{exchange}", exchange, moved_bytes, most // least, runs=flow.runs)


def _into_rows(name: str, linear: Linear, flow: Flow, n: int, precision: Precision) -> Iterator[Op]:
    """The copy `name.rows` of a result of n columns; one side of it is read or written across rows."""
    if linear.transposed_result:
        moved_bytes = flow.tokens * n * precision.output_bytes
        shape = MemoryBound(read_bytes=moved_bytes, write_bytes=moved_bytes, kernel=SmallKernel.GATHER)
        yield Op(name=f"{name}.rows", part=Part.EXTRA, shape=shape, count=flow.runs)


def _gemm(
    name: str,
    part: Part,
    flow: Flow,
    n: int,
    k: int,
    linear: Linear,
    precision: Precision,
    *,
    launched: bool = True,
) -> Op:
    """A GEMM in the linear's own format and form, else in `precision`."""
    used = precision if linear.format is None else linear.format.precision
    if linear.zeros is not None:
        sparse = UnstructuredGemm(
            m=flow.tokens,
            n=n,
            k=k,
            density=1 - linear.zeros.share,
            precision=used,
            kernel=linear.zeros.kernel,
            generated=flow.generated,
        )
        return Op(name=name, part=part, shape=sparse, count=flow.runs, launched=launched)
    shape = Gemm(
        m=flow.tokens,
        n=n,
        k=k,
        precision=used,
        weights=linear.form,
        act_quant=not used.static,
        generated=flow.generated,
    )
    return Op(name=name, part=part, shape=shape, count=flow.runs, launched=launched)
