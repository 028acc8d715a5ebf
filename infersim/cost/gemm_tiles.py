"""The tile model of a GEMM: candidates of (tile, split of K), each timed by its slowest stream.

Times are in microseconds and arrays in float32, in chunks that stay in the processor's cache: this is the
one hot loop of the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from infersim.cost.parameters import TILES, tile_name

F32: TypeAlias = npt.NDArray[np.float32]

SPLITS = (1, 2, 3, 4, 6, 8, 16)
K_STEP = 64.0
"""Depth along K that a tile multiplies between two synchronisations."""

CHUNK = 8192
"""Shapes evaluated at once: the temporaries of a chunk fit in a core's L2 cache."""

SM_ELEMENTS = 128 * 256
"""Output elements whose accumulators fill an SM: smaller tiles share it, up to MAX_CO_RESIDENT."""

MAX_CO_RESIDENT = 4.0
SUSTAINED_US = 200.0
"""Busy time from which a GPU settles at the clock that its power limit allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the tile model needs of a GPU: per-SM rates in FLOP/us, DRAM in bytes/us, L2 in bytes."""

    sm_count: int
    flop_per_us_per_sm: float
    clock_mhz: float
    dram_bytes_per_us: float
    l2_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Operands:
    """Bytes per value of A, W and O, and how many weight copies a timing rotates over (None: cold)."""

    activation_bytes: float
    weight_bytes: float
    output_bytes: float
    weight_copies: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Microseconds without launch, one value a shape.

    `total_us` is the expectation over candidates; the others are the streams of the fastest candidate:
    multiplying, the latency chain along K, L2 and DRAM.
    """

    total_us: F32
    compute_us: F32
    chain_us: F32
    l2_us: F32
    dram_us: F32


def tile_streams(
    p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, k: F32
) -> Streams:
    """Time shapes (1-D float32 arrays of one length) chunk by chunk."""
    chunks = [
        _chunk_streams(p, machine, operands, m[i : i + CHUNK], n[i : i + CHUNK], k[i : i + CHUNK])
        for i in range(0, max(len(m), 1), CHUNK)
    ]
    return Streams(
        total_us=np.concatenate([chunk.total_us for chunk in chunks]),
        compute_us=np.concatenate([chunk.compute_us for chunk in chunks]),
        chain_us=np.concatenate([chunk.chain_us for chunk in chunks]),
        l2_us=np.concatenate([chunk.l2_us for chunk in chunks]),
        dram_us=np.concatenate([chunk.dram_us for chunk in chunks]),
    )


def dram_us(p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, k: F32) -> F32:
    """Microseconds to move what misses L2: weights that are not resident, activations that do not fit."""
    weight = n * k * np.float32(operands.weight_bytes)
    read = m * k * np.float32(operands.activation_bytes)
    written = m * n * np.float32(operands.output_bytes)
    capacity = np.float32(p["l2_residency"] * machine.l2_bytes)
    missed = np.maximum(read - capacity, 0) + np.maximum(written - capacity, 0)
    if operands.weight_copies is None:
        missed += weight
    else:
        resident = np.minimum(capacity / (operands.weight_copies * weight + read + written), 1)
        missed += weight * (1 - resident * resident)
    result: F32 = missed * np.float32(1 / (machine.dram_bytes_per_us * p["dram_efficiency"]))
    return result


def _chunk_streams(
    p: Mapping[str, float], machine: Machine, operands: Operands, m: F32, n: F32, k: F32
) -> Streams:
    sms = np.float32(machine.sm_count)
    rate = machine.flop_per_us_per_sm * p["efficiency"]
    l2_rate = np.float32(p["l2_bytes_per_clock_per_sm"] * machine.clock_mhz)
    epilogue_rate = p["epilogue_bytes_per_clock_per_sm"] * machine.clock_mhz
    launch, fill = np.float32(p["launch_us"]), np.float32(p["wave_fill"])
    chain, prologue = np.float32(p["chain_us"]), np.float32(p["prologue_us"])

    dram = dram_us(p, machine, operands, m, n, k)
    dram_4 = np.square(np.square(dram))
    ideal = m * n * k * np.float32(2 / (sms * machine.flop_per_us_per_sm))
    slowdown = 1 + np.float32(p["throttle"]) * ideal / (ideal + np.float32(SUSTAINED_US))
    fastest_possible = np.maximum(ideal, dram) + launch
    depths = [np.maximum(k * np.float32(1 / (K_STEP * split)), np.float32(0.5)) for split in SPLITS]

    weighted, weights = np.zeros_like(m), np.zeros_like(m)
    best = np.full_like(m, np.inf)
    compute_us, chain_us, l2_us = np.zeros_like(m), np.zeros_like(m), np.zeros_like(m)
    for tile_m, tile_n in TILES:
        overhead = (1 + p["tile_overhead"] * (1 / tile_m + 1 / tile_n)) * np.exp(
            p[tile_name((tile_m, tile_n))]
        )
        step = slowdown * np.float32(2 * tile_m * tile_n * K_STEP / rate * overhead)
        epilogue = np.float32(tile_m * tile_n * operands.output_bytes / epilogue_rate)
        step_bytes = np.float32(
            K_STEP * (tile_m * operands.activation_bytes + tile_n * operands.weight_bytes) / l2_rate
        )
        co_resident = np.float32(min(max(SM_ELEMENTS / (tile_m * tile_n), 1.0), MAX_CO_RESIDENT))
        grid = np.ceil(m * np.float32(1 / tile_m)) * np.ceil(n * np.float32(1 / tile_n))
        for split, depth in zip(SPLITS, depths, strict=True):
            tiles = grid * np.float32(split)
            load = tiles / sms
            waves = np.ceil(load)
            waves = np.where(waves > 1, waves - (waves - load) * fill, waves)
            rounds = np.ceil(load / co_resident)
            compute = waves * (depth * step + epilogue)
            latency = rounds * (depth * chain)
            l2 = np.maximum(load, 1) * (depth * step_bytes)
            busy = np.maximum(compute, latency) + rounds * prologue
            slowest = np.sqrt(np.sqrt(np.square(np.square(busy)) + np.square(np.square(l2)) + dram_4))
            total = slowest + (launch + np.float32(p["split_k_us"] if split > 1 else 0.0))
            weight = np.square(np.square(np.square(fastest_possible / total)))
            weighted += weight * total
            weights += weight
            better = total < best
            best = np.where(better, total, best)
            compute_us = np.where(better, compute, compute_us)
            chain_us = np.where(better, latency, chain_us)
            l2_us = np.where(better, l2, l2_us)
    expected = weighted / weights
    vector = np.float32(p["gemv_launch_us"]) + np.maximum(
        dram, n * k * operands.weight_bytes / (sms * l2_rate)
    )
    expected = np.where(m == 1, np.minimum(expected, vector), expected)
    return Streams(
        total_us=np.maximum(expected - launch, 0),
        compute_us=compute_us,
        chain_us=chain_us,
        l2_us=l2_us,
        dram_us=dram,
    )
