"""Cost of attention: causal flash kernels in prefill, split-KV kernels in decode."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, COMPUTE, MEMORY, assemble, exposed_launch_s
from infersim.cost.floor import attention_flop, attention_kv_bytes, attention_query_bytes
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.cost.regimes import ATTENTION_REGIMES, attention_regime, regime_widths
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention, Phase

QUERY_TILE, KEY_TILE = 128, 128
"""Rows of Q that a block of threads keeps, and keys it takes at a time (FlashAttention-2 and -3)."""

SPLIT_TOKENS = 256
"""Smallest share of a sequence that a decode kernel gives to one block of threads."""


def attention_cost(shape: Attention, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of one attention kernel; raises UnsupportedError if the GPU has no such tensor rate."""
    phase = shape.phase
    found = kind_parameters(profile, f"attention.{phase.value}")
    peak = profile.bound_flop_per_s(shape.dtype)
    flop = attention_flop(shape)
    kv_bytes = attention_kv_bytes(shape)
    kernel_bytes = kv_bytes + attention_query_bytes(shape)
    values = found.values
    compute_us, chain_us, dram_us = (
        _prefill_us(shape, profile, found) if phase is Phase.PREFILL else _decode_us(shape, profile, found)
    )
    slowest = (compute_us**4 + dram_us**4) ** 0.25 + chain_us
    kernel_s = slowest / MEGA
    codes = np.array([COMPUTE, CHAIN, MEMORY], dtype=np.int8)
    parts = np.stack(np.broadcast_arrays(compute_us, chain_us, dram_us))
    half_width, in_range = _interval(found, shape, kernel_s)
    return assemble(
        profile,
        found,
        error_group="attention",
        flop=flop,
        peak_flop_per_s=peak,
        matrix_floor_s=flop / peak,
        model_bytes=kv_bytes if phase is Phase.DECODE else np.zeros_like(kv_bytes),
        kernel_bytes=kernel_bytes,
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(profile, kernel_s, values["launch_us"], 1, cuda_graph=cuda_graph),
        limiter=codes[parts.argmax(axis=0)],
        log_half_width=half_width,
        in_range=in_range,
    )


def _prefill_us(
    shape: Attention, profile: HardwareProfile, found: KindParameters
) -> tuple[Array, Array, Array]:
    """Multiplying, chain and DRAM microseconds of causal flash attention."""
    values, sms = found.values, profile.chip.sm_count
    rate = profile.bound_flop_per_s(shape.dtype) / MEGA * values["efficiency"]
    blocks = as_array(shape.batch) * shape.num_heads * np.ceil(as_array(shape.query_len) / QUERY_TILE)
    fill = np.minimum(blocks / sms, 1.0)
    compute = attention_flop(shape) / (rate * fill)
    chain = values["chain_us"] * np.ceil(as_array(shape.context_len) * shape.kept / KEY_TILE)
    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * values["dram_efficiency"])
    return np.maximum(compute, chain), np.zeros_like(chain), dram


def _decode_us(
    shape: Attention, profile: HardwareProfile, found: KindParameters
) -> tuple[Array, Array, Array]:
    """Multiplying, chain and DRAM microseconds of split-KV attention with one query a sequence."""
    values, sms = found.values, profile.chip.sm_count
    heads = as_array(shape.batch) * shape.num_kv_heads
    splits = np.clip(np.floor(sms / heads), 1, np.ceil(as_array(shape.context_len) / SPLIT_TOKENS))
    fill = np.minimum(heads * splits / sms, 1.0)
    moved = attention_kv_bytes(shape) + attention_query_bytes(shape)
    dram = moved / (profile.memory.bandwidth_bytes_per_s / MEGA * values["dram_efficiency"] * fill)
    chain = values["chain_us"] * np.ceil(as_array(shape.context_len) * shape.kept / splits / SPLIT_TOKENS)
    return np.zeros_like(dram), chain, dram


def _interval(found: KindParameters, shape: Attention, like: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Half-width of each shape's 80 % interval, and whether the shape lies in the calibrated range."""
    outside = found.interval.outside
    if found.fit is None:
        return np.full(like.shape, outside), np.zeros(like.shape, dtype=np.bool_)
    widths = regime_widths(found.interval.by_regime, ATTENTION_REGIMES, outside)
    in_range = np.ones(like.shape, dtype=np.bool_)
    for name, (low, high) in found.fit.ranges.items():
        dimension = as_array(getattr(shape, name))
        in_range = in_range & (dimension >= low) & (dimension <= high)
    width = widths[attention_regime(shape.batch, shape.context_len)]
    return np.where(in_range, width, np.maximum(width, outside)), in_range
