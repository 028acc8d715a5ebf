"""Regimes that errors of each kind of kernel are told apart by, each from the kernel's shape alone."""

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


EXPERT_REGIMES: tuple[str, ...] = ("few hit", "streaming", "filling", "multiplying")
FEW_HITS, FILLING_TOKENS, MULTIPLYING_TOKENS = 8.0, 8.0, 64.0
"""Experts that are hit at most, and tokens of each from which they fill tiles, or multiplying counts."""


def expert_regime(pairs: Array, hits: Array) -> npt.NDArray[np.intp]:
    """Index into EXPERT_REGIMES: few experts are hit, many by few tokens each, by some, or by many."""
    each = pairs / np.maximum(hits, 1.0)
    index = 1 + (each >= FILLING_TOKENS).astype(np.intp) + (each >= MULTIPLYING_TOKENS)
    return np.where((hits <= FEW_HITS) & (each < FILLING_TOKENS), 0, index)


COLLECTIVE_REGIMES: tuple[str, ...] = ("short", "middle", "long")
MIDDLE_BYTES, LONG_BYTES = 2.0**17, 2.0**24
"""Buffers from which sending counts beside waiting, and from which it is all that counts."""


def collective_regime(message_bytes: Numeric) -> npt.NDArray[np.intp]:
    """Index into COLLECTIVE_REGIMES of each exchange."""
    bytes_ = as_array(message_bytes)
    return np.asarray((bytes_ >= MIDDLE_BYTES).astype(np.intp) + (bytes_ >= LONG_BYTES))


def regime_widths(by_regime: Mapping[str, float], names: tuple[str, ...], otherwise: float) -> Array:
    """Interval half-widths in the order of `names`."""
    return np.array([by_regime.get(name, otherwise) for name in names])
