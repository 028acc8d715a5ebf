"""How many copies of its weights a timing loop rotates over, so that caches are as cold as in a model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from infersim.domain.errors import InvalidValueError

COLD_CACHES = 2.0
"""A loop that touches so many times the cache finds nothing of a copy when it comes back to it."""

MOST_COPIES = 1024
"""Calls that a graph may hold for one kernel. Smaller weights than cache x 2 / 1024 stay partly warm."""


class CacheState(StrEnum):
    """`cold`: weights come from memory, as in a model; `hot`: the same weights in every call."""

    COLD = "cold"
    HOT = "hot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """`copies` of `copy_bytes` each, and whether together they are too large for the cache."""

    copies: int
    is_cold: bool


def rotation(
    copy_bytes: float, cache_bytes: float, state: CacheState, *, most_copies: int = MOST_COPIES
) -> Rotation:
    """The copies to rotate over for weights of `copy_bytes` behind a cache of `cache_bytes`."""
    if copy_bytes <= 0:
        raise InvalidValueError("copy_bytes", copy_bytes, "a positive number")
    if state is CacheState.HOT:
        return Rotation(copies=1, is_cold=False)
    wanted = max(2, math.ceil(COLD_CACHES * cache_bytes / copy_bytes))
    copies = min(wanted, most_copies)
    return Rotation(copies=copies, is_cold=copies == wanted)
