"""Parameters of expert layers: names, units, defaults where nothing was measured."""

from __future__ import annotations

from infersim.cost.parameters import OwnParameters
from infersim.domain.fit import IntervalFit

EXPERTS_PARAMETERS = OwnParameters(
    name="experts",
    defaults={
        "efficiency": 0.7,
        "chain_us": 0.15,
        "prologue_us": 0.4,
        "l2_bytes_per_clock_per_sm": 44.0,
        "dram_efficiency": 0.83,
        "launch_us": 17.0,
        "tile_overhead": 6.5,
        "throttle": 0.1,
        "l2_residency": 0.4,
        "residency_sharpness": 8.0,
        "wave_fill": 0.2,
        "gather_share": 0.07,
        "remote_share": 0.25,
        "row_bytes_per_clock_per_sm": 7.0,
        "row_residency": 0.45,
        "row_dram_efficiency": 0.57,
        "pair_ns": 0.05,
        "expert_us": 0.005,
        "dequantise_per_clock_per_sm": 80.0,
        "misaligned": 1.0,
        "tile_16": 0.6,
        "tile_32": 0.4,
        "tile_64": 0.2,
        "tile_128": 0.2,
    },
    uncalibrated=IntervalFit(by_regime={}, pair=0.2, outside=0.6),
)
"""Middle values of the GPUs whose expert layers are published. `gather_share` is how much of the rows kernels
copy to their experts' places instead of reading them where they lie, `remote_share` how much of the work of
moving rows goes into pairs of experts on other GPUs, `pair_ns` the sorting of a pair, `tile_16` the log of
what a step of a tile of 16 rows takes over what its size alone says. The interval is a stated guess."""
