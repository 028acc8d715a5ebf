"""The time of attention kernels.

Prefill is causal flash attention: tiles of queries, each passing over the keys before it; random block masks
load SMs unevenly. Decode is one query a sequence, with the KV cache split over blocks of threads.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.floor import attention_kv_bytes, attention_query_bytes, causal_pairs
from infersim.cost.machine import at_least_one, filled_waves, kept_in_l2
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention


def longest_over_mean(kept: Numeric, blocks: Numeric, chains: Numeric) -> Array:
    """Expected longest march over the mean, of `chains` marches that keep each of `blocks` blocks by chance.

    The number of kept blocks is binomial: mean b p, deviation sqrt(b p (1 - p)); the greatest of n normal
    values lies about sqrt(2 ln n) deviations above the mean. No march is longer than all of its blocks.
    """
    kept, blocks = as_array(kept), np.maximum(blocks, 1.0)
    deviation = np.sqrt((1 - kept) / (blocks * kept))
    above = np.sqrt(2 * np.log(np.maximum(chains, 1.0))) * deviation
    longest: Array = np.minimum(1 + above, 1 / kept)
    return longest


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
    step = _step_us(p, as_array(shape.mean_dim), shape, profile)
    step = step * np.minimum(rows / tile, 1.0) ** p["short_exponent"]

    tiles = np.maximum(rows / tile, 1.0)
    blocks = heads / packed * tiles
    # Keys up to the middle of the mean tile.
    keys = context - query + (query + np.minimum(tile / packed, query)) / 2
    seen = causal_pairs(query, context, shape.window) / causal_pairs(query, context, None) * shape.kept
    steps = np.maximum(keys / KEY_TILE, 1.0) * seen + p["diagonal_steps"]
    load = blocks / chip.sm_count
    waves = filled_waves(at_least_one(load), p["wave_fill"])
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


def _step_us(p: Mapping[str, float], channels: Array, shape: Attention, profile: HardwareProfile) -> Array:
    """Microseconds of one full tile of queries and one of keys on an SM."""
    chip, scores = profile.chip, p["query_tile"] * KEY_TILE
    flop_per_us = profile.datasheet_flop_per_s(shape.dtype) / MEGA / chip.sm_count
    multiply = 4.0 * scores * channels / (flop_per_us * p["efficiency"])
    softmax = scores / (p["softmax_per_clock_per_sm"] * chip.tensor_clock_mhz)
    step: Array = (multiply**OVERLAP + softmax**OVERLAP) ** (1 / OVERLAP)
    return step * np.where(as_array(shape.head_dim) > WIDEST_HEAD, p["wide_head"], 1.0)


WIDEST_HEAD = 128
"""Width of a head up to which every library has kernels; wider ones have others."""


SPLITS = (1, 2, 4, 8, 16, 32, 64)
"""Parts that a sequence's KV cache may be split into."""

STEP_KEYS = 128
"""Keys between two synchronisations of a block of threads."""


WIDEST_GROUP = 32
"""Query heads that share a KV head up to which any library has kernels for groups."""


def decode_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds without launch, expected over splits, and those of DRAM alone.

    Each KV head of each sequence is a chain of steps; splitting it shortens the chain, fills the SMs and
    costs a reduction. The query heads of a group share what is read (`group_reread` of them do not); their
    kernel, on tensor cores, takes `grouped_chain` times as long a step as that of a head alone, whose blocks
    take `alone_block` times as long to start. Masks of block-sparse attention make some chains longer than
    others.

    FlashAttention 2 takes the query heads of a group for queries of one head. Only then does it split the
    cache: heads without a group stay at one part, by a share `unsplit_alone` of the log of time. And it
    copies queries and results into that order, `regroup_us`, unless they lie in it already. TensorRT-LLM
    takes the heads of a group wider than WIDEST_GROUP one by one, by a share `wide_apart` of the log of time.
    """
    chip = profile.chip
    batch, kv_heads = as_array(shape.batch), as_array(shape.num_kv_heads)
    group = as_array(shape.num_heads) / kv_heads
    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * p["dram_efficiency"])
    dram = dram * (1 - _resident_share(p, shape, moved, chip.l2_bytes))
    l2 = moved / (p["l2_bytes_per_clock_per_sm"] * chip.clocks_per_s / MEGA)

    total = _fastest_split_us(p, shape, profile, group, dram, l2 * group ** p["group_reread"])
    wide = group > WIDEST_GROUP
    if np.any(wide) and p["wide_apart"] > LEAST_SHARE:
        apart = _fastest_split_us(p, shape, profile, np.ones_like(group), dram, l2 * group)
        total = total * (apart / total) ** np.where(wide, p["wide_apart"], 0.0)
    scattered = (group > 1) & (batch > 1) & (kv_heads > 1)
    regrouping = np.where(scattered, p["regroup_us"], 0.0)
    return total + regrouping - p["launch_us"], dram


LEAST_SHARE = 0.01
"""A share below it is not worth its time."""


def _fastest_split_us(
    p: Mapping[str, float],
    shape: Attention,
    profile: HardwareProfile,
    group: Array,
    dram: Array,
    l2: Array,
) -> Array:
    """Microseconds with launch, of chains that `group` query heads share, expected over splits."""
    context = as_array(shape.context_len) * shape.kept
    if shape.window is not None:
        context = np.minimum(context, shape.window)
    heads = as_array(shape.batch) * shape.num_heads / group
    step = p["chain_us"] * (as_array(shape.head_dim) / 128.0) ** p["head_dim_exponent"]
    step = step * (1 + p["group_cost"] * group) * np.where(group > 1, p["grouped_chain"], 1.0)
    block = p["block_us"] * np.where(group > 1, 1.0, p["alone_block"])
    times, weights, unsplit = np.zeros_like(dram), np.zeros_like(dram), np.zeros_like(dram)
    for split in SPLITS:
        load = heads * split / profile.chip.sm_count
        waves = filled_waves(at_least_one(load), p["wave_fill"])
        steps = np.maximum(context / (STEP_KEYS * split) * _longest(shape, heads, split), 1.0)
        busy = waves * (steps * step + block)
        from_dram = dram / np.minimum(load * p["co_resident"], 1.0)
        from_l2 = l2 / np.minimum(load, 1.0)
        slowest = (busy**4 + from_dram**4 + from_l2**4) ** 0.25
        reduction = p["split_us"] * split ** p["split_exponent"] if split > 1 else 0.0
        total = slowest + reduction + p["launch_us"]
        unsplit = total if split == 1 else unsplit
        weight = total**-8.0
        times, weights = times + weight * total, weights + weight
    chosen = times / weights
    alone = np.where(group > 1, 0.0, p["unsplit_alone"])
    fastest: Array = chosen * (unsplit / chosen) ** alone
    return fastest


def _longest(shape: Attention, heads: Array, split: int) -> Numeric:
    """The longest chain over the mean one."""
    if shape.block is None:
        return 1.0
    blocks = as_array(shape.context_len) / (shape.block * split)
    return longest_over_mean(shape.kept, blocks, heads * split)


def _resident_share(p: Mapping[str, float], shape: Attention, moved: Array, l2_bytes: float) -> Array:
    """Share of the KV cache that a timing loop over `kv_copies` caches finds in L2; none when cold."""
    if shape.kv_copies is None:
        return np.zeros_like(moved)
    return kept_in_l2(p, l2_bytes, as_array(shape.kv_copies * moved))
