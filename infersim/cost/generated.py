"""What kernels cost that come from a tile compiler (Triton, TileLang) instead of the vendor's library.

Pruning at run time needs them: no library GEMM or attention leaves out rows or blocks by a mask.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from infersim.domain.costs import KernelCost

GENERATED_EFFICIENCY = 0.75
"""Speed of a generated kernel over the library's: the middle of what PyTorch's "CUDA-Free Inference for LLMs"
(2024) reports of Llama-3-8B with all kernels in Triton, 0.76-0.78 on H100 and 0.62-0.82 on A100."""

GENERATED_LOG_HALF_WIDTH = 0.14
"""80 % half-width of its log: half of ln(0.82 / 0.62)."""


def as_generated(library: KernelCost) -> KernelCost:
    """The cost of a generated kernel that does the work of `library`'s.

    It multiplies and streams at GENERATED_EFFICIENCY of the library's speed, as it does without the
    library's choice among hundreds of tiles and splits of K. No samples stand behind it: it lies outside the
    calibrated range.
    """
    return replace(
        library,
        kernel_s=library.kernel_s / GENERATED_EFFICIENCY,
        log_half_width=np.hypot(library.log_half_width, GENERATED_LOG_HALF_WIDTH),
        pair_log_half_width=np.hypot(library.pair_log_half_width, GENERATED_LOG_HALF_WIDTH),
        in_range=np.zeros_like(library.in_range),
    )
