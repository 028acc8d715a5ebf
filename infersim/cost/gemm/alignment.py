"""What a GEMM loses whose rows do not start on 16-byte boundaries: N or K off the multiple of 8 in 16 bit.

None of the samples behind the shipped fits holds such a shape, so these are stated guesses, told wherever
they enter: outside the calibrated range, and in a note beside comparisons.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm

VECTOR_BYTES = 16
"""What a thread loads at once, and what the bulk copies of Hopper and later need rows to start on (CUDA C++
Programming Guide, asynchronous copies: `globalStrides` must be a multiple of 16)."""

LOAD_SPEED: dict[int, float] = {16: 1.0, 8: 0.95, 4: 0.85, 2: 0.6, 1: 0.6}
"""Speed by the bytes that a row of A and W is aligned to, uncalibrated: narrower loads need more
instructions for the same bytes, and below 4 bytes there is no asynchronous copy to shared memory."""

BULK_COPY_GENERATIONS = frozenset({"hopper", "blackwell"})
"""Whose fastest tensor instructions are fed by bulk copies: kernels without them fall back to older ones."""

FALLBACK_TENSOR_SPEED = 0.63
"""The older instructions' share of Hopper's peak: 62.9 % (arXiv 2402.13499)."""

UNKNOWN_SPREAD = {True: 1.6, False: 0.5}
"""Log half-width that misaligned rows add, on generations that are fed by bulk copies and on others.

It reaches the few published times: K of 588 instead of 592 took an H100 131 us instead of 37 (bf16, M 9477,
N 1152), predicted 28; an LM head of 248,077 columns took an A100 1.67 ms (M 16, K 2560), predicted 1.05.
"""


def aligned_bytes(dimension: Array, value_bytes: float) -> npt.NDArray[np.int64]:
    """The power of two, at most 16, that divides rows of `dimension` values."""
    row_bytes = np.rint(dimension * value_bytes).astype(np.int64)
    return np.gcd(row_bytes, VECTOR_BYTES)


def _value_bytes(with_scales: float) -> float:
    """Bytes of a value without its part of a group's scale, which is stored apart: a multiple of 4 bit."""
    return int(2 * with_scales) / 2


def misaligned(shape: Gemm) -> npt.NDArray[np.bool_]:
    """Where rows of an operand or of the result do not start on 16-byte boundaries."""
    k_bytes = aligned_bytes(as_array(shape.k), _value_bytes(shape.precision.activation_bytes))
    n_bytes = aligned_bytes(as_array(shape.n), shape.precision.output_bytes)
    off: npt.NDArray[np.bool_] = (k_bytes < VECTOR_BYTES) | (n_bytes < VECTOR_BYTES)
    return off


def with_alignment(shape: Gemm, aligned: KernelCost, profile: HardwareProfile) -> KernelCost:
    """The cost of `shape` from that of a kernel which finds its rows aligned.

    Rows of K are loaded (A and W), rows of N only stored, so K alone slows loading; for the fallback to older
    tensor instructions either is enough, and it hurts as far as multiplying is what bounds the kernel.
    """
    off = np.broadcast_to(misaligned(shape), aligned.kernel_s.shape)
    if not off.any():
        return aligned
    k_bytes = aligned_bytes(as_array(shape.k), _value_bytes(shape.precision.activation_bytes))
    speed = np.select([k_bytes == size for size in LOAD_SPEED], list(LOAD_SPEED.values()))
    kernel_s = aligned.kernel_s / speed
    if profile.generation in BULK_COPY_GENERATIONS:
        longer = (1 / FALLBACK_TENSOR_SPEED) ** 4 - 1
        kernel_s = (kernel_s**4 + off * longer * aligned.matrix_floor_s**4) ** 0.25
    spread = UNKNOWN_SPREAD[profile.generation in BULK_COPY_GENERATIONS]
    return replace(
        aligned,
        kernel_s=kernel_s,
        in_range=aligned.in_range & ~off,
        log_half_width=np.hypot(aligned.log_half_width, spread * off),
    )
