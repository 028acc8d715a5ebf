"""What a GEMM loses whose rows do not start on 16-byte boundaries: N or K off the multiple of 8 in 16 bit.

A library has kernels for the alignment that all of its operands share, rows of K (A and W) and rows of N (the
result): an odd N alone makes it load A and W value by value. What follows, by generation:

- All: loads of 8, 4 and 2 bytes instead of 16. Below 4 bytes there is no asynchronous copy to shared memory,
  and cuBLAS runs Turing's kernels (`cutlass_75_..._align1`). Weights stream slower (`LOAD_SPEED`), and an SM
  that multiplies fast waits for its load instructions (`LOAD_BYTES`): data-centre parts since A100 do,
  graphics cards, which multiply at a quarter of that rate, hardly.
- Hopper and data-centre Blackwell: the bulk copy engine, which feeds the fastest tensor instructions, takes
  strides of whole 16 bytes only (CUDA C++ Programming Guide, `globalStrides`), so that the older kernels
  with their older instructions are what is left. It matters as far as multiplying bounds the kernel.

A single token is a vector: N is then the length of its row, and no reason for another kernel.

None of the samples behind the shipped fits holds such a shape. The factors go between the published points,
and the interval reaches them:

- an LM head of 248,077 columns took an A100 40GB 1.67 ms (M 16, K 2560; pegainfer pull request 1046);
- a vocabulary of 50,304 instead of 50,257 made training steps of nanoGPT about 25 % faster on A100
  (A. Karpathy, 2023), which is 1.8 for its LM head, a third of the FLOPs;
- bf16 squares of 2055, 2057 and 2071 took an RTX 4090 150 to 163 us, and 2056 and 2072, multiples of 8 but
  not of 16, 194 and 213 (pytorch issue 181718): a kernel badly chosen, which other such widths escape, so
  that only the interval knows of it;
- K of 588 instead of 592 took an H100 131 us instead of 37 (bf16, M 9477, N 1152);
- 1157 x 4096 by 4096 x 1157 took a B200 99 us, with copies that pad it 61 (pytorch pull request 196992).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from infersim.cost.floor import gemm_weight_bytes
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm

VECTOR_BYTES = 16
"""What a thread loads at once, and what the bulk copies of Hopper and later need rows to start on."""

SECTOR_BYTES = 32
"""What memory moves at once; rows on it run the kernels that every table was measured with."""

LOAD_SPEED: dict[int, float] = {16: 1.0, 8: 0.95, 4: 0.85, 2: 0.62, 1: 0.62}
"""Speed of streaming by the bytes that rows share as alignment: narrower loads have fewer bytes under way. At
2 bytes as the LM head of 248,077 columns; 8 and 4 are stated guesses."""

LOAD_BYTES: dict[int, float] = {16: float("inf"), 8: 128.0, 4: 48.0, 2: 16.0, 1: 8.0}
"""Bytes per clock that an SM loads for 128 x 128 tiles: 32 lanes of so many bytes, each also stored in shared
memory, and half of that for what addresses them. Stated guesses; at 2 bytes an A100 loses 1.7 in prefill.
"""

LOAD_TILE = 128.0
"""Edge of the tiles that those kernels load."""

BULK_COPY_GENERATIONS = frozenset({"hopper", "blackwell", "blackwell-ultra"})
"""Whose fastest tensor instructions are fed by bulk copies: kernels without them fall back to older ones."""

FALLBACK_SPEED = 0.4
"""Speed of those older kernels where multiplying bounds them: between 0.63, the older instructions' share of
Hopper's peak (arXiv 2402.13499), and the published 0.28."""

SPREAD, FALLBACK_SPREAD = 0.5, 0.9
"""80 % half-widths of the log of what misaligned rows cost, and of falling back."""

OFF_SECTOR_SPREAD = 0.6
"""The same on rows off 32 bytes, aligned to 16, where there are no bulk copies: a kernel badly chosen."""


def aligned_bytes(dimension: Array, value_bytes: float) -> npt.NDArray[np.int64]:
    """The power of two, at most 16, that divides rows of `dimension` values."""
    return np.gcd(_row_bytes(dimension, value_bytes), VECTOR_BYTES)


def shared_alignment(shape: Gemm) -> npt.NDArray[np.int64]:
    """The bytes, at most 16, on which rows of all operands start."""
    k_rows, n_rows = _rows(shape)
    return np.gcd(np.gcd(k_rows, n_rows), VECTOR_BYTES)


def misaligned(shape: Gemm) -> npt.NDArray[np.bool_]:
    """Where rows of an operand or of the result do not start on 16-byte boundaries."""
    off: npt.NDArray[np.bool_] = shared_alignment(shape) < VECTOR_BYTES
    return off


def with_alignment(shape: Gemm, aligned: KernelCost, profile: HardwareProfile) -> KernelCost:
    """The cost of `shape` from that of a kernel which finds its rows aligned."""
    # Of powers of two, those that divide both divide the bits that either has.
    rows = np.bitwise_or(*_rows(shape)) & (SECTOR_BYTES - 1)
    if not rows.any():
        return aligned
    rows = np.broadcast_to(rows, aligned.kernel_s.shape)
    bulk = profile.generation in BULK_COPY_GENERATIONS
    off, off_sector = rows % VECTOR_BYTES > 0, rows > 0
    if bulk and not off.any():
        return aligned
    streaming_s = gemm_weight_bytes(shape) / profile.memory.bandwidth_bytes_per_s
    multiplying = aligned.matrix_floor_s / (aligned.matrix_floor_s + streaming_s)
    spread = np.hypot(SPREAD, FALLBACK_SPREAD * multiplying) if bulk else SPREAD
    chosen = 0.0 if bulk else OFF_SECTOR_SPREAD * (multiplying > 0.5)
    return replace(
        aligned,
        kernel_s=_slowed(shape, aligned.kernel_s, multiplying, profile),
        in_range=aligned.in_range & ~off,
        log_half_width=np.hypot(
            aligned.log_half_width, np.where(off, spread, np.where(off_sector, chosen, 0.0))
        ),
    )


def _slowed(shape: Gemm, aligned_s: Array, multiplying: Array, profile: HardwareProfile) -> Array:
    """Seconds on rows as they are; `multiplying` is the share of the time that multiplying bounds."""
    k_rows, n_rows = _rows(shape)
    # A vector's result is one row, wherever it starts.
    loaded = np.gcd(np.gcd(k_rows, np.where(as_array(shape.m) > 1, n_rows, 0)), VECTOR_BYTES)
    speed = _by_alignment(loaded, LOAD_SPEED)
    fallback = 1 / FALLBACK_SPEED if profile.generation in BULK_COPY_GENERATIONS else 1.0
    bytes_per_s = _by_alignment(loaded, LOAD_BYTES) * profile.chip.clocks_per_s
    products = as_array(shape.m) * shape.n * shape.k
    loading_s = products * shape.precision.activation_bytes * (2 / LOAD_TILE) / bytes_per_s
    slowed_s = aligned_s * ((1 - multiplying) / speed + multiplying * fallback)
    return np.where(loaded < VECTOR_BYTES, (slowed_s**4 + loading_s**4) ** 0.25, aligned_s)


def _by_alignment(aligned: npt.NDArray[np.int64], values: dict[int, float]) -> Array:
    return np.select([aligned == size for size in values], list(values.values()))


def _rows(shape: Gemm) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bytes of a row of K and of one of N."""
    k_rows = _row_bytes(as_array(shape.k), _value_bytes(shape.precision.activation_bytes))
    return k_rows, _row_bytes(as_array(shape.n), shape.precision.output_bytes)


def _row_bytes(dimension: Array, value_bytes: float) -> npt.NDArray[np.int64]:
    return np.rint(dimension * value_bytes).astype(np.int64)


def _value_bytes(with_scales: float) -> float:
    """Bytes of a value without its part of a group's scale, which is stored apart: a multiple of 4 bit."""
    return int(2 * with_scales) / 2
