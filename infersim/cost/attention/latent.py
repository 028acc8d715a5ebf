"""The time of absorbed latent attention in decode: all heads attend to one latent vector a token.

Its kernels read the cache once for all heads and multiply it with each of them, so that many heads bring them
to the tensor cores' rate: none of the kernels for groups of heads works so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.floor import attention_flop, attention_kv_bytes, attention_query_bytes
from infersim.domain.arrays import Array, as_array
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention

TENSOR_SHARE = 0.66
"""Of the tensor peak: 660 of 989 TFLOP/s on H800 (deepseek-ai/FlashMLA, README, 2025)."""

DRAM_SHARE = 0.9
"""Of the bandwidth: 3,000 of 3,350 GB/s on H800 (the same)."""

TILE_HEADS, TILE_KEYS = 64, 64
"""Query heads and cached tokens of one step of a block of threads (the same)."""


def latent_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds without launch, and those of DRAM alone.

    The cache is split so that every SM has its share; with fewer steps than SMs the rest stay idle.
    """
    batch, context = as_array(shape.batch), as_array(shape.context_len)
    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * DRAM_SHARE)
    multiply = attention_flop(shape) / (profile.datasheet_flop_per_s(shape.dtype) / MEGA * TENSOR_SHARE)
    steps = batch * np.ceil(as_array(shape.num_heads) / TILE_HEADS) * np.maximum(context / TILE_KEYS, 1.0)
    busy_share = np.minimum(steps / profile.chip.sm_count, 1.0)
    slowest: Array = ((dram**4 + multiply**4) ** 0.25) / busy_share
    return slowest + p["block_us"] + p["split_us"], dram
