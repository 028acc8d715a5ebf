"""What kernels cost that come from a tile compiler (Triton, TileLang) instead of the vendor's library.

Pruning at run time needs them: no library GEMM or attention leaves out rows or blocks by a mask.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.costs import KernelCost

STREAMING_SPEED = 0.75
"""Speed over the library's with few tokens in flight: the middle of what PyTorch's "CUDA-Free Inference for
LLMs" (2024) reports of a token of Llama-3-8B, all kernels in Triton: 0.76-0.78 on H100, 0.62-0.82 on A100."""

MULTIPLYING_SPEED = 0.88
"""The same where tensor cores are busy: 186 of cuBLAS' 211 TFLOP/s in bf16 on A100 for 4096 x 4096 x 4096
(github.com/triton-lang/triton, issue 743)."""

BUSY_SHARE = 0.6
"""Share of the tensor peak from which a kernel counts as multiplying through and through."""

LOG_HALF_WIDTH = 0.14
"""80 % half-width of the log of either speed: half of ln(0.82 / 0.62)."""


def generated_speed(library: KernelCost) -> Array:
    """Speed of a generated kernel over the library's, by how near to the tensor peak the library's comes."""
    busy = np.minimum(library.matrix_floor_s / (BUSY_SHARE * library.kernel_s), 1.0)
    speed: Array = STREAMING_SPEED + (MULTIPLYING_SPEED - STREAMING_SPEED) * busy
    return speed


def as_generated(library: KernelCost) -> KernelCost:
    """The cost of a generated kernel that does the work of `library`'s.

    It lacks the library's choice among hundreds of tiles and splits of K. No samples stand behind it: it lies
    outside the calibrated range.
    """
    return replace(
        library,
        kernel_s=library.kernel_s / generated_speed(library),
        log_half_width=np.hypot(library.log_half_width, LOG_HALF_WIDTH),
        pair_log_half_width=np.hypot(library.pair_log_half_width, LOG_HALF_WIDTH),
        in_range=np.zeros_like(library.in_range),
    )
