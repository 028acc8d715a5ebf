"""Regimes that errors are told apart by: how many tokens are in flight and how large the matrix is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array, Numeric, as_array

DECODE_MAX_M = 16
PREFILL_MIN_M = 1024
LARGE_MIN_NK = 2.0**22
"""N x K from which a matrix counts as large: the smallest linear layers of today's LLMs (2048 x 2048)."""

GEMM_REGIMES: tuple[str, ...] = (
    "decode small",
    "mid small",
    "prefill small",
    "decode large",
    "mid large",
    "prefill large",
)


def gemm_regime(m: Numeric, n: Numeric, k: Numeric) -> npt.NDArray[np.intp]:
    """Index into GEMM_REGIMES of each shape."""
    m, nk = as_array(m), as_array(n) * k
    phase = (m > DECODE_MAX_M).astype(np.intp) + (m >= PREFILL_MIN_M)
    return np.asarray(phase + 3 * (nk >= LARGE_MIN_NK))


ATTENTION_REGIMES: tuple[str, ...] = ("short", "long")
LONG_MIN_TOKENS = 2.0**16
"""Batch x context from which attention leaves the launch floor behind."""


def attention_regime(batch: Numeric, context_len: Numeric) -> npt.NDArray[np.intp]:
    """Index into ATTENTION_REGIMES of each shape."""
    return (as_array(batch) * context_len >= LONG_MIN_TOKENS).astype(np.intp)


MEMORY_REGIMES: tuple[str, ...] = ("small", "large")
LARGE_MIN_BYTES = 2.0**22
"""Bytes that a small kernel moves from which they take longer than its launch."""


def memory_regime(moved_bytes: Numeric) -> npt.NDArray[np.intp]:
    """Index into MEMORY_REGIMES of each kernel."""
    return (as_array(moved_bytes) >= LARGE_MIN_BYTES).astype(np.intp)


def regime_widths(by_regime: Mapping[str, float], names: tuple[str, ...], otherwise: float) -> Array:
    """Interval half-widths in the order of `names`."""
    return np.array([by_regime.get(name, otherwise) for name in names])
