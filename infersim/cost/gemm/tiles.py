"""The tile model of a GEMM: candidates of (tile, split of K), each timed by its slowest stream.

Times are in microseconds and arrays in float32. This is the one hot loop of the package, so it writes into
buffers instead of making arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.cost.machine import F32, Machine, Operands, filled_waves, kept_in_l2, resident_share, waves_of
from infersim.cost.parameters import TILES, tile_name

SPLITS = (1, 2, 4, 8, 16)
K_STEP = 64.0
"""Depth along K that a tile multiplies between two synchronisations."""

CHUNK = 16384
"""Shapes to evaluate at once: the buffers of so many fit in a core's L2 cache."""

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
        missed += np.float32(operands.weight_reread) * _read_again(p, machine, weight, read, m, n)
    missed *= np.float32(1 / (machine.dram_bytes_per_us * p["dram_efficiency"]))
    result: F32 = missed
    return result


def _read_again(
    p: Mapping[str, float], machine: Machine, weight: F32, activations: F32, m: F32, n: F32
) -> F32:
    """Bytes beyond L2 that a kernel reads again which keeps no order of tiles for the sake of L2.

    Waves of 128x128 tiles walk along N and read the weights anew for each, or along M and read the
    activations; a narrow side leaves room for several passes in one wave. The library takes the cheaper way.
    """
    rows = np.ceil(m * np.float32(1 / REREAD_TILE))
    columns = np.ceil(n * np.float32(1 / REREAD_TILE))
    along_n = rows * np.minimum(columns * np.float32(1 / machine.sm_count), np.float32(1))
    along_m = columns * np.minimum(rows * np.float32(1 / machine.sm_count), np.float32(1))
    again: F32 = np.minimum(
        weight * np.maximum(along_n - 1, 0) * (1 - kept_in_l2(p, machine.l2_bytes, weight)),
        activations * np.maximum(along_m - 1, 0) * (1 - kept_in_l2(p, machine.l2_bytes, activations)),
    )
    return again


def step_us(p: Mapping[str, float], machine: Machine, tile: tuple[int, int]) -> float:
    """Microseconds that one SM multiplies for one step of K_STEP along K of one tile."""
    overhead = (1 + p["tile_overhead"] * (1 / tile[0] + 1 / tile[1])) * float(np.exp(p[tile_name(tile)]))
    rate = machine.flop_per_us_per_sm * p["efficiency"]
    return 2 * tile[0] * tile[1] * K_STEP / rate * overhead


def sustained_slowdown(p: Mapping[str, float], ideal_us: F32) -> F32:
    """How much longer a step takes once the power limit sets the clock."""
    slowdown: F32 = 1 + np.float32(p["throttle"]) * ideal_us / (ideal_us + np.float32(SUSTAINED_US))
    return slowdown


def _never_split(m: F32, n: F32, k: F32) -> npt.NDArray[np.bool_]:
    """Where a library multiplies a few tokens by a narrow matrix in one piece, however long K is.

    On Ada and on Blackwell with GDDR, measured times of 2 to 16 tokens are linear in K below these limits,
    and fall several times where a limit is crossed and K is split.
    """
    few_tokens = (m > 1) & (m <= UNSPLIT_MAX_M)
    narrow: npt.NDArray[np.bool_] = few_tokens & (m * n * k < UNSPLIT_MULTIPLIES) & (k < UNSPLIT_K)
    return narrow


def tile_times(
    p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, k: F32
) -> TileTimes:
    """Time shapes: 1-D float32 arrays of one length, best no longer than CHUNK."""
    l2_rate = p["l2_bytes_per_clock_per_sm"] * machine.clock_mhz
    epilogue_rate = p["epilogue_bytes_per_clock_per_sm"] * machine.clock_mhz
    launch, fill = np.float32(p["launch_us"]), np.float32(p["wave_fill"])
    prologue = np.float32(p["prologue_us"])

    dram = dram_us(p, machine, operands, m, n, k)
    dram_4 = np.square(np.square(dram))
    ideal = m * n * k * np.float32(2 / (machine.sm_count * machine.flop_per_us_per_sm))
    slowdown = sustained_slowdown(p, ideal)
    fastest_possible = np.maximum(ideal, dram) + launch
    depths = [np.maximum(k * np.float32(1 / (K_STEP * split)), np.float32(0.5)) for split in SPLITS]
    chains = [depth * np.float32(p["chain_us"]) for depth in depths]

    times, weights = np.zeros_like(m), np.zeros_like(m)
    best, best_weight = np.zeros(len(m), dtype=np.int8), np.zeros_like(m)
    step, load, waves, work, busy, buffer = (np.empty_like(m) for _ in range(6))
    is_better = np.empty(len(m), dtype=np.bool_)
    for tile_index, tile in enumerate(TILES):
        np.multiply(slowdown, np.float32(step_us(p, machine, tile)), out=step)
        epilogue = np.float32(tile[0] * tile[1] * operands.output_bytes / epilogue_rate)
        step_bytes = tile[0] * operands.activation_bytes + tile[1] * operands.tile_weight_bytes
        l2_step = np.float32(K_STEP * step_bytes / l2_rate)
        co_resident = min(max(SM_ELEMENTS / (tile[0] * tile[1]), 1.0), MAX_CO_RESIDENT)
        single = waves_of(tile, machine, m, n)
        for split_index, split in enumerate(SPLITS):
            depth = depths[split_index]
            # Waves of tiles.
            np.multiply(single, np.float32(split), out=load)
            filled_waves(load, fill, out=waves, buffer=buffer)
            # Multiplying in waves, or the chain of dependent steps along K if that is longer.
            np.multiply(depth, step, out=work)
            np.add(work, epilogue, out=work)
            np.multiply(work, waves, out=work)
            np.multiply(load, np.float32(1 / co_resident), out=buffer)
            np.ceil(buffer, out=buffer)
            np.multiply(buffer, chains[split_index], out=busy)
            np.maximum(busy, work, out=busy)
            np.multiply(buffer, prologue, out=buffer)
            np.add(busy, buffer, out=busy)
            # Operand tiles through L2, by the SMs in use.
            np.maximum(load, np.float32(1), out=load)
            np.multiply(load, depth, out=load)
            np.multiply(load, l2_step, out=load)
            # The three streams overlap: the 4-norm of their times.
            for stream in (busy, load):
                np.square(stream, out=stream)
                np.square(stream, out=stream)
            np.add(busy, load, out=busy)
            np.add(busy, dram_4, out=busy)
            np.sqrt(busy, out=busy)
            np.sqrt(busy, out=busy)
            np.add(busy, launch + np.float32(p["split_k_us"] if split > 1 else 0.0), out=busy)
            # Weight of a candidate: its speed to the eighth power.
            np.divide(fastest_possible, busy, out=buffer)
            np.square(buffer, out=buffer)
            np.square(buffer, out=buffer)
            np.square(buffer, out=buffer)
            np.greater(buffer, best_weight, out=is_better)
            np.copyto(best, np.int8(tile_index * len(SPLITS) + split_index), where=is_better)
            np.maximum(best_weight, buffer, out=best_weight)
            np.add(weights, buffer, out=weights)
            np.multiply(buffer, busy, out=buffer)
            np.add(times, buffer, out=times)
    expected = times / weights
    vector_rate = machine.sm_count * p["gemv_bytes_per_clock_per_sm"] * machine.clock_mhz
    vector = p["gemv_launch_us"] + np.maximum(dram, n * k * np.float32(operands.weight_bytes / vector_rate))
    np.minimum(expected, vector, out=expected, where=m == 1)
    unsplit = k * np.float32(p["unsplit_chain_us"] / K_STEP) + launch
    np.maximum(expected, unsplit, out=expected, where=_never_split(m, n, k))
    return TileTimes(total_us=np.maximum(expected - launch, 0), dram_us=dram, best=best)
