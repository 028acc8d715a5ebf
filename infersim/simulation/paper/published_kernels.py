"""Published kernels for tokens and channel groups that are skipped by a mask, as what they launch.

The fused ones are those of github.com/EIT-NLP/LLM-Pruning@091e46d (DynamicPruningKernels), as its code has
them: the result is filled with zeros, the mask sorted into a list of rows, and one GEMM works on the kept
rows. Groups of outputs have a list each. Groups of inputs add their partial results into the result. The
mask keeps half, at random; groups of 128 and fp16 are that code's defaults. Gather and scatter, and a
grouped GEMM, copy rows before and after instead, the former group by group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from infersim.cost.kernels import kernel_cost
from infersim.domain.dtypes import precision_named
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, MemoryBound, Shape, WeightForm
from infersim.domain.small_kernels import SmallKernel
from infersim.simulation.measured.table import MeasuredSpeedup
from infersim.workload.ops.token_skip import COMPACTION_KERNELS

DTYPE = "fp16"
GROUP = 128
VALUE_BYTES, FLAG_BYTES, INDEX_BYTES = 2, 1, 8
TOKENS, OUTPUTS, INPUTS = "tokens", "output groups", "input groups"
FUSED, GROUPED, GATHERED = "fused", "grouped", "gather"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSpeedup:
    """A predicted speedup with its 80 % interval; latencies in seconds."""

    speedup: float
    lower: float
    upper: float
    dense_s: float
    pruned_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """Part of a pruned operator: `count` kernels of a shape; those `within` another kernel launch nothing."""

    shape: Shape
    count: int = 1
    within: bool = False


def kernel_speedup(row: MeasuredSpeedup, profile: HardwareProfile) -> KernelSpeedup:
    """Predict a row of phase `gemm` whose method is one of those above; weights stay in L2 where they can.

    In the interval, GEMMs err alike on both sides but for their pairs' half-width, all else on its own.
    """
    dense = kernel_cost(_gemm(row.m, row.n, row.k), profile)
    dense_s = float(dense.kernel_s + dense.launch_s)
    times_s, widths = [], []
    for part in _launched(row):
        cost = kernel_cost(part.shape, profile)
        times_s.append(part.count * float(cost.kernel_s + (0.0 if part.within else cost.launch_s)))
        alike = isinstance(part.shape, Gemm)
        widths.append(float(cost.pair_log_half_width if alike else cost.log_half_width))
    pruned_s = sum(times_s)
    own = np.square(np.array(times_s) / pruned_s * np.array(widths)).sum()
    spread = float(np.exp(np.hypot(dense.pair_log_half_width, np.sqrt(own))))
    speedup = dense_s / pruned_s
    return KernelSpeedup(
        speedup=speedup, lower=speedup / spread, upper=speedup * spread, dense_s=dense_s, pruned_s=pruned_s
    )


def sparse_speedup(row: MeasuredSpeedup, m: float, profile: HardwareProfile) -> KernelSpeedup:
    """Predict a 2:4 GEMM of the row's N and K with `m` tokens and cold weights; the wider interval."""
    if row.n is None or row.k is None:
        raise InvalidValueError("published row", (row.n, row.k), "n and k of a GEMM")
    dense, sparse = (
        kernel_cost(Gemm(m=m, n=row.n, k=row.k, precision=precision_named(DTYPE), weights=form), profile)
        for form in (WeightForm.DENSE, WeightForm.SPARSE_2_4)
    )
    dense_s, pruned_s = (float(cost.kernel_s + cost.launch_s) for cost in (dense, sparse))
    spread = float(np.exp(np.maximum(dense.pair_log_half_width, sparse.pair_log_half_width)))
    speedup = dense_s / pruned_s
    return KernelSpeedup(
        speedup=speedup, lower=speedup / spread, upper=speedup * spread, dense_s=dense_s, pruned_s=pruned_s
    )


def _gemm(m: float | None, n: float | None, k: float | None) -> Gemm:
    if m is None or n is None or k is None:
        raise InvalidValueError("published row", (m, n, k), "m, n and k of a GEMM")
    return Gemm(m=m, n=n, k=k, precision=precision_named(DTYPE), weight_copies=1)


def _launched(row: MeasuredSpeedup) -> Iterator[Launched]:
    """What the pruned operator launches."""
    m, n, k = (float(side or 0) for side in (row.m, row.n, row.k))
    kept = m * (1 - (row.sparsity or 0.5))
    axis, way = _what(row)
    groups = int({TOKENS: 1, OUTPUTS: n / GROUP, INPUTS: k / GROUP}[axis])
    yield Launched(shape=MemoryBound(read_bytes=0.0, write_bytes=m * n * VALUE_BYTES))
    yield Launched(shape=_sorting(m * groups))
    if way == GATHERED and axis != TOKENS:
        part_n, part_k = (GROUP, k) if axis == OUTPUTS else (n, GROUP)
        yield Launched(shape=_copy(kept * part_k), count=groups)
        yield Launched(shape=_gemm(kept, part_n, part_k), count=groups)
        yield Launched(shape=_copy(kept * part_n, added=axis == INPUTS), count=groups)
        return
    yield Launched(shape=_gemm(kept, n, k))
    if way != FUSED:
        yield Launched(shape=_copy(kept * k * (groups if axis == OUTPUTS else 1)))
        yield Launched(shape=_copy(kept * n * (groups if axis == INPUTS else 1), added=axis == INPUTS))
    elif axis == INPUTS:
        # Each group's partial results are added into the result, which stays in L2, by the GEMM itself.
        added = MemoryBound(read_bytes=kept * n * VALUE_BYTES, write_bytes=kept * n * VALUE_BYTES)
        yield Launched(shape=added, count=groups, within=True)


def _what(row: MeasuredSpeedup) -> tuple[str, str]:
    method = row.method or ""
    for axis in (TOKENS, OUTPUTS, INPUTS):
        for way in (FUSED, GROUPED, GATHERED):
            if method.startswith(axis) and way in method.removeprefix(axis):
                return axis, way
    raise InvalidValueError("published row", row.method, "skipped tokens or groups, and how")


def _sorting(flags: float) -> MemoryBound:
    moved = flags * (FLAG_BYTES + INDEX_BYTES)
    return MemoryBound(
        read_bytes=moved,
        write_bytes=moved + flags * INDEX_BYTES,
        kernels=COMPACTION_KERNELS,
        kernel=SmallKernel.GATHER,
    )


def _copy(values: float, *, added: bool = False) -> MemoryBound:
    moved = values * VALUE_BYTES
    return MemoryBound(read_bytes=moved * (2 if added else 1), write_bytes=moved, kernel=SmallKernel.GATHER)
