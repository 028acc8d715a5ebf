"""Experts of fixed popularity: the share of the one of rank r falls as r to a power (Zipf's law).

Routers are trained to spread tokens evenly over all text; the text of one service is less even, and the same
experts are popular with every token of it. Such layers hit fewer experts than random draws would.
"""

from __future__ import annotations

import numpy as np

from infersim.cost.machine import F32

POINTS = 128
"""Equally many experts of each rank that are looked at: each one, where a layer has no more."""

_ROUNDS = 8
"""What shares above one choice a token leave to the others is spread so many times."""

_BEFORE = (np.arange(POINTS, dtype=np.float32) / POINTS)[::-1, np.newaxis]
"""Experts before each point, from the least popular one on."""


def chances(num_experts: F32, top_k: F32, exponent: float) -> F32:
    """That a token chooses an expert, POINTS of them along axis 0, in ascending order.

    Their mean is `top_k / num_experts`; no token chooses an expert twice. One column stands for all where the
    layers are alike.
    """
    if num_experts.size and (num_experts == num_experts[0]).all() and (top_k == top_k[0]).all():
        num_experts, top_k = num_experts[:1], top_k[:1]
    each = np.maximum(num_experts / POINTS, np.float32(1))
    first = np.floor(_BEFORE * num_experts + np.float32(1e-4)) + np.float32(0.5)
    ranks = np.where(each > 1, _BEFORE * num_experts + each / 2 + np.float32(0.5), first + np.float32(0.5))
    wanted = np.minimum(top_k / num_experts, np.float32(1))
    shares = ranks ** np.float32(-exponent)
    found = shares * (wanted / shares.mean(axis=0))
    for _ in range(_ROUNDS):
        found = np.minimum(found, np.float32(1))
        below = np.where(found < 1, found, np.float32(0))
        rest = wanted - (found - below).mean(axis=0)
        found = np.where(found < 1, below * (rest / np.maximum(below.mean(axis=0), np.float32(1e-9))), found)
    result: F32 = np.minimum(found, np.float32(1))
    return result
