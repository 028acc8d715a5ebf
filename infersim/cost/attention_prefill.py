"""The time of causal flash attention: tiles of queries, each marching over the keys before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.attention_imbalance import longest_over_mean
from infersim.cost.floor import attention_kv_bytes, attention_query_bytes, causal_pairs
from infersim.cost.gemm_tiles import SUSTAINED_US
from infersim.domain.arrays import Array, as_array
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention

TILE = 128
"""Queries that a block of threads keeps, and keys that it takes at a time (FlashAttention-2 and -3)."""


def prefill_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds of multiplying and of moving bytes, without launch.

    A step multiplies one tile of queries with one tile of keys, twice. A block of threads takes as many
    steps as there are key tiles up to its own, plus `diagonal_steps` for the masked one; shorter sequences
    than a tile save part of it (`short_exponent`). Masks of block-sparse attention make the longest march
    longer than its share.
    """
    chip = profile.chip
    query, context = as_array(shape.query_len), as_array(shape.context_len)
    head_dim = as_array(shape.head_dim)
    heads = as_array(shape.batch) * shape.num_heads
    peak = profile.datasheet_flop_per_s(shape.dtype) / MEGA
    ideal = 4.0 * heads * causal_pairs(query, context, shape.window) * head_dim * shape.kept / peak
    slowdown = 1 + p["throttle"] * ideal / (ideal + SUSTAINED_US)
    # A head narrower than 128 saves less than its share of the multiplications; a wider one costs its share.
    width = np.maximum(128.0 * (head_dim / 128.0) ** min(p["head_dim_exponent"], 1.0), head_dim)
    step = 4.0 * TILE * TILE * width / (peak / chip.sm_count * p["efficiency"]) * slowdown
    step = step * np.minimum(query / TILE, 1.0) ** p["short_exponent"]

    tiles = np.ceil(query / TILE)
    seen = causal_pairs(query, context, shape.window) / causal_pairs(query, context, None) * shape.kept
    steps = (tiles * (tiles + 1) / 2 + tiles * np.floor((context - query) / TILE)) * seen
    blocks = heads * tiles / chip.sm_count
    waves = np.ceil(blocks)
    waves = np.maximum(waves - (waves - blocks) * p["wave_fill"], 1.0)
    all_steps = steps + p["diagonal_steps"] * tiles
    shared = heads * all_steps * step / chip.sm_count + waves * p["block_us"]
    longest_steps = (tiles + np.floor((context - query) / TILE)) * seen + p["diagonal_steps"]
    if shape.block is not None:
        longest_steps = longest_steps * longest_over_mean(shape.kept, context / shape.block, heads * tiles)
    longest = longest_steps * step + p["block_us"]
    compute = (shared**4 + longest**4) ** 0.25

    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    missed = np.maximum(moved - p["l2_residency"] * chip.l2_bytes, 0.0)
    dram = missed / (profile.memory.bandwidth_bytes_per_s / MEGA * p["dram_efficiency"])
    l2 = moved / (p["l2_bytes_per_clock_per_sm"] * chip.tensor_clock_mhz * chip.sm_count)
    exposed = p["exposed_traffic"] * (dram**4 + l2**4) ** 0.25
    return compute, exposed
