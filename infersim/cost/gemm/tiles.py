"""The tile model of a GEMM: candidates of (tile, split of K), each timed by its slowest stream.

Times are in microseconds and arrays in float32. This is the one hot loop of the package, so it writes into
buffers instead of making arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.cost.machine import (
    F32,
    Machine,
    Operands,
    at_least_one,
    filled_waves,
    kept_in_l2,
    resident_share,
)
from infersim.cost.parameters import TILES, tile_name
from infersim.domain.arrays import Array

SPLITS = (1, 2, 4, 8, 16)
K_STEP = 64.0
"""Depth along K that a tile multiplies between two synchronisations."""

BLOCK = 1536
"""Shapes of which all candidates are timed at once: the buffers of so many stay in a core's L2 of 1 MiB."""

CHUNK = 8 * BLOCK
"""Shapes to evaluate at once."""

SM_ELEMENTS = 128 * 256
"""Output elements whose accumulators fill an SM: smaller tiles share it, up to MAX_CO_RESIDENT."""

MAX_CO_RESIDENT = 4.0
REREAD_TILE = 128.0
"""Edge of the tiles by which passes over the weights are counted."""

SUSTAINED_US = 200.0
"""Busy time from which a GPU settles at the clock that its power limit allows."""


UNSPLIT_MAX_M = 16
UNSPLIT_MULTIPLIES = 2.0**21
UNSPLIT_K = 10240
"""Tokens, multiply-adds and K up to which a library may leave a narrow GEMM in one piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to run a GEMM: an output tile, and the parts that K is split into."""

    tile_m: int
    tile_n: int
    split: int


CANDIDATES: tuple[Candidate, ...] = tuple(
    Candidate(tile_m=tile_m, tile_n=tile_n, split=split) for tile_m, tile_n in TILES for split in SPLITS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileTimes:
    """One value a shape: expected microseconds without launch, those of DRAM alone, and the best candidate.

    `total_us` is the expectation over candidates; `best` is the index of the fastest in CANDIDATES.
    """

    total_us: F32
    dram_us: F32
    best: npt.NDArray[np.int8]


def dram_us(p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, k: F32) -> F32:
    """Microseconds to move what misses L2: weights that are not resident, activations that do not fit."""
    weight = n * k * np.float32(operands.weight_bytes)
    read = m * k * np.float32(operands.activation_bytes)
    written = m * n * np.float32(operands.output_bytes)
    capacity = np.float32(p["l2_residency"] * machine.l2_bytes)
    touched = (operands.weight_copies or 1) * weight + read + written
    missed = weight * (1 - resident_share(p, machine, operands, touched))
    missed += np.maximum(read - capacity, 0) + np.maximum(written - capacity, 0)
    if operands.weight_reread:
        missed += np.float32(operands.weight_reread) * _read_again(p, machine, operands, m, n, weight)
    missed *= np.float32(1 / (machine.dram_bytes_per_us * p["dram_efficiency"]))
    result: F32 = missed
    return result


def _read_again(
    p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, weight: F32
) -> F32:
    """Bytes of weights beyond L2 that a kernel reads again which keeps no order of tiles for the sake of L2.

    Tiles of 128 x 128 are worked on along N first. What runs at a time, `tiles_per_sm` on each SM, covers so
    many rows of tiles of M, at least one, and the next ones find nothing of the weights left.
    """
    rows = np.ceil(m * np.float32(1 / REREAD_TILE))
    columns = np.ceil(n * np.float32(1 / REREAD_TILE))
    at_a_time = np.float32(1 / (machine.sm_count * operands.tiles_per_sm))
    passes = rows * np.minimum(columns * at_a_time, np.float32(1))
    again: F32 = weight * np.maximum(passes - 1, 0) * (1 - kept_in_l2(p, machine.l2_bytes, weight))
    return again


def step_us(p: Mapping[str, float], machine: Machine, tile: tuple[int, int]) -> float:
    """Microseconds that one SM multiplies for one step of K_STEP along K of one tile."""
    overhead = (1 + p["tile_overhead"] * (1 / tile[0] + 1 / tile[1])) * math.exp(p[tile_name(tile)])
    rate = machine.flop_per_us_per_sm * p["efficiency"]
    return 2 * tile[0] * tile[1] * K_STEP / rate * overhead


def dequantise_us(
    p: Mapping[str, float], machine: Machine, operands: Operands, tile: tuple[int, int]
) -> float:
    """Microseconds in which one SM widens the weights of one step of K_STEP along K of one tile."""
    if not operands.dequantises:
        return 0.0
    return tile[1] * K_STEP / (p["dequantise_per_clock_per_sm"] * machine.clock_mhz)


def sustained_slowdown(p: Mapping[str, float], ideal_us: F32) -> F32:
    """How much longer a step takes once the power limit sets the clock."""
    slowdown: F32 = 1 + np.float32(p["throttle"]) * ideal_us / (ideal_us + np.float32(SUSTAINED_US))
    return slowdown


LEAST_OF_VALUES = math.log(295 / 258) / 2
"""Half of what zeros gain over random values on an A100 (thonking.ai, 2024)."""

VALUES_US = 6_000.0
"""Time at the datasheet's rate of GEMMs whose clock depends by half on what values their operands hold.

A stated guess, chosen so that the 29.1 ms of CUTLASS's profiler on A100 lie inside the interval.
"""


def values_half_width(p: Mapping[str, float], ideal_us: Array) -> Array:
    """80 % half-width of the log time of a long GEMM for what values its operands hold.

    Values that flip few bits draw less power and run at the full clock: random ones reach 258 TFLOP/s on A100
    (8192 x 8192 x 8192), zeros 295 (thonking.ai, 2024); CUTLASS's profiler, which fills in small integers,
    302 (16384 x 16384 x 16384, NVIDIA/cutlass issue 408).
    """
    width: Array = max(math.log1p(p["throttle"]), LEAST_OF_VALUES) * ideal_us / (ideal_us + VALUES_US)
    return width


def _never_split(m: F32, n: F32, k: F32) -> npt.NDArray[np.bool_]:
    """Where a library multiplies a few tokens by a narrow matrix in one piece, however long K is.

    On Ada and on Blackwell with GDDR, measured times of 2 to 16 tokens are linear in K below these limits,
    and fall several times where a limit is crossed and K is split.
    """
    few_tokens = (m > 1) & (m <= UNSPLIT_MAX_M)
    narrow: npt.NDArray[np.bool_] = few_tokens & (m * n * k < UNSPLIT_MULTIPLIES) & (k < UNSPLIT_K)
    return narrow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What depends on the candidate alone: arrays of tiles x 1 x 1 or 1 x splits x 1, that broadcast."""

    step_us: F32
    epilogue_us: F32
    l2_step_us: F32
    per_co_resident: F32
    per_tile_m: F32
    per_tile_n: F32
    fixed_us: F32


def _columns(p: Mapping[str, float], machine: Machine, operands: Operands) -> _Columns:
    l2_rate = p["l2_bytes_per_clock_per_sm"] * machine.clock_mhz
    epilogue_rate = p["epilogue_bytes_per_clock_per_sm"] * machine.clock_mhz
    step_bytes = _TILE_M * operands.activation_bytes + _TILE_N * operands.weight_bytes
    split_us = np.where(_SPLIT > 1, np.float32(p["split_k_us"]), np.float32(0))
    return _Columns(
        step_us=_by_tile(
            np.array(
                [step_us(p, machine, tile) + dequantise_us(p, machine, operands, tile) for tile in TILES]
            )
        ),
        epilogue_us=_by_tile(_TILE_M * _TILE_N * operands.output_bytes / epilogue_rate),
        l2_step_us=_by_tile(K_STEP * step_bytes / l2_rate),
        per_co_resident=_by_tile(1 / np.clip(SM_ELEMENTS / (_TILE_M * _TILE_N), 1.0, MAX_CO_RESIDENT)),
        per_tile_m=_by_tile(1 / _TILE_M),
        per_tile_n=_by_tile(1 / _TILE_N),
        fixed_us=np.float32(p["launch_us"]) + split_us,
    )


def _by_tile(values: npt.NDArray[np.float64]) -> F32:
    return values.astype(np.float32)[:, np.newaxis, np.newaxis]


_TILE_M, _TILE_N = (np.array([tile[axis] for tile in TILES], dtype=np.float64) for axis in (0, 1))
_SPLIT = np.array(SPLITS, dtype=np.float32)[np.newaxis, :, np.newaxis]
_FROM_LAST = np.arange(len(CANDIDATES), 0, -1, dtype=np.uint8)[:, np.newaxis]
_PER_DEPTH = (1 / (K_STEP * np.array(SPLITS))).astype(np.float32)[np.newaxis, :, np.newaxis]


def tile_times(
    p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, k: F32
) -> TileTimes:
    """Time shapes: 1-D float32 arrays of one length, best no longer than CHUNK."""
    launch = np.float32(p["launch_us"])
    dram = dram_us(p, machine, operands, m, n, k)
    ideal = m * n * k * np.float32(2 / (machine.sm_count * machine.flop_per_us_per_sm))
    columns = _columns(p, machine, operands)
    expected, best = np.empty_like(m), np.empty(len(m), dtype=np.int8)
    for start in range(0, len(m), BLOCK):
        block = slice(start, start + BLOCK)
        expected[block], best[block] = _over_candidates(
            p, machine, columns, m[block], n[block], k[block], dram[block], ideal[block]
        )
    vector_rate = machine.sm_count * p["gemv_bytes_per_clock_per_sm"] * machine.clock_mhz
    vector = p["gemv_launch_us"] + np.maximum(dram, n * k * np.float32(operands.weight_bytes / vector_rate))
    np.minimum(expected, vector, out=expected, where=m <= operands.vector_tokens)
    unsplit = k * np.float32(p["unsplit_chain_us"] / K_STEP) + launch
    np.maximum(expected, unsplit, out=expected, where=_never_split(m, n, k))
    return TileTimes(total_us=np.maximum(expected - launch, 0), dram_us=dram, best=best)


def _over_candidates(
    p: Mapping[str, float],
    machine: Machine,
    columns: _Columns,
    m: F32,
    n: F32,
    k: F32,
    dram: F32,
    ideal: F32,
) -> tuple[F32, npt.NDArray[np.uint8]]:
    """Expected microseconds with launch, and the fastest candidate; axes inside: tiles x splits x shapes."""
    depth = np.maximum(k * _PER_DEPTH, np.float32(0.5))
    # Waves of tiles: less than one takes as long as one.
    tiles = np.ceil(m * columns.per_tile_m) * np.ceil(n * columns.per_tile_n)
    load = np.multiply(tiles, np.float32(1 / machine.sm_count) * _SPLIT)
    at_least_one(load, out=load)
    work, buffer = np.empty_like(load), np.empty_like(load)
    waves = filled_waves(load, np.float32(p["wave_fill"]), buffer=buffer)
    # Multiplying in waves, or the chain of dependent steps along K if that is longer.
    np.multiply(depth, sustained_slowdown(p, ideal) * columns.step_us, out=work)
    np.add(work, columns.epilogue_us, out=work)
    np.multiply(work, waves, out=work)
    np.multiply(load, columns.per_co_resident, out=buffer)
    np.ceil(buffer, out=buffer)
    busy = np.multiply(buffer, depth * np.float32(p["chain_us"]), out=waves)
    np.maximum(busy, work, out=busy)
    np.multiply(buffer, np.float32(p["prologue_us"]), out=buffer)
    np.add(busy, buffer, out=busy)
    # Operand tiles through L2, by the SMs in use.
    np.multiply(load, depth, out=load)
    np.multiply(load, columns.l2_step_us, out=load)
    # The three streams overlap: the 4-norm of their times.
    for stream in (busy, load):
        np.square(stream, out=stream)
        np.square(stream, out=stream)
    np.add(busy, load, out=busy)
    np.add(busy, np.square(np.square(dram)), out=busy)
    np.sqrt(busy, out=busy)
    np.sqrt(busy, out=busy)
    np.add(busy, columns.fixed_us, out=busy)
    # Weight of a candidate: its speed to the eighth power.
    speed = np.divide(np.maximum(ideal, dram) + np.float32(p["launch_us"]), busy, out=buffer)
    for _ in range(3):
        np.square(speed, out=speed)
    flat = (len(CANDIDATES), len(m))
    speed, busy = speed.reshape(flat), busy.reshape(flat)
    # The first of the fastest; along this axis argmax is ten times as slow.
    fastest = (speed == speed.max(axis=0)).view(np.uint8)
    best = len(CANDIDATES) - (fastest * _FROM_LAST).max(axis=0)
    weights = speed.sum(axis=0)
    np.multiply(speed, busy, out=busy)
    expected: F32 = busy.sum(axis=0) / weights
    return expected, best
