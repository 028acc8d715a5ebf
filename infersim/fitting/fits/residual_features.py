"""What residuals are smooth in: shape and last waves of a GEMM, heads and tokens of attention."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.attention.kernels import WIDEST_GROUP
from infersim.cost.gemm.gemm import LAST_ROWS, LAST_WAVE_TILES
from infersim.domain.arrays import Array
from infersim.domain.dtypes import Precision
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.fitting.fits.gaussian_process import Component
from infersim.fitting.fits.smooth_residual import Smooth

PREFILL = Component(length_scales=(16.0, 16.0, 6.0, 8.0, 16.0, 16.0, 16.0), amplitude=0.15)
"""Octaves of heads in flight, group, query, head width, KV heads in flight, and tokens x each of the two."""

DECODE = Component(length_scales=(20.0, 12.0, 8.0, 6.0, 12.0, 12.0, 12.0), amplitude=0.15)
"""Octaves of batch, KV heads, context, head width, group, KV heads in flight, and context x those."""


def attention_smooths(phase: Phase) -> tuple[Smooth, ...]:
    """The residual of one phase."""
    if phase is Phase.PREFILL:
        axes = ("log2 heads in flight", "log2 group", "log2 query", "log2 head dim")
        return (Smooth(component=PREFILL, axes=axes, knots_per_unit=(1, 1, 2, 1), derive=_prefill),)
    axes_ = ("log2 batch", "log2 kv heads", "log2 group", "log2 context", "log2 head dim")
    return (Smooth(component=DECODE, axes=axes_, knots_per_unit=(1, 0.5, 1, 1, 1), derive=_decode),)


ALONE_OCTAVES = 24.0
"""How far heads without a group, and of groups wider than WIDEST_GROUP, are from others: other kernels."""


def _prefill(at: Mapping[str, Array]) -> Array:
    heads, group, query = at["log2 heads in flight"], at["log2 group"], at["log2 query"]
    kv_heads = heads - group
    return np.stack(
        (heads, group, query, at["log2 head dim"], kv_heads, heads + query, kv_heads + query), axis=1
    )


def _decode(at: Mapping[str, Array]) -> Array:
    batch, kv_heads, context = at["log2 batch"], at["log2 kv heads"], at["log2 context"]
    in_flight = batch + kv_heads
    group = at["log2 group"]
    group = np.where(group > 0, group, -ALONE_OCTAVES) + ALONE_OCTAVES * (group > np.log2(WIDEST_GROUP))
    return np.stack(
        (batch, kv_heads, context, at["log2 head dim"], group, in_flight, in_flight + context),
        axis=1,
    )


SHAPE = Component(
    length_scales=(13.2, 14.6, 5.7, 24.6, 7.8, 10.9, 15.1, 19.5, 4.0, 7.2),
    amplitude=0.11,
)
"""Length scales of log2 m, n, k, nk, mn, mnk, mk, k/n, residency and long K: octaves, but for the last two.

Geometric means over five GPUs of those that maximise the evidence on 800 rows of their published tables.
"""

CPU_SHAPE = Component(
    length_scales=(2.0, 8.0, 5.0, 12.0, 7.8, 10.0, 10.0, 10.0, 4.0, 7.2),
    amplitude=0.3,
)
"""The same of a CPU: its libraries have no tiles of 16 rows, so that each token of few counts, and what the
tile model leaves is larger. Round numbers, the best of three tried on one CPU's measurements.
"""

LAST_PART = Component(length_scales=(1.0,), amplitude=0.03)
LOG2_SMALLEST_TILE = 4.0
WITHIN_TILE = 0.3
"""Octaves of M within the smallest tile count for so much of those beyond; on a CPU they count in full."""

LONG_K = (1536.0, 2048.0)
"""Libraries start to split K between these depths, whatever the shape: a ramp in log2 k."""


def gemm_smooths(
    profile: HardwareProfile, precision: Precision, weight_copies: int | None
) -> tuple[Smooth, ...]:
    """Components of the residual for samples whose timing rotated over `weight_copies`."""
    is_cpu = profile.kind == "cpu"
    octaves_of_l2 = np.log2(max(weight_copies or 1, 1) * precision.weight_bytes / profile.chip.l2_bytes)

    def shape_features(at: Mapping[str, Array]) -> Array:
        m = at["log2 m"] if is_cpu else _rows_of_tiles(at["log2 m"])
        n, k = at["log2 n"], at["log2 k"]
        residency = np.clip(n + k + octaves_of_l2, -1, 1)
        low, high = np.log2(LONG_K)
        long_k = np.clip((k - low) / (high - low), 0, 1)
        return np.stack((m, n, k, n + k, m + n, m + n + k, m + k, k - n, residency, long_k), axis=1)

    shape = Smooth(
        component=CPU_SHAPE if is_cpu else SHAPE,
        axes=("log2 m", "log2 n", "log2 k"),
        knots_per_unit=(1.0, 2.0, 2.0),
        derive=shape_features,
    )
    waves = (_last_part(f"last wave {tile[0]}x{tile[1]}") for tile in LAST_WAVE_TILES)
    return (shape, *waves, _last_part(LAST_ROWS))


def _rows_of_tiles(log2_m: Array) -> Array:
    """log2 M as tiles see it: 2 to 16 tokens run in the same tiles and differ little; one is a vector."""
    within = LOG2_SMALLEST_TILE - WITHIN_TILE * (LOG2_SMALLEST_TILE - np.maximum(log2_m, 1.0))
    small = within - np.maximum(1.0 - log2_m, 0.0)
    return np.where(log2_m < LOG2_SMALLEST_TILE, small, log2_m)


def _last_part(name: str) -> Smooth:
    return Smooth(
        component=LAST_PART, axes=(name,), knots_per_unit=(16.0,), derive=lambda at: at[name][:, np.newaxis]
    )
