"""How far the longest of many block-sparse marches exceeds the mean: random masks load SMs unevenly."""

from __future__ import annotations

import numpy as np

from infersim.domain.arrays import Array, Numeric, as_array


def longest_over_mean(kept: Numeric, blocks: Numeric, chains: Numeric) -> Array:
    """Expected longest march over the mean, of `chains` marches that keep each of `blocks` blocks by chance.

    The number of kept blocks is binomial: mean b p, deviation sqrt(b p (1 - p)); the greatest of n normal
    values lies about sqrt(2 ln n) deviations above the mean. No march is longer than all of its blocks.
    """
    kept, blocks = as_array(kept), np.maximum(blocks, 1.0)
    deviation = np.sqrt((1 - kept) / (blocks * kept))
    above = np.sqrt(2 * np.log(np.maximum(chains, 1.0))) * deviation
    longest: Array = np.minimum(1 + above, 1 / kept)
    return longest
