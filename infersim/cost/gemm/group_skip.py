"""Latency of GEMMs whose groups of columns each token takes or leaves (token-level dynamic width).

Groups of output features (N: gate, up, q) or of input features (K: down, o) are masked token by token. Masks
are sorted group by group, so that the tokens of a group stand together, and tiles without any are left out:
the kernels `gemm_mn` and `gemm_k` of WIDE (arXiv 2607.28418, EIT-NLP/LLM-Pruning @091e46d).

- Up to VECTOR_TOKENS tokens a vector kernel reads the groups that are wanted, unsorted. A group is read if
  any token wants it.
- Beyond, each group is a GEMM of its own tokens, in whole tiles; the expected time is that of the dense GEMM
  of so many rows. Up to STREAMED_TOKENS tokens it is a stream of weights again.
- By groups of K, each group's tokens stand in an order of their own: its partial sums are added to the result
  in memory, group by group.
- By groups of N narrower than a tile, tiles are narrower: more operands for each product.

Defaults are one fit to the published points of an RTX 5090 (half of the groups skipped at random, groups of
128 and 512, replayed in a CUDA graph): 6 % median error of the speedup over the dense kernel, 8 % of curves
that were held out. The CuTe kernels exist for compute capability 8 and 12; other GPUs run the Triton ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import numpy as np

from infersim.cost.assembling import COMPUTE, L2, MEMORY, assemble, exposed_launch_s
from infersim.cost.gemm.gemm import GEMM, gemm_parameters, runs_as
from infersim.cost.gemm.mask_sort import VECTOR_TOKENS
from infersim.cost.kind import KernelKind
from infersim.cost.machine import kept_in_l2
from infersim.cost.parameters import OwnParameters, kind_parameters
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import Precision
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm, Shape

PARAMETERS = OwnParameters(
    name="group_skip",
    defaults={
        "l2_bytes_per_clock_per_sm": 8.8,
        "near_l2": 3.5,
        "l2_residency": 1.06,
        "residency_sharpness": 30.0,
        "partial_sums_per_clock_per_sm": 3.3,
        "triton_speed": 0.6,
        "triton_busy_speed": 0.91,
        "triton_vector_speed": 0.545,
    },
    uncalibrated=IntervalFit(by_regime={}, pair=0.2, outside=0.3),
)

STREAMED_TOKENS = 16
"""Set by hand, with the fit: up to so many tokens a kernel is a stream of weights."""

LARGEST_ROW_TILE, SMALLEST_ROW_TILE = 128.0, 16.0
TRITON_ROW_TILE = 256.0
"""The largest that Triton's kernels are tuned over; of small groups it leaves more of a tile empty."""

FULL_COLUMN_TILE = 128.0

NEAR: Mapping[str, float] = {"l2_residency": 0.5, "residency_sharpness": 16.0}
"""L2 stands in two halves, and what fits in one is kept in both, near to every SM. How sharp the edge is was
set by hand."""

ROOM_BYTES = 1e15
"""An L2 that holds any matrix: what is timed so is multiplying alone."""

CUTE_CAPABILITIES = ("8", "12")
"""Major compute capabilities that WIDE's CuTe kernels exist for."""


class GroupAxis(StrEnum):
    """Which features are grouped: those that a GEMM writes (N) or those that it reads (K)."""

    OUTPUT = "output"
    INPUT = "input"


class GroupKernels(StrEnum):
    """Whose kernels: WIDE's in CuTe, or what it keeps in Triton as a reference and fallback."""

    CUTE = "cute"
    TRITON = "triton"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupGemm(Shape):
    """A `Gemm` of which each of m tokens takes `kept` of the groups of `group` features along `axis`.

    `weight_copies` is that of a `Gemm`, with the same masks in each call; None is cold.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = ("m", "n", "k", "kept", "group")

    m: Numeric
    n: Numeric
    k: Numeric
    kept: Numeric
    group: Numeric
    axis: GroupAxis
    precision: Precision
    kernels: GroupKernels = GroupKernels.CUTE
    weight_copies: int | None = None


def wanted_share(m: Numeric, kept: Numeric) -> Array:
    """Expected share of groups, or of their weights, that any of m independent tokens takes."""
    return np.asarray(1.0 - (1.0 - as_array(kept)) ** as_array(m))


def expected_tiles(m: Array, kept: Array, rows: Array) -> Array:
    """Expected tiles of `rows` tokens for a group that each of m tokens takes with probability `kept`.

    On average half a tile (less half a token) is left empty; never more tiles than without a mask, never
    fewer than the chance that anybody takes the group.
    """
    filled = m * kept / rows + 0.5 * (1 - 1 / rows)
    return np.minimum(np.ceil(m / rows), np.maximum(wanted_share(m, kept), filled))


def flop(shape: GroupGemm) -> Array:
    """A multiply and an add for each product of a group that the token takes."""
    return 2.0 * as_array(shape.m) * shape.n * shape.k * shape.kept


def weight_bytes(shape: GroupGemm) -> Array:
    """Bytes of the groups that any token takes."""
    whole = as_array(shape.n) * shape.k * shape.precision.weight_bytes
    return whole * wanted_share(shape.m, shape.kept)


def operand_bytes(shape: GroupGemm) -> Array:
    """Weights of wanted groups, and what tokens read and write of activations."""
    read, written = as_array(shape.k), as_array(shape.n)
    if shape.axis is GroupAxis.OUTPUT:
        written = written * shape.kept
    else:
        read = read * shape.kept
    precision = shape.precision
    moved = read * precision.activation_bytes + written * precision.output_bytes
    return weight_bytes(shape) + as_array(shape.m) * moved


def group_gemm_cost(shape: GroupGemm, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of one launch; UnsupportedError if the GPU has no such tensor rate."""
    shape = replace(shape, precision=runs_as(shape.precision, profile))
    found, math = kind_parameters(profile, PARAMETERS), shape.precision.math
    gemm = gemm_parameters(profile, shape.precision).values
    triton = _runs_triton(shape, profile)
    stream_s, dram_s = _streams(shape, found.values, gemm["dram_efficiency"], profile)
    largest = TRITON_ROW_TILE if triton else LARGEST_ROW_TILE
    tiles_s = (_tiles_s(shape, largest, gemm, profile) ** 4 + dram_s**4) ** 0.25
    m, narrow = as_array(shape.m), stream_s
    tile_s = np.where(m <= STREAMED_TOKENS, np.minimum(stream_s, tiles_s), tiles_s)
    if triton:
        narrow = narrow / found.values["triton_vector_speed"]
        tile_s = tile_s / _triton_speed(shape, found.values, profile)
    sums_s = _partial_sums_s(shape, found.values, profile)
    kernel_s = np.where(m <= VECTOR_TOKENS, narrow, np.hypot(tile_s, sums_s))
    peak, weights = profile.bound_flop_per_s(math), weight_bytes(shape)
    limiter = np.where(dram_s >= kernel_s / 2, MEMORY, np.where(m <= STREAMED_TOKENS, L2, COMPUTE))
    return assemble(
        profile,
        found,
        error_group="group skip",
        flop=flop(shape),
        peak_flop_per_s=peak,
        matrix_floor_s=flop(shape) / peak,
        model_bytes=weights if shape.weight_copies is None else np.zeros_like(weights),
        kernel_bytes=operand_bytes(shape),
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(profile, kernel_s, gemm["launch_us"], 1, cuda_graph=cuda_graph),
        limiter=np.where(sums_s > tile_s, L2, limiter).astype(np.int8),
        log_half_width=found.interval.outside,
        in_range=np.asarray(False),
    )


def _runs_triton(shape: GroupGemm, profile: HardwareProfile) -> bool:
    major = profile.compute_capability.split(".")[0]
    return shape.kernels is GroupKernels.TRITON or major not in CUTE_CAPABILITIES


def _streams(
    shape: GroupGemm, p: Mapping[str, float], dram_efficiency: float, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Seconds to stream the weights of wanted groups, and those of memory's part in it."""
    weights = weight_bytes(shape)
    missed, at_all = weights, np.maximum(weights, 1.0)
    if shape.weight_copies is not None:
        missed = weights * (1 - kept_in_l2(p, profile.chip.l2_bytes, shape.weight_copies * at_all))
    near = kept_in_l2(NEAR, profile.chip.l2_bytes, at_all)
    rate = p["l2_bytes_per_clock_per_sm"] * (1 + (p["near_l2"] - 1) * near) * profile.chip.clocks_per_s
    dram_s = missed / (dram_efficiency * profile.memory.bandwidth_bytes_per_s)
    return ((weights / rate) ** 4 + dram_s**4) ** 0.25, dram_s


def _triton_speed(shape: GroupGemm, p: Mapping[str, float], profile: HardwareProfile) -> Array:
    """Speed of Triton's tiles: less with fewer tiles than SMs, where K has to be split."""
    full = as_array(LARGEST_ROW_TILE)
    tiles = expected_tiles(as_array(shape.m), as_array(shape.kept), full) * shape.n / FULL_COLUMN_TILE
    busy = np.minimum(tiles / profile.chip.sm_count, 1.0)
    return p["triton_speed"] + (p["triton_busy_speed"] - p["triton_speed"]) * busy


def _tiles_s(
    shape: GroupGemm, largest_tile: float, gemm: Mapping[str, float], profile: HardwareProfile
) -> Array:
    """Seconds of the tiles that are left, weights in L2: the faster of the two row tiles that are tuned over.

    A GEMM of whole tiles between the expected number's neighbours is a mean of theirs.
    """
    m = np.maximum(as_array(shape.m), 1.0)
    kept = as_array(shape.kept)
    largest = np.clip(2.0 ** np.ceil(np.log2(m)), SMALLEST_ROW_TILE, largest_tile)
    times = []
    for rows in (largest, np.maximum(largest / 2, SMALLEST_ROW_TILE)):
        tiles = np.maximum(expected_tiles(m, kept, rows), 1.0)
        fewer = np.floor(tiles)
        part = tiles - fewer
        low, high = (
            _resident_s(shape, np.minimum(count * rows, m), profile) for count in (fewer, np.ceil(tiles))
        )
        times.append((1 - part) * low + part * high + _narrower_s(shape, tiles * rows, gemm, profile))
    return np.minimum(*times)


def _resident_s(shape: GroupGemm, rows: Array, profile: HardwareProfile) -> Array:
    """Seconds of the dense GEMM of so many tokens on the GPU with room for all weights in L2."""
    roomy = replace(profile, chip=replace(profile.chip, l2_bytes=ROOM_BYTES))
    n, k = np.broadcast_arrays(as_array(shape.n), as_array(shape.k))
    gemm = Gemm(m=rows, n=n, k=k, precision=shape.precision, weight_copies=1)
    return GEMM.cost(gemm, roomy, cuda_graph=True).kernel_s


def _narrower_s(shape: GroupGemm, rows: Array, gemm: Mapping[str, float], profile: HardwareProfile) -> Array:
    """Seconds that tiles as narrow as a group of N cost beyond full ones: overhead, and operands from L2."""
    columns = np.minimum(as_array(shape.group), FULL_COLUMN_TILE)
    if shape.axis is GroupAxis.INPUT or np.all(columns >= FULL_COLUMN_TILE):
        return np.zeros(np.broadcast_shapes(rows.shape, columns.shape))
    rate = profile.datasheet_flop_per_s(shape.precision.math)
    fetched = gemm["l2_bytes_per_clock_per_sm"] * profile.chip.clocks_per_s

    def a_flop_s(width: Numeric) -> Array:
        edges = 1 / LARGEST_ROW_TILE + 1 / as_array(width)
        overhead = (1 + gemm["tile_overhead"] * edges) / (rate * gemm["efficiency"])
        operands = edges * shape.precision.activation_bytes / 2 / fetched
        return (overhead**4 + operands**4) ** 0.25

    work = 2.0 * rows * shape.n * shape.k
    return work * (a_flop_s(columns) - a_flop_s(FULL_COLUMN_TILE))


def _partial_sums_s(shape: GroupGemm, p: Mapping[str, float], profile: HardwareProfile) -> Array:
    """Seconds to add the partial sums of each group of K to the result; none by groups of N."""
    if shape.axis is GroupAxis.OUTPUT:
        return np.zeros(())
    groups = np.ceil(as_array(shape.k) / shape.group)
    sums = as_array(shape.m) * shape.kept * groups * shape.n
    return sums / (p["partial_sums_per_clock_per_sm"] * profile.chip.clocks_per_s)


GROUP_GEMM = KernelKind(
    shape=GroupGemm,
    cost=group_gemm_cost,
    flop=flop,
    operand_bytes=operand_bytes,
    multiplies_in=lambda shape, profile: runs_as(shape.precision, profile).math,
)
