"""Work and floors: FLOPs, compulsory bytes, and the time that no kernel can beat.

Floor of a kernel on its own: max(FLOPs / peak at the highest clock, compulsory bytes / bandwidth). Cold
weights and KV cache are read whole, whatever L2 holds; of operands and results that may be hot counts what L2
cannot hold (`kernel_floor_s`). Inside a model only weights and KV cache are compulsory: all of them in the
cold roofline, less L2 once a step in the floor (`step_floor_s`).
"""

from __future__ import annotations

import numpy as np

from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.dtypes import Precision
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Attention, Gemm, WeightForm

POSITION_BITS = 2.0
"""2:4 keeps two of four values and two bits of position for each (PTX ISA, mma.sp metadata)."""

SLIDE_LENGTHENING = 1.5
"""6:8 in windows that slide by two over eight values: three of four each (SlideSparse, arXiv 2603.05232)."""


def gemm_flop(m: Numeric, n: Numeric, k: Numeric) -> Array:
    """Count a multiply and an add for each of the M*N*K products."""
    return 2.0 * as_array(m) * n * k


def weight_bytes_each(precision: Precision, form: WeightForm) -> float:
    """Bytes in memory per value of the dense weight matrix: 2:4 leaves 9/16 in 16 bit, 5/8 in 8, 3/4 in 4."""
    if form is WeightForm.DENSE:
        return precision.weight_bytes
    value_bits = 8.0 * (int(2 * precision.weight_bytes) / 2)  # without the scales of a group
    share = 0.5 * (1 + POSITION_BITS / value_bits)
    lengthened = SLIDE_LENGTHENING if form is WeightForm.SLIDE_6_8 else 1.0
    return precision.weight_bytes * share * lengthened


def gemm_weight_bytes(shape: Gemm) -> Array:
    """Bytes of W as stored."""
    return as_array(shape.n) * shape.k * weight_bytes_each(shape.precision, shape.weights)


def gemm_activation_bytes(shape: Gemm) -> Array:
    """Bytes of A read and O written."""
    precision = shape.precision
    return as_array(shape.m) * (
        as_array(shape.k) * precision.activation_bytes + as_array(shape.n) * precision.output_bytes
    )


def causal_pairs(query_len: Numeric, context_len: Numeric, window: int | None) -> Array:
    """(query, key) pairs of one head: the q-th of the last `query_len` tokens sees all up to itself.

    With a window w a query sees at most w keys. Exact for integers: a sum of min(position, w).
    """
    q, c = as_array(query_len), as_array(context_len)
    pairs = q * (c - q) + q * (q + 1) / 2
    if window is None:
        return pairs
    first = c - q + 1
    seen_in_full = np.clip(np.minimum(c, window) - first + 1, 0, None)
    growing = seen_in_full * (first + np.minimum(c, window)) / 2
    return growing + (q - seen_in_full) * window


def attention_flop(shape: Attention) -> Array:
    """Two multiply-adds (Q K^T and P V) for each pair, head and channel; `kept` of the blocks."""
    pairs = causal_pairs(shape.query_len, shape.context_len, shape.window)
    heads = as_array(shape.batch) * shape.num_heads
    return 4.0 * heads * pairs * shape.mean_dim * shape.kept


def attention_kv_bytes(shape: Attention) -> Array:
    """Bytes of K and V that the queries reach: KV heads are read once for their whole group (GQA).

    Where V is part of K (absorbed latent attention), K is all there is.
    """
    kv_dtype = shape.kv_dtype or shape.dtype
    context = as_array(shape.context_len)
    if shape.window is not None:
        context = np.minimum(context, shape.window + as_array(shape.query_len) - 1)
    channels = as_array(shape.head_dim) if shape.shared_kv else 2.0 * as_array(shape.mean_dim)
    cached = channels * as_array(shape.batch) * context * shape.num_kv_heads * kv_dtype.bytes
    return cached * shape.kept


def attention_query_bytes(shape: Attention) -> Array:
    """Bytes of Q read and O written."""
    tokens = as_array(shape.batch) * shape.query_len
    return 2.0 * tokens * shape.num_heads * shape.mean_dim * shape.dtype.bytes


def memory_floor_s(kernel_bytes: Array, cold_bytes: Numeric, profile: HardwareProfile) -> Array:
    """Seconds to stream a kernel's cold bytes, and of the others what cannot already sit in L2."""
    cold = as_array(cold_bytes)
    beyond_l2 = np.maximum(0.0, kernel_bytes - cold - profile.chip.l2_bytes)
    return (cold + beyond_l2) / profile.memory.bandwidth_bytes_per_s


def kernel_floor_s(
    matrix_floor_s: Array, kernel_bytes: Array, profile: HardwareProfile, *, cold_bytes: Numeric
) -> Array:
    """Floor of one kernel on its own; `cold_bytes` of its bytes are known to lie in memory."""
    return np.maximum(matrix_floor_s, memory_floor_s(kernel_bytes, cold_bytes, profile))


def step_floor_s(matrix_s: Array, stream_s: Array, profile: HardwareProfile) -> Array:
    """Floor of a whole step from its ops' matrix and streaming times, ops along axis 0.

    Each op takes max(matrix, stream). What L2 may still hold from before the step, at most its capacity
    once, is credited where it helps most: against the time by which streaming exceeds the matrix time.
    """
    op_s = np.maximum(matrix_s, stream_s)
    exposed_s = (op_s - matrix_s).sum(axis=0)
    credit_s = profile.chip.l2_bytes / profile.memory.bandwidth_bytes_per_s
    total: Array = op_s.sum(axis=0) - np.minimum(credit_s, exposed_s)
    return total
