"""The time of a grouped GEMM: every expert multiplies its own tokens, all experts in one kernel.

It is the tile model of a GEMM (`gemm.tiles`) with the rows of tiles of all experts, no splits of K, and the
weights of the experts that are hit. Times are microseconds and arrays float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from infersim.cost.experts.routing import Loads
from infersim.cost.gemm.tiles import K_STEP, MAX_CO_RESIDENT, SM_ELEMENTS
from infersim.cost.machine import F32, Machine, filled_waves

TILES: tuple[tuple[int, int], ...] = ((16, 64), (16, 128), (32, 128), (64, 128), (128, 128), (128, 256))
"""Output tiles (tokens of one expert, columns of its matrix) that grouped kernels choose from."""

SUSTAINED_US = 300.0
"""Time of multiplying at which the power limit has taken half of what it takes; set by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedGemm:
    """`n` columns from `k` values a row, bytes per value; `dram_us` is the time of what comes from memory."""

    n: F32
    k: F32
    activation_bytes: float
    weight_bytes: float
    dram_us: F32
    dequantises: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedTimes:
    """Microseconds of a grouped GEMM, and of its streams: multiplying, the chain along K, L2."""

    total_us: F32
    compute_us: F32
    chain_us: F32
    l2_us: F32


def rows_name(tile_m: int) -> str:
    """Parameter name of the log step time of tiles of so many rows, over what their size alone says."""
    return f"tile_{tile_m}"


def step_us(p: Mapping[str, float], machine: Machine, tile: tuple[int, int], *, dequantises: bool) -> float:
    """Microseconds that one SM multiplies for one step of K_STEP along K of one tile."""
    overhead = (1 + p["tile_overhead"] * (1 / tile[0] + 1 / tile[1])) * math.exp(p[rows_name(tile[0])])
    multiply = 2 * tile[0] * tile[1] * K_STEP / (machine.flop_per_us_per_sm * p["efficiency"]) * overhead
    if not dequantises:
        return multiply
    return multiply + tile[1] * K_STEP / (p["dequantise_per_clock_per_sm"] * machine.clock_mhz)


def grouped_times(
    p: Mapping[str, float], machine: Machine, gemm: GroupedGemm, loads: Loads, rows: Mapping[int, F32]
) -> GroupedTimes:
    """Time one grouped GEMM; `rows` are the loads' rows of tiles by `tile_m`."""
    ideal = loads.pairs * gemm.n * gemm.k * np.float32(2 / (machine.sm_count * machine.flop_per_us_per_sm))
    slower = 1 + np.float32(p["throttle"]) * ideal / (ideal + np.float32(SUSTAINED_US))
    best = [_candidate(p, machine, gemm, tile, rows[tile[0]], slower) for tile in TILES]
    fastest = np.stack([each[0] for each in best])
    # The expectation over candidates, weighed by their speed to the eighth power.
    speed = (fastest.min(axis=0) / fastest) ** np.float32(8)
    total = (speed * fastest).sum(axis=0) / speed.sum(axis=0)
    chosen = fastest.argmin(axis=0)
    at = np.arange(len(chosen))
    streams = [np.stack([each[i] for each in best])[chosen, at] for i in (1, 2, 3)]
    return GroupedTimes(total_us=total, compute_us=streams[0], chain_us=streams[1], l2_us=streams[2])


def _candidate(
    p: Mapping[str, float],
    machine: Machine,
    gemm: GroupedGemm,
    tile: tuple[int, int],
    rows: F32,
    slower: F32,
) -> tuple[F32, F32, F32, F32]:
    """Microseconds with one tile: in all, and of each stream."""
    load = rows * np.ceil(gemm.n * np.float32(1 / tile[1])) * np.float32(1 / machine.sm_count)
    depth = np.maximum(gemm.k * np.float32(1 / K_STEP), np.float32(0.5))
    step = np.float32(step_us(p, machine, tile, dequantises=gemm.dequantises))
    on_an_sm = min(max(SM_ELEMENTS / (tile[0] * tile[1]), 1.0), MAX_CO_RESIDENT)
    # Less than a wave counts as its share, as if few tiles were spread over more SMs. Fitted anew with at
    # least one wave, layers held out are 0.1 points further off in bf16 (A100, L40S) and 2.2 in fp8 (H100).
    compute = filled_waves(load, np.float32(p["wave_fill"])) * depth * step * slower
    rounds = np.ceil(load * np.float32(1 / on_an_sm))
    chain = rounds * depth * np.float32(p["chain_us"])
    l2_rate = p["l2_bytes_per_clock_per_sm"] * machine.clock_mhz
    step_bytes = K_STEP * (tile[0] * gemm.activation_bytes + tile[1] * gemm.weight_bytes)
    l2 = np.maximum(load, np.float32(1)) * depth * np.float32(step_bytes / l2_rate)
    busy = np.maximum(compute, chain) + rounds * np.float32(p["prologue_us"])
    total = np.sqrt(np.sqrt(busy**4 + l2**4 + gemm.dram_us**4))
    return total, compute, chain, l2


def tile_heights() -> tuple[int, ...]:
    """The distinct tile heights of TILES."""
    return tuple(sorted({tile_m for tile_m, _ in TILES}))
