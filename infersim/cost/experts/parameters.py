"""Parameters of expert layers: names, units, defaults where nothing was measured."""

from __future__ import annotations

from collections.abc import Mapping

from infersim.domain.fit import IntervalFit

EXPERTS_DEFAULTS: Mapping[str, float] = {
    "efficiency": 0.7,
    "chain_us": 0.2,
    "prologue_us": 0.5,
    "l2_bytes_per_clock_per_sm": 40.0,
    "dram_efficiency": 0.8,
    "launch_us": 18.0,
    "tile_overhead": 8.0,
    "throttle": 0.1,
    "l2_residency": 0.3,
    "residency_sharpness": 8.0,
    "wave_fill": 0.3,
    "gather_share": 0.3,
    "remote_share": 0.3,
    "row_bytes_per_clock_per_sm": 10.0,
    "row_residency": 0.5,
    "row_dram_efficiency": 0.6,
    "pair_ns": 0.2,
    "expert_us": 0.01,
    "dequantise_per_clock_per_sm": 48.0,
    "misaligned": 0.5,
    "tile_16": 0.0,
    "tile_32": 0.0,
    "tile_64": 0.0,
    "tile_128": 0.0,
}
"""Middle values of the GPUs whose expert layers are published. `gather_share` is how much of the rows kernels
copy to their experts' places instead of reading them where they lie, `remote_share` how much of the work of
moving rows goes into pairs of experts on other GPUs, `pair_ns` the sorting of a pair."""

EXPERTS_UNCALIBRATED = IntervalFit(by_regime={}, pair=0.2, outside=0.6)
