"""Cost of routed expert layers: tokens go to their experts, two grouped GEMMs, and rows come back.

One layer is several kernels: top-k and sorting, rows gathered (and narrowed), up and gate, activation, down,
rows added up. What their starts take together is the launch; each row that is moved costs its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, COMPUTE, L2, MEMORY, assemble, exposed_launch_s
from infersim.cost.experts.grouped import GroupedGemm, grouped_times, tile_heights
from infersim.cost.experts.parameters import EXPERTS_PARAMETERS
from infersim.cost.experts.routing import Loads, Routing, loads_of
from infersim.cost.experts.work import (
    experts_flop,
    extent_of,
    flat,
    flat_routing,
    flop_of,
    matrices,
    operand_bytes,
    row_bytes,
    weight_bytes_of,
)
from infersim.cost.gemm.gemm import machine_of, runs_as
from infersim.cost.kind import KernelKind
from infersim.cost.machine import F32, Machine, kept_in_l2
from infersim.cost.parameters import KindParameters, kind_parameters, stand_ins_of
from infersim.cost.regimes import EXPERT_REGIMES, expert_regime, regime_widths
from infersim.cost.residual import residual_correction, trust_when_cold
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import Precision
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Experts

ALIGNMENT = 16
"""Values of a row that kernels load at once: where the width is no multiple, down takes slower loads."""

CHUNK = 8192
"""Layers that are timed at once."""

KERNELS = 7
"""Of a layer where the host issues them one by one: top-k, sorting, gathering, two GEMMs, activation, sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Layers, one after the other: hidden size, width, and where their tokens go."""

    hidden: F32
    width: F32
    routing: Routing

    def part(self, chunk: slice) -> _Rows:
        return _Rows(hidden=self.hidden[chunk], width=self.width[chunk], routing=self.routing.part(chunk))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    total_us: F32
    pairs: F32
    hits: F32
    limiter: npt.NDArray[np.int8]


def _rows_of(shape: Experts) -> tuple[_Rows, tuple[int, ...]]:
    extent = extent_of(shape)
    hidden, width = (flat(side, extent) for side in (shape.hidden, shape.width))
    return _Rows(hidden=hidden, width=width, routing=flat_routing(shape)), extent


def experts_cost(shape: Experts, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of the routed experts of one layer; UnsupportedError if the GPU has no such tensor rate."""
    shape = replace(shape, precision=experts_run_as(shape.precision, profile))
    math = shape.precision.math
    peak = profile.bound_flop_per_s(math)
    parameters = experts_parameters(profile, shape.precision)
    rows, extent = _rows_of(shape)
    timed = _timed(parameters, machine_of(profile, math), shape, rows)
    pairs, hits = (each.astype(np.float64).reshape(extent) for each in (timed.pairs, timed.hits))
    flop, weights = flop_of(shape, pairs), weight_bytes_of(shape, hits)
    launch_us = parameters.values["launch_us"]
    kernel_s = np.maximum(timed.total_us - np.float32(launch_us), 0).astype(np.float64).reshape(extent) / MEGA
    half_width, in_range = _interval(parameters, shape, pairs, hits)
    return assemble(
        profile,
        parameters,
        error_group="experts",
        flop=flop,
        peak_flop_per_s=peak,
        matrix_floor_s=flop / peak,
        model_bytes=weights if shape.weight_copies is None else np.zeros_like(weights),
        kernel_bytes=weights + row_bytes(shape),
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(profile, kernel_s, launch_us / KERNELS, KERNELS, cuda_graph=cuda_graph),
        limiter=timed.limiter.reshape(extent),
        log_half_width=half_width,
        in_range=in_range,
    )


def _timed(parameters: KindParameters, machine: Machine, shape: Experts, rows: _Rows) -> _Timed:
    """All layers, chunk by chunk so that every step stays in cache."""
    parts = [
        _part(parameters, machine, shape, rows.part(slice(start, start + CHUNK)))
        for start in range(0, len(rows.hidden), CHUNK)
    ]
    if not parts:
        empty = np.empty(0, dtype=np.float32)
        return _Timed(total_us=empty, pairs=empty, hits=empty, limiter=np.empty(0, dtype=np.int8))
    return _Timed(
        total_us=np.concatenate([part.total_us for part in parts]),
        pairs=np.concatenate([part.pairs for part in parts]),
        hits=np.concatenate([part.hits for part in parts]),
        limiter=np.concatenate([part.limiter for part in parts]),
    )


def _part(parameters: KindParameters, machine: Machine, shape: Experts, rows: _Rows) -> _Timed:
    p, precision = parameters.values, shape.precision
    loads = loads_of(rows.routing)
    pairs, hits = loads.pairs, loads.hits
    weight = hits * rows.hidden * rows.width * np.float32(matrices(shape) * precision.weight_bytes)
    moved = moved_bytes(p, shape, rows.hidden, rows.width, rows.routing, pairs)
    cold = np.ones_like(weight)
    if shape.weight_copies is not None:
        cold = 1 - kept_in_l2(p, machine.l2_bytes, shape.weight_copies * weight + moved)
    dram_us = weight * cold * np.float32(1 / (machine.dram_bytes_per_us * p["dram_efficiency"]))
    up, down = _gemms(shape, rows, dram_us)
    tiles = {tile_m: loads.rows_of_tiles(tile_m) for tile_m in tile_heights()}
    first, second = (grouped_times(p, machine, gemm, loads, tiles) for gemm in (up, down))
    row_us = rows_us(p, machine, rows.routing, moved)
    rough = np.where(rows.width % np.float32(ALIGNMENT) != 0, np.float32(p["misaligned"]), np.float32(0))
    total = first.total_us + second.total_us * (1 + rough) + row_us + np.float32(p["launch_us"])
    total += np.float32(p["expert_us"]) * rows.routing.local
    if parameters.fit is not None and parameters.fit.residuals:
        features = experts_features(rows.hidden, rows.width, rows.routing, loads)
        correction = residual_correction(parameters.fit.residuals, features)
        if shape.weight_copies is None and parameters.fit.weight_copies is not None:
            trust = trust_when_cold(p, machine.l2_bytes, parameters.fit.weight_copies * weight)
            correction = np.where(correction < 0, correction * trust, correction)
        total *= np.exp(correction)
    streams = np.stack(
        (
            first.compute_us + second.compute_us,
            first.chain_us + second.chain_us,
            first.l2_us + second.l2_us + row_us,
            dram_us,
        )
    )
    codes = np.array([COMPUTE, CHAIN, L2, MEMORY], dtype=np.int8)
    return _Timed(total_us=total, pairs=pairs, hits=hits, limiter=codes[streams.argmax(axis=0)])


def _gemms(shape: Experts, rows: _Rows, dram_us: F32) -> tuple[GroupedGemm, GroupedGemm]:
    """Up and gate together, then down; each reads its share of the weights."""
    precision = shape.precision
    wide = matrices(shape) - 1
    share = np.float32(1 / (wide + 1))
    up = GroupedGemm(
        n=rows.width * np.float32(wide),
        k=rows.hidden,
        activation_bytes=precision.activation_bytes,
        weight_bytes=precision.weight_bytes,
        dram_us=dram_us * (share * np.float32(wide)),
        dequantises=precision.dequantises,
    )
    down = GroupedGemm(
        n=rows.hidden,
        k=rows.width,
        activation_bytes=precision.activation_bytes,
        weight_bytes=precision.weight_bytes,
        dram_us=dram_us * share,
        dequantises=precision.dequantises,
    )
    return up, down


def moved_bytes(
    p: Mapping[str, float], shape: Experts, hidden: F32, width: F32, routing: Routing, pairs: F32
) -> F32:
    """Bytes of rows that go to experts, through the activation and back.

    Kernels pass over the pairs of experts that stand elsewhere too, by `remote_share`.
    """
    precision, wide = shape.precision, matrices(shape) - 1
    remote = np.maximum(routing.tokens * routing.top_k - pairs, 0)
    of_pairs = pairs + np.float32(p["remote_share"]) * remote
    gathered = hidden * np.float32(p["gather_share"] * (2.0 + precision.activation_bytes))
    activated = width * np.float32(2.0 * wide + precision.activation_bytes)
    summed = hidden * np.float32(2.0 * precision.output_bytes)
    result: F32 = of_pairs * (gathered + activated + summed) + routing.tokens * hidden * np.float32(4.0)
    return result


def rows_us(p: Mapping[str, float], machine: Machine, routing: Routing, moved: F32) -> F32:
    """Microseconds of the kernels that move rows: sorting pairs, and bytes through L2 or from memory."""
    l2_rate = machine.sm_count * machine.clock_mhz * p["row_bytes_per_clock_per_sm"]
    missed = np.maximum(moved - np.float32(p["row_residency"] * machine.l2_bytes), 0)
    dram_us = missed * np.float32(1 / (machine.dram_bytes_per_us * p["row_dram_efficiency"]))
    sorting = routing.tokens * routing.top_k * np.float32(p["pair_ns"] / 1e3)
    result: F32 = np.maximum(moved * np.float32(1 / l2_rate), dram_us) + sorting
    return result


EXPERTS_AXES: tuple[str, ...] = (
    "log2 tokens an expert",
    "log2 hit experts",
    "log2 width",
    "log2 hidden",
    "log2 gpus",
)
"""Names of `experts_features`, which the axes of residual grids bear."""


def experts_features(hidden: F32, width: F32, routing: Routing, loads: Loads) -> Mapping[str, F32]:
    """What the residual may depend on: tokens that an expert gets, experts that are hit, and sizes."""
    mean = routing.tokens * routing.top_k / routing.num_experts
    return {
        "log2 tokens an expert": np.log2(mean),
        "log2 hit experts": np.log2(np.maximum(loads.hits, np.float32(1))),
        "log2 width": np.log2(width),
        "log2 hidden": np.log2(hidden),
        "log2 gpus": np.log2(routing.num_experts / routing.local),
    }


def _interval(
    parameters: KindParameters, shape: Experts, pairs: Array, hits: Array
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Half-width of each layer's 80 % interval, and whether it lies in the calibrated range."""
    outside = parameters.interval.outside
    if parameters.fit is None or not parameters.exact:
        return np.full(pairs.shape, outside), np.zeros(pairs.shape, dtype=np.bool_)
    widths = regime_widths(parameters.interval.by_regime, EXPERT_REGIMES, outside)
    in_range = np.ones(pairs.shape, dtype=np.bool_)
    for name, (low, high) in parameters.fit.ranges.items():
        value = as_array(getattr(shape, name))
        in_range = in_range & (value >= low) & (value <= high)
    width = widths[expert_regime(pairs, hits)]
    return np.where(in_range, width, np.maximum(width, outside)), in_range


WEIGHT_ONLY = ("mxfp4",)
"""Formats whose experts are run with activations of 16 bit on every GPU (vLLM's kernels for gpt-oss)."""


def experts_run_as(precision: Precision, profile: HardwareProfile) -> Precision:
    """What a GPU makes of a format of experts: weight-only where it has no units for it, or no kernels."""
    return precision.widened() if precision.name in WEIGHT_ONLY else runs_as(precision, profile)


def experts_parameters(profile: HardwareProfile, precision: Precision) -> KindParameters:
    """The parameters of expert layers in a format as the GPU runs it (`experts_run_as`)."""
    return kind_parameters(profile, EXPERTS_PARAMETERS, precision.fitted_as, stand_ins_of(precision))


def _fitted_as(shape: Experts, profile: HardwareProfile) -> str:
    precision = experts_run_as(shape.precision, profile)
    found = experts_parameters(profile, precision)
    return f"{EXPERTS_PARAMETERS.name}.{found.fitted_as or precision.fitted_as}"


EXPERTS = KernelKind(
    shape=Experts,
    cost=experts_cost,
    flop=experts_flop,
    operand_bytes=operand_bytes,
    multiplies_in=lambda shape, profile: experts_run_as(shape.precision, profile).math,
    fitted_as=_fitted_as,
)
