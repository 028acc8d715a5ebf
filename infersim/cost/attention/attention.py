"""Cost of attention: causal flash kernels in prefill, split-KV kernels in decode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, COMPUTE, MEMORY, assemble, exposed_launch_s
from infersim.cost.attention.chosen import (
    LOG_HALF_WIDTH,
    as_multiplied,
    chosen_streams_us,
    multiplied_in,
    score_streams_us,
)
from infersim.cost.attention.generated import as_generated
from infersim.cost.attention.kernels import decode_streams_us, prefill_streams_us
from infersim.cost.attention.latent import latent_streams_us
from infersim.cost.floor import attention_flop, attention_kv_bytes, attention_query_bytes
from infersim.cost.kind import KernelKind
from infersim.cost.machine import F32
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.cost.regimes import ATTENTION_REGIMES, attention_regime, regime_widths
from infersim.cost.residual import residual_correction, trust_when_cold
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Attention, Phase

StreamsFunction: TypeAlias = Callable[[Mapping[str, float], Attention, HardwareProfile], tuple[Array, Array]]
"""From a kind's parameters to microseconds without launch, and those of DRAM alone."""

ATTENTION_AXES: tuple[str, ...] = (
    *("log2 batch", "log2 kv heads", "log2 group", "log2 heads in flight"),
    *("log2 query", "log2 context", "log2 head dim"),
)
"""Names of `attention_features`, which the axes of residual grids bear."""


def attention_features(shape: Attention) -> Mapping[str, F32]:
    """What the residual may depend on, in log2: 1-D arrays of one length."""
    heads, kv_heads = as_array(shape.num_heads), as_array(shape.num_kv_heads)
    context = _attended(shape)
    dimensions = {
        "log2 batch": as_array(shape.batch),
        "log2 kv heads": kv_heads,
        "log2 group": heads / kv_heads,
        "log2 heads in flight": shape.batch * heads,
        "log2 query": as_array(shape.query_len),
        "log2 context": np.maximum(context, 1.0),
        "log2 head dim": as_array(shape.head_dim),
    }
    arrays = np.broadcast_arrays(*dimensions.values())
    return {
        name: np.log2(array.ravel()).astype(np.float32)
        for name, array in zip(dimensions, arrays, strict=True)
    }


def _attended(shape: Attention) -> Array:
    """Tokens that a query attends to: no more than the window, and `kept` of them."""
    context = as_array(shape.context_len)
    if shape.window is not None and shape.phase is Phase.DECODE:
        context = np.minimum(context, shape.window)
    return context * shape.kept


def attention_cost(shape: Attention, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of one attention kernel; raises UnsupportedError if the GPU has no such tensor rate."""
    shape = as_multiplied(shape, profile)
    parameters = kind_parameters(
        profile, f"attention.{shape.phase.value}", narrow_cache(shape), stand_ins=(None,)
    )
    peak = profile.bound_flop_per_s(shape.dtype)
    flop, kv_bytes = attention_flop(shape), attention_kv_bytes(shape)
    launch_us = parameters.values["launch_us"]
    if shape.phase is Phase.PREFILL and not shape.shared_kv:
        compute_us, exposed_us = prefill_streams_us(parameters.values, shape, profile)
        total_us = compute_us + exposed_us + launch_us
        limiter = np.where(exposed_us > compute_us, MEMORY, COMPUTE)
    else:
        busy_us, dram_us = _streams(shape)(parameters.values, shape, profile)
        total_us = busy_us + launch_us
        limiter = np.where(dram_us > 0.7 * busy_us, MEMORY, CHAIN)
    total_us = np.broadcast_to(total_us, np.broadcast_shapes(total_us.shape, kv_bytes.shape))
    if parameters.fit is not None and parameters.fit.residuals and not shape.shared_kv:
        correction = residual_correction(parameters.fit.residuals, attention_features(shape))
        if _streams_cache(shape) and parameters.fit.weight_copies is not None:
            cache = np.broadcast_to(kv_bytes, total_us.shape).ravel().astype(np.float32)
            touched = cache * np.float32(parameters.fit.weight_copies)
            trust = trust_when_cold(parameters.values, profile.chip.l2_bytes, touched)
            correction = np.where(correction < 0, correction * trust, correction)
        total_us = total_us * np.exp(correction.astype(np.float64).reshape(total_us.shape))
    kernel_s = np.maximum(total_us - launch_us, 0.0) / MEGA
    half_width, in_range = _interval(parameters, shape, kernel_s)
    return assemble(
        profile,
        parameters,
        error_group="attention",
        flop=flop,
        peak_flop_per_s=peak,
        matrix_floor_s=flop / peak,
        model_bytes=kv_bytes if _streams_cache(shape) else np.zeros_like(kv_bytes),
        kernel_bytes=kv_bytes + attention_query_bytes(shape),
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(profile, kernel_s, launch_us, 1, cuda_graph=cuda_graph),
        limiter=limiter.astype(np.int8),
        log_half_width=half_width,
        in_range=in_range,
    )


def _streams(shape: Attention) -> StreamsFunction:
    """The model of a kernel whose cache is K and V at once, or of split decode."""
    if not shape.shared_kv:
        return decode_streams_us
    if shape.scores_only:
        return score_streams_us
    return chosen_streams_us if shape.chosen else latent_streams_us


OF_WIDER_CACHE: Mapping[Phase, float] = {Phase.PREFILL: 0.3, Phase.DECODE: 0.5}
"""Half-width that a fit of 16-bit caches gains where it stands in for narrower ones, whose bytes it halves.

Their kernels are others: 80 % of its errors on H100 and L40S lie within 0.28 to 0.31, and 0.33 to 0.63.
"""


def narrow_cache(shape: Attention) -> DType | None:
    """The cache's type where K and V are stored in fewer bytes than they are multiplied in: other kernels."""
    return shape.kv_dtype if shape.kv_dtype is not None and shape.kv_dtype.bytes < shape.dtype.bytes else None


def attention_kind(shape: Attention) -> str:
    """The kind that fits know a shape's kernel by: `attention.decode`, or `attention.decode.fp8`."""
    cache = narrow_cache(shape)
    return f"attention.{shape.phase.value}" + ("" if cache is None else f".{cache.value}")


SPREAD_PER_OCTAVE = 0.27
"""Half-width that an interval gains over the first doubling of the context beyond the samples.

Further doublings add in quadrature. Found on five GPUs (A100, H100, L40S, B200, RTX PRO 6000): of fits on
prompts of up to 1,024 tokens, 80 % of the errors at 2, 4, 8 and 16 times as many lie, in quadrature, within
0.15, 0.25, 0.33 and 0.34 (medians of the five): 0.15 to 0.19 of the root of the doublings. It is wider than
that because a prompt of 50,000 tokens on an A100 took a third more than predicted (microsoft/MInference).
"""


def _streams_cache(shape: Attention) -> bool:
    """Whether the KV cache must come from memory: in decode, unless a timing loop keeps it in L2."""
    return shape.phase is Phase.DECODE and shape.kv_copies is None


def _interval(
    parameters: KindParameters, shape: Attention, like: Array
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Half-width of each shape's 80 % interval, and whether the shape lies in the calibrated range.

    Beyond the longest context of the samples it grows with the distance; where the fit of a wider KV cache
    stands in, by what such fits were off; and by what kernels of chosen tokens lie apart.
    """
    outside = parameters.interval.outside
    unlike = LOG_HALF_WIDTH if shape.chosen or shape.scores_only else 0.0
    if parameters.fit is None:
        return np.full(like.shape, np.hypot(outside, unlike)), np.zeros(like.shape, dtype=np.bool_)
    widths = regime_widths(parameters.interval.by_regime, ATTENTION_REGIMES, outside)
    in_range = np.ones(like.shape, dtype=np.bool_)
    for name, (low, high) in parameters.fit.ranges.items():
        dimension = _attended(shape) if name == "context_len" else as_array(getattr(shape, name))
        in_range = in_range & (dimension >= low) & (dimension <= high)
    width = widths[attention_regime(shape.batch, _attended(shape))]
    if not parameters.exact:
        width, in_range = np.hypot(width, OF_WIDER_CACHE[shape.phase]), np.zeros_like(in_range)
    _, longest = parameters.fit.ranges.get("context_len", (0.0, np.inf))
    octaves = np.log2(np.maximum(_attended(shape) / longest, 1.0))
    beyond = np.sqrt(np.maximum(width, outside) ** 2 + unlike**2 + SPREAD_PER_OCTAVE**2 * octaves)
    in_range = in_range & (unlike == 0)
    return np.where(in_range, width, beyond), in_range


def _cost(shape: Attention, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Generated decode attention streams the cache as fast as the library's: SeerAttention-R (arXiv
    2506.08889) measures up to 9x of a possible 10x at 90 % sparsity.
    """
    cost = attention_cost(shape, profile, cuda_graph=cuda_graph)
    return as_generated(cost) if shape.generated and shape.phase is not Phase.DECODE else cost


ATTENTION = KernelKind(
    shape=Attention,
    cost=_cost,
    flop=attention_flop,
    operand_bytes=lambda shape: attention_kv_bytes(shape) + attention_query_bytes(shape),
    multiplies_in=multiplied_in,
    fitted_as=lambda shape, _: attention_kind(shape),
)
