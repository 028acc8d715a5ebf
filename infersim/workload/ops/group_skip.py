"""Ops of sublayers whose width each token chooses (dynamic-mnk): router, masks, and GEMMs of groups.

Nothing is moved: results are filled with zeros before, kernels write the groups that a token takes, and
norms, rotary, activation and residual adds see all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from infersim.cost.gemm.group_skip import GroupAxis, GroupGemm
from infersim.cost.gemm.mask_sort import FLAG_BYTES, MaskSort
from infersim.domain.dtypes import Precision
from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import MemoryBound, WeightForm
from infersim.workload.ops.flow import Flow
from infersim.workload.ops.linear import between_factors, linear_ops
from infersim.workload.scenario import Execution
from infersim.workload.transformer import GroupSkip, Linear

ROUTER_CLASSES = 2
"""A router scores "skip" and "keep" of each group."""


def group_router(groups: GroupSkip, width: int, hidden: int) -> Linear:
    """The router's weights of a sublayer of so many heads or channels: hidden -> bottleneck -> 2 x groups."""
    return Linear(
        out_features=ROUTER_CLASSES * groups.count(width), in_features=hidden, rank=groups.router_width
    )


def group_routing_ops(
    prefix: str, groups: GroupSkip, width: int, hidden: int, everyone: Flow, execution: Execution
) -> Iterator[Op]:
    """`<prefix>_router` on all tokens in 16 bit, `<prefix>_mask` from its scores, and `<prefix>_sort` of it.

    The sublayer's kernels, first and last, share one sorted mask.
    """
    linear, count = group_router(groups, width, hidden), groups.count(width)
    yield from linear_ops(f"{prefix}_router", Part.EXTRA, linear, everyone, execution.head_precision)
    flags = everyone.tokens * count
    mask = MemoryBound(
        read_bytes=flags * ROUTER_CLASSES * execution.activation_bytes, write_bytes=flags * FLAG_BYTES
    )
    yield Op(name=f"{prefix}_mask", part=Part.EXTRA, shape=mask)
    sort = MaskSort(tokens=everyone.tokens, groups=count)
    yield Op(name=f"{prefix}_sort", part=Part.EXTRA, shape=sort)


def group_linear_ops(
    name: str,
    part: Part,
    linear: Linear,
    axis: GroupAxis,
    groups: GroupSkip,
    features: int,
    everyone: Flow,
    precision: Precision,
) -> Iterator[Op]:
    """A matrix of which tokens take groups along `axis`; `features` of it are a group's.

    Of a low-rank pair, the factor that has that side: the other one is a plain GEMM.
    """
    if linear.form is not WeightForm.DENSE or linear.zeros is not None:
        raise UnsupportedError("no kernel skips groups of a matrix whose weights are sparse")
    used = precision if linear.format is None else linear.format.precision
    n, k, rank, read = linear.out_features, linear.in_features, linear.rank, linear.read_rank or 0
    inner = replace(linear, rank=None, inner=None, fused_pair=False)
    if rank is not None and axis is GroupAxis.OUTPUT:
        yield from linear_ops(f"{name}.a", part, replace(inner, out_features=rank), everyone, precision)
        yield from between_factors(name, rank, read, everyone, precision)
        name, k = f"{name}.b", read
    elif rank is not None:
        name, n = f"{name}.a", rank
    shape = GroupGemm(
        m=everyone.tokens,
        n=n,
        k=k,
        kept=1 - groups.rate,
        group=features,
        axis=axis,
        precision=used,
        kernels=groups.kernels,
    )
    yield Op(name=name, part=part, shape=shape)
    if rank is not None and axis is GroupAxis.INPUT:
        yield from between_factors(name[:-2], rank, read, everyone, precision)
        outer = replace(inner, in_features=read)
        yield from linear_ops(f"{name[:-2]}.b", part, outer, everyone, precision)
