"""The time of attention to chosen tokens, and of the scores that choose them (DeepSeek Sparse Attention).

No table that fits stand on holds such kernels. Rates are what their authors report, and by how much these
differ from kernel to kernel widens the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from infersim.cost.attention.latent import DRAM_SHARE, TILE_HEADS, TILE_KEYS
from infersim.cost.floor import attention_flop, attention_kv_bytes, attention_query_bytes, causal_pairs
from infersim.domain.arrays import Array, as_array
from infersim.domain.dtypes import BLOCK, SCALE_BYTES, DType
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention

TENSOR_SHARE = 0.65
"""Of the tensor peak, over caches of 16 bit: 640 of 989 TFLOP/s on H800 (deepseek-ai/FlashMLA, README)."""

TENSOR_SHARE_8_BIT = 0.41
"""The same where values of 8 bit are widened before they are multiplied: 410 of 989 TFLOP/s (the same)."""

EIGHT_BIT_LENGTHENING = 656 / 576
"""Of a token in a cache of 8 bit: its rotary key is in 16 bit, and 128 values share a scale (the same)."""

L2_BYTES_PER_CLOCK_PER_SM = 32.0
"""At which a gather of rows of a kilobyte reads L2: half of the 64 that its lines could bring (a guess)."""

SCORES_TENSOR_SHARE = 0.4
"""Of the peak of 8 bit, of scores: 4,096 queries x 8,192 keys of 64 heads in 4.41 ms, 1,024 x 4,096 in 0.59,
DeepGEMM on H20 (flagos-ai/FlagGems, pull request 4092): 0.40 to 0.42 of 296 TFLOP/s."""

SCORES_DRAM_SHARE = 0.75
"""Of the bandwidth: 32 index caches of 65,536 tokens of 132 bytes in 45.3 us on B200, 0.76 of 8 TB/s, and of
32,768 in 24.9 us, 0.70 (NVIDIA/TensorRT-LLM, pull request 13219)."""

LOG_HALF_WIDTH = 0.5
"""What an interval gains in quadrature: ln(660 / 410) = 0.48, by which one library's kernel over chosen
tokens lies behind its kernel over all of them on the GPU that both were written for (FlashMLA, as above)."""

KEY_BYTES = 1 + SCALE_BYTES / BLOCK
"""Of a value of an index key: 8 bit, and its part of a scale."""

SCORE_BYTES = 4.0
"""Of a score of one token for one query: 32 bit."""


def multiplied_in(shape: Attention, profile: HardwareProfile) -> DType:
    """The type that the GPU multiplies in: scores run in 16 bit where there are no units of 8 bit floats."""
    if not shape.scores_only or shape.dtype in profile.matrix:
        return shape.dtype
    return DType.BF16 if DType.BF16 in profile.matrix else DType.FP16


def as_multiplied(shape: Attention, profile: HardwareProfile) -> Attention:
    """The shape in the type that the GPU multiplies in."""
    dtype = multiplied_in(shape, profile)
    return shape if dtype is shape.dtype else replace(shape, dtype=dtype)


def chosen_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds without launch, and those of DRAM alone.

    A tile of up to TILE_HEADS heads of one query gathers the query's tokens, and multiplies whole tiles
    whatever heads it has: a GPU's share of the heads saves neither below a tile. What other queries have
    gathered before comes from L2.
    """
    heads = as_array(shape.num_heads)
    tiles = np.ceil(heads / TILE_HEADS)
    queries = as_array(shape.batch) * shape.query_len
    pairs = as_array(shape.batch) * causal_pairs(shape.query_len, shape.context_len, shape.window)
    cache_bytes = (shape.kv_dtype or shape.dtype).bytes
    lengthened = EIGHT_BIT_LENGTHENING if cache_bytes < shape.dtype.bytes else 1.0
    gathered = pairs * tiles * shape.head_dim * cache_bytes * lengthened
    moved = attention_kv_bytes(shape) * lengthened + attention_query_bytes(shape)

    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * DRAM_SHARE)
    l2 = gathered / (L2_BYTES_PER_CLOCK_PER_SM * profile.chip.clocks_per_s / MEGA)
    share = TENSOR_SHARE if cache_bytes >= shape.dtype.bytes else TENSOR_SHARE_8_BIT
    rate = profile.datasheet_flop_per_s(shape.dtype) / MEGA * share
    multiply = attention_flop(shape) * tiles * TILE_HEADS / heads / rate

    steps = tiles * np.maximum(pairs / TILE_KEYS, queries)
    busy_share = np.minimum(steps / profile.chip.sm_count, 1.0)
    slowest: Array = (dram**4 + l2**4 + multiply**4) ** 0.25 / busy_share
    return slowest + p["block_us"] + p.get("split_us", 0.0), dram


def score_streams_us(
    p: Mapping[str, float], shape: Attention, profile: HardwareProfile
) -> tuple[Array, Array]:
    """Microseconds without launch, and those of DRAM alone.

    All heads of a query take each key together, and their sum is written, in 32 bit; what L2 does not hold of
    that goes to memory.
    """
    pairs = as_array(shape.batch) * causal_pairs(shape.query_len, shape.context_len, None)
    keys = attention_kv_bytes(shape) * KEY_BYTES
    written = np.maximum(pairs * SCORE_BYTES - profile.chip.l2_bytes, 0.0)
    moved = keys + attention_query_bytes(shape) + written
    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * SCORES_DRAM_SHARE)
    rate = profile.datasheet_flop_per_s(shape.dtype) / MEGA * SCORES_TENSOR_SHARE
    multiply = attention_flop(shape) / rate
    steps = np.maximum(pairs / TILE_KEYS, 1.0)
    busy_share = np.minimum(steps / profile.chip.sm_count, 1.0)
    slowest: Array = (dram**4 + multiply**4) ** 0.25 / busy_share
    return slowest + p["block_us"], dram
