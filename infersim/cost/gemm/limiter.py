"""What bounds a GEMM: the roof that it comes near to, else the longest stream of its fastest candidate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, COMPUTE, L2, MEMORY
from infersim.cost.gemm.tiles import (
    CANDIDATES,
    K_STEP,
    TileTimes,
    step_us,
)
from infersim.cost.machine import F32, Machine, Operands
from infersim.cost.parameters import TILES

NEAR_A_ROOF = 0.5

_CODES = np.array([COMPUTE, CHAIN, L2, MEMORY], dtype=np.int8)


def limiter_codes(
    p: Mapping[str, float], machine: Machine, operands: Operands, times: TileTimes, m: F32, n: F32, k: F32
) -> npt.NDArray[np.int8]:
    """Limiter code of each shape.

    A GEMM that needs at least NEAR_A_ROOF of its time for its FLOPs at the datasheet's rate, or for DRAM, is
    bound by that. Others are bound by the longest stream of their fastest candidate: multiplying, the chain
    along K, L2 or DRAM.
    """
    l2_rate = p["l2_bytes_per_clock_per_sm"] * machine.clock_mhz
    steps = {tile: step_us(p, machine, tile) for tile in TILES}
    table = np.array(
        [
            (
                candidate.tile_m,
                candidate.tile_n,
                candidate.split,
                steps[candidate.tile_m, candidate.tile_n],
                (candidate.tile_m * operands.activation_bytes + candidate.tile_n * operands.weight_bytes)
                * (K_STEP / l2_rate),
            )
            for candidate in CANDIDATES
        ],
        dtype=np.float32,
    )
    tile_m, tile_n, split, step, l2_step = table[times.best].T
    load = np.ceil(m / tile_m) * np.ceil(n / tile_n) * split * np.float32(1 / machine.sm_count)
    depth = k / (split * np.float32(K_STEP))
    compute = np.ceil(load) * depth * step
    chain = depth * np.float32(p["chain_us"])
    l2 = np.maximum(load, 1) * depth * l2_step
    # A chain of many rounds counts as multiplying: more SMs would shorten it.
    codes: npt.NDArray[np.int8] = _CODES[np.stack((compute, chain, l2, times.dram_us)).argmax(axis=0)]
    ideal = m * n * k * np.float32(2 / (machine.sm_count * machine.flop_per_us_per_sm))
    near = times.total_us * np.float32(NEAR_A_ROOF)
    codes[(ideal >= near) & (ideal >= times.dram_us)] = COMPUTE
    codes[(times.dram_us >= near) & (times.dram_us > ideal)] = MEMORY
    return codes
