"""Regimes that errors of expert layers are told apart by: tokens that an expert which is hit gets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array

EXPERT_REGIMES: tuple[str, ...] = ("few hit", "streaming", "filling", "multiplying")
FEW_HITS, FILLING_TOKENS, MULTIPLYING_TOKENS = 8.0, 8.0, 64.0


def expert_regime(pairs: Array, hits: Array) -> npt.NDArray[np.intp]:
    """Index into EXPERT_REGIMES: few experts are hit, many by few tokens each, by some, or by many."""
    each = pairs / np.maximum(hits, 1.0)
    index = 1 + (each >= FILLING_TOKENS).astype(np.intp) + (each >= MULTIPLYING_TOKENS)
    return np.where((hits <= FEW_HITS) & (each < FILLING_TOKENS), 0, index)
