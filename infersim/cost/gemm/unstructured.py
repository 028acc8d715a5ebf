"""Latency of a matrix whose weights are zero anywhere: a sparse kernel for a token, or the dense one for all.

Tensor cores skip no single weights, so a dense kernel gains nothing. What streams weights for one token gains
the bytes that are not there, and its kernels work on vectors: more tokens are one after the other, or the
matrix is unpacked for the dense kernel, whichever is sooner.

- MACKO (arXiv 2511.13061): 16-bit values with 4 bits for the way to the next; where the way is longer than
  these can say, a zero is stored. A warp walks along a row and adds up the ways, so that besides bytes the
  length of the row counts, zeros included.
- cuSPARSE, CSR (`cusparseSpMM`): 16-bit values with 32-bit columns. An entry takes the longer, the more
  entries its row has; measured so, without a reason that anybody published.

Defaults are one fit to both GPUs of vlejd/macko_spmv @afa7033 (RTX 3090 and 4090, 31 matrices, 16 bit, 5 to
100 % of the weights). Mean errors (`bench/spmv.py`): 5 and 9 % (MACKO), 5 % (cuSPARSE) of matrices that were
held out, 8 and 10, 8 and 9 of the GPU that was. What flushing L2 and timing by events add was read off the
dense kernel of the same timings; the exponent by which cuSPARSE's rows scale was chosen on both GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import L2, MEMORY, assemble, exposed_launch_s
from infersim.cost.gemm.gemm import GEMM, runs_as
from infersim.cost.kind import KernelKind
from infersim.cost.parameters import KindParameters, OwnParameters, kind_parameters
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import Precision
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import GIGA, MEGA, HardwareProfile
from infersim.domain.shapes import Gemm, Shape

PARAMETERS = OwnParameters(
    name="sparse_vector",
    defaults={
        "launch_us": 3.5,
        "events_us": 3.7,
        "written_back_mb": 22.3,
        "macko_dram_efficiency": 0.869,
        "macko_places_per_clock_per_sm": 30.5,
        "cusparse_launch_us": 8.7,
        "cusparse_dram_efficiency": 1.0,
        "cusparse_entries_per_clock_per_sm": 7.75,
        "cusparse_row_fs": 17.6,
        "cusparse_row_exponent": 1.75,
        "cusparse_long_row": 3194.0,
        "cusparse_long_row_excess": 0.656,
    },
    uncalibrated=IntervalFit(by_regime={}, pair=0.2, outside=0.3),
)

POSITION_BITS = 4.0
"""Of MACKO, for the way from one stored value to the next."""

COLUMN_BYTES, ROW_BYTES = 4.0, 4.0
"""Of CSR, for an entry; of both formats, for where a row begins."""

VALUE_BYTES = 2.0
"""Of the values that sparse kernels multiply: 16 bit."""

LONG_ROW_SHARPNESS = 8.0
"""Of the step at `cusparse_long_row`; set by hand, the fit leaves it."""


class SparseKernel(StrEnum):
    """Whose kernel multiplies by weights of which some are zero."""

    MACKO = "macko"
    CUSPARSE = "cusparse"
    DENSE = "dense"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnstructuredGemm(Shape):
    """A `Gemm` of which only `density` of the weights are no zeros, in no pattern.

    `flushed`: a timing loop overwrites L2 before each call, so that what it wrote has to go to memory first,
    and times by events; else the kernel stands in a model. `generated` is that of a `Gemm`, of dense kernels.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = ("m", "n", "k", "density")

    m: Numeric
    n: Numeric
    k: Numeric
    density: Numeric
    precision: Precision
    kernel: SparseKernel
    flushed: bool = False
    generated: bool = False


def runs_sparse(kernel: SparseKernel, precision: Precision) -> bool:
    """Whether a sparse kernel exists: its values are of 16 bit; all other formats are multiplied dense."""
    return kernel is not SparseKernel.DENSE and precision.weight_bytes == VALUE_BYTES


def packed_bytes(n: Numeric, k: Numeric, density: Numeric, kernel: SparseKernel) -> Array:
    """Bytes of a sparse kernel's matrix.

    MACKO stores a zero for every full way of 16 places before the next value: with q of the places empty,
    q^16 + q^32 + ... zeros a value.
    """
    values = as_array(n) * k * density
    rows = ROW_BYTES * (as_array(n) + 1)
    if kernel is SparseKernel.CUSPARSE:
        return values * (VALUE_BYTES + COLUMN_BYTES) + rows
    stored = values / (1 - (1 - as_array(density)) ** (2**POSITION_BITS))
    return stored * (VALUE_BYTES + POSITION_BITS / 8) + rows


def stored_bytes(shape: UnstructuredGemm) -> Array:
    """Bytes of the matrix as the kernel keeps it."""
    if runs_sparse(shape.kernel, shape.precision):
        return packed_bytes(shape.n, shape.k, shape.density, shape.kernel)
    return as_array(shape.n) * shape.k * shape.precision.weight_bytes * np.ones_like(as_array(shape.density))


def flop(shape: UnstructuredGemm) -> Array:
    """A multiply and an add for each weight that is no zero, and token."""
    return 2.0 * as_array(shape.m) * shape.n * shape.k * shape.density


def operand_bytes(shape: UnstructuredGemm) -> Array:
    """The matrix as it is kept, activations and result."""
    rows = as_array(shape.m) * (as_array(shape.n) * shape.precision.output_bytes)
    return stored_bytes(shape) + rows + as_array(shape.m) * shape.k * shape.precision.activation_bytes


def unstructured_cost(shape: UnstructuredGemm, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost for all tokens; UnsupportedError if the GPU has no such tensor rate."""
    whole = Gemm(
        m=as_array(shape.m) * np.ones_like(as_array(shape.density)),
        n=shape.n,
        k=shape.k,
        precision=shape.precision,
        act_quant=not shape.precision.static,
        generated=shape.generated,
    )
    dense = GEMM.cost(whole, profile, cuda_graph=cuda_graph)
    work = np.broadcast_to(flop(shape), dense.kernel_s.shape)
    found = kind_parameters(profile, PARAMETERS)
    if not runs_sparse(shape.kernel, shape.precision):
        return _by_dense_kernel(shape, dense, work, found.values, profile)
    seconds, walking = _one_token_s(shape, found.values, profile)
    kernel_s, launch_s = _sooner(shape, dense, seconds, found, profile, cuda_graph=cuda_graph)
    return assemble(
        profile,
        found,
        error_group="sparse vector",
        flop=work,
        peak_flop_per_s=dense.peak_flop_per_s,
        matrix_floor_s=work / dense.peak_flop_per_s,
        model_bytes=stored_bytes(shape),
        kernel_bytes=operand_bytes(shape),
        kernel_s=kernel_s,
        launch_s=launch_s,
        limiter=np.broadcast_to(np.where(walking, L2, MEMORY), kernel_s.shape).astype(np.int8),
        log_half_width=found.interval.outside,
        in_range=np.asarray(False),
    )


def _by_dense_kernel(
    shape: UnstructuredGemm, dense: KernelCost, work: Array, p: Mapping[str, float], profile: HardwareProfile
) -> KernelCost:
    """The dense kernel's cost for work that is mostly products with zero."""
    cost = replace(dense, flop=work, matrix_floor_s=dense.matrix_floor_s * shape.density)
    if not shape.flushed:
        return cost
    first_s = _written_back(stored_bytes(shape), p, profile) / profile.memory.bandwidth_bytes_per_s
    return replace(cost, kernel_s=dense.kernel_s + first_s, launch_s=dense.launch_s + p["events_us"] / MEGA)


def _written_back(streamed: Array, p: Mapping[str, float], profile: HardwareProfile) -> Array:
    """Bytes that go to memory first, as the kernel's own take their place in L2."""
    return np.minimum(streamed, min(p["written_back_mb"] * MEGA, profile.chip.l2_bytes))


def _sooner(
    shape: UnstructuredGemm,
    dense: KernelCost,
    seconds: Array,
    found: KindParameters,
    profile: HardwareProfile,
    *,
    cuda_graph: bool,
) -> tuple[Array, Array]:
    """Kernel and launch seconds: token by token or, of several, by a dense copy made before.

    Several never take less than one.
    """
    p, tokens = found.values, as_array(shape.m)
    launch_us = p["cusparse_launch_us" if shape.kernel is SparseKernel.CUSPARSE else "launch_us"]
    launch_us += p["events_us"] if shape.flushed else 0.0
    each_s = exposed_launch_s(profile, seconds, launch_us, 1, cuda_graph=cuda_graph)
    copied = stored_bytes(shape) + as_array(shape.n) * shape.k * VALUE_BYTES
    unpack_s = copied / (p["macko_dram_efficiency"] * profile.memory.bandwidth_bytes_per_s)
    before_s = exposed_launch_s(profile, unpack_s, p["launch_us"], 1, cuda_graph=cuda_graph)
    by_copy_s = np.maximum(unpack_s + dense.kernel_s, seconds)
    copied_s = by_copy_s + before_s + dense.launch_s
    by_token = (tokens <= 1) | (tokens * (seconds + each_s) <= copied_s)
    kernel_s = np.where(by_token, tokens * seconds, by_copy_s)
    by_copy_launch_s = np.maximum(before_s + dense.launch_s, each_s)
    return kernel_s, np.where(by_token, tokens * each_s, by_copy_launch_s)


def _one_token_s(
    shape: UnstructuredGemm, p: Mapping[str, float], profile: HardwareProfile
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Seconds of a vector's kernel without launch, and whether it waits for other than memory."""
    streamed = packed_bytes(shape.n, shape.k, shape.density, shape.kernel)
    if shape.flushed:
        streamed = streamed + _written_back(streamed, p, profile)
    bandwidth, clocks = profile.memory.bandwidth_bytes_per_s, profile.chip.clocks_per_s
    if shape.kernel is SparseKernel.MACKO:
        stream_s = streamed / (p["macko_dram_efficiency"] * bandwidth)
        walk_s = as_array(shape.n) * shape.k / (p["macko_places_per_clock_per_sm"] * clocks)
        return np.hypot(stream_s, walk_s), walk_s > stream_s
    entries = as_array(shape.n) * shape.k * shape.density
    stream_s = streamed / (p["cusparse_dram_efficiency"] * bandwidth)
    stream_s = stream_s + entries / (p["cusparse_entries_per_clock_per_sm"] * clocks)
    scale = (clocks / (100 * GIGA)) ** p["cusparse_row_exponent"]
    row = as_array(shape.k) * shape.density / scale
    longer = 1 / (1 + (p["cusparse_long_row"] / row) ** LONG_ROW_SHARPNESS)
    walk_s = (
        entries * row * p["cusparse_row_fs"] / (GIGA * MEGA) * (1 + p["cusparse_long_row_excess"] * longer)
    )
    return np.maximum(stream_s, walk_s), walk_s > stream_s


UNSTRUCTURED = KernelKind(
    shape=UnstructuredGemm,
    cost=unstructured_cost,
    flop=flop,
    operand_bytes=operand_bytes,
    multiplies_in=lambda shape, profile: runs_as(shape.precision, profile).math,
)
