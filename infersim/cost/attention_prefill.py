"""The time of causal flash attention: tiles of queries, each walking over the keys before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.attention_imbalance import longest_over_mean
from infersim.cost.floor import attention_kv_bytes, attention_query_bytes, causal_pairs
from infersim.cost.machine import filled_waves
from infersim.domain.arrays import Array, as_array
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention

KEY_TILE = 128
"""Keys that a block of threads takes at a time (FlashAttention-2 and -3)."""

OVERLAP = 2.0
"""Norm that joins multiplications and exponentials: 1 is one after the other, infinity all at once."""


def prefill_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds of multiplying and of moving bytes, without launch.

    A step multiplies one tile of queries with one of keys, twice, and takes the exponential of each score:
    that rate grows with neither tensor cores nor head width, so that narrow heads save less than their share
    of the multiplications. A block of threads takes as many steps as there are keys up to its tile's, plus
    `diagonal_steps` for the masked one; it saves part of the step where the sequence has fewer rows than the
    tile (`short_exponent`). Masks of block-sparse attention make the longest walk longer than its share.
    """
    chip = profile.chip
    query, context = as_array(shape.query_len), as_array(shape.context_len)
    heads = as_array(shape.batch) * shape.num_heads
    packed = _packed_heads(p, shape)
    rows, tile = query * packed, p["query_tile"]
    step = _step_us(p, as_array(shape.head_dim), shape, profile)
    step = step * np.minimum(rows / tile, 1.0) ** p["short_exponent"]

    tiles = np.maximum(rows / tile, 1.0)
    blocks = heads / packed * tiles
    # Keys up to the middle of the mean tile.
    keys = context - query + (query + np.minimum(tile / packed, query)) / 2
    seen = causal_pairs(query, context, shape.window) / causal_pairs(query, context, None) * shape.kept
    steps = np.maximum(keys / KEY_TILE, 1.0) * seen + p["diagonal_steps"]
    load = blocks / chip.sm_count
    waves = filled_waves(load, p["wave_fill"])
    shared = load * steps * step + waves * p["block_us"]
    longest_steps = np.maximum(context / KEY_TILE, 1.0) * seen + p["diagonal_steps"]
    if shape.block is not None:
        longest_steps = longest_steps * longest_over_mean(shape.kept, context / shape.block, blocks)
    longest = longest_steps * step + p["block_us"]
    compute = (shared**4 + longest**4) ** 0.25

    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    missed = np.maximum(moved - p["l2_residency"] * chip.l2_bytes, 0.0)
    dram = missed / (profile.memory.bandwidth_bytes_per_s / MEGA * p["dram_efficiency"])
    l2 = moved / (p["l2_bytes_per_clock_per_sm"] * chip.clocks_per_s / MEGA)
    exposed = p["exposed_traffic"] * (dram**4 + l2**4) ** 0.25
    return compute, exposed


def _packed_heads(p: Mapping[str, float], shape: Attention) -> Array:
    """Query heads of a group that share a tile as its rows: all for one query a sequence, on any kernel."""
    group = as_array(shape.num_heads) / shape.num_kv_heads
    packed: Array = np.where(as_array(shape.query_len) == 1, group, group ** p["group_packing"])
    return packed


def _step_us(p: Mapping[str, float], head_dim: Array, shape: Attention, profile: HardwareProfile) -> Array:
    """Microseconds of one full tile of queries and one of keys on an SM."""
    chip, scores = profile.chip, p["query_tile"] * KEY_TILE
    flop_per_us = profile.datasheet_flop_per_s(shape.dtype) / MEGA / chip.sm_count
    multiply = 4.0 * scores * head_dim / (flop_per_us * p["efficiency"])
    softmax = scores / (p["softmax_per_clock_per_sm"] * chip.tensor_clock_mhz)
    step: Array = (multiply**OVERLAP + softmax**OVERLAP) ** (1 / OVERLAP)
    return step
