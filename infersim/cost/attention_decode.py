"""The time of decode attention: one query a sequence, the KV cache split over blocks of threads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.attention_imbalance import longest_over_mean
from infersim.cost.floor import attention_kv_bytes, attention_query_bytes
from infersim.cost.machine import filled_waves, kept_in_l2
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention

SPLITS = (1, 2, 4, 8, 16, 32, 64)
"""Parts that a sequence's KV cache may be split into."""

STEP_KEYS = 128
"""Keys between two synchronisations of a block of threads."""


def decode_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds without launch, expected over splits, and those of DRAM alone.

    Each KV head of each sequence is a chain of steps; splitting it shortens the chain, fills the SMs and
    costs a reduction. The query heads of a group share what is read (`group_reread` of them do not). Masks of
    block-sparse attention make some chains longer than others.

    FlashAttention 2 takes the query heads of a group for queries of one head. Only then does it split the
    cache: heads without a group stay at one part, by a share `unsplit_alone` of the log of time. And it
    copies queries and results into that order, `regroup_us`, unless they lie in it already.
    """
    chip = profile.chip
    context = as_array(shape.context_len) * shape.kept
    if shape.window is not None:
        context = np.minimum(context, shape.window)
    heads = as_array(shape.batch) * shape.num_kv_heads
    group = as_array(shape.num_heads) / shape.num_kv_heads
    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * p["dram_efficiency"])
    dram = dram * (1 - _resident_share(p, shape, moved, chip.l2_bytes))
    l2_rate = p["l2_bytes_per_clock_per_sm"] * chip.clocks_per_s / MEGA
    l2 = moved * group ** p["group_reread"] / l2_rate
    step = p["chain_us"] * (as_array(shape.head_dim) / 128.0) ** p["head_dim_exponent"]
    step = step * (1 + p["group_cost"] * group)

    times, weights, unsplit = np.zeros_like(dram), np.zeros_like(dram), np.zeros_like(dram)
    for split in SPLITS:
        load = heads * split / chip.sm_count
        waves = filled_waves(load, p["wave_fill"])
        steps = np.maximum(context / (STEP_KEYS * split) * _longest(shape, heads, split), 1.0)
        busy = waves * (steps * step + p["block_us"])
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
    scattered = (group > 1) & (as_array(shape.batch) > 1) & (as_array(shape.num_kv_heads) > 1)
    regrouping = np.where(scattered, p["regroup_us"], 0.0)
    return chosen * (unsplit / chosen) ** alone + regrouping - p["launch_us"], dram


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
