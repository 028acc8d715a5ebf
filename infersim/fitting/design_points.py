"""Points of a plan: one scrambled Sobol sequence for each part, turned into dimensions of kernels.

A Sobol sequence fills a cube evenly whatever its length, so that a part can be cut off after any row. Every
axis of a part, also its choices among head counts or matrices, is an axis of the cube. (I. M. Sobol', USSR
Comput. Math. Math. Phys. 7, 1967; scrambled as in A. B. Owen, J. Complexity 14, 1998.)
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array

Counts = npt.NDArray[np.int64]

SPARE = 16
"""Points drawn for each row that is asked for: those that are over a limit or there already are replaced."""


class SobolPoints:
    """Points of one part of a plan, an axis at a time; the same for the same seed and name.

    The name is part of the seed, so that parts are independent and one can be added without moving others.
    """

    def __init__(self, *, axes: int, rows: int, seed: int, name: str) -> None:
        from scipy.stats import qmc

        stream = np.random.default_rng([seed, zlib.crc32(name.encode())])
        # A power of two in all: only such a block is balanced, and scipy warns about others.
        power = math.ceil(math.log2(rows * SPARE))
        self._axes = iter(qmc.Sobol(axes, scramble=True, seed=stream).random_base2(power).T)

    def next_axis(self) -> Array:
        """Coordinates of all points along the next axis, in [0, 1)."""
        return np.asarray(next(self._axes), dtype=np.float64)

    def logarithmic(self, span: Sequence[int]) -> Array:
        """Numbers from the first to the last of `span`, spread evenly over the logarithm."""
        low, high = np.log2(span)
        values: Array = np.exp2(low + self.next_axis() * (high - low))
        return values

    def chosen(self, choices: int) -> Counts:
        """Places from 0 to `choices` - 1, each as often as the others."""
        return np.floor(self.next_axis() * choices).astype(np.int64)


def whole(values: Array, span: Sequence[int]) -> Counts:
    """The nearest whole numbers within `span`."""
    first, last = span
    numbers: Counts = np.clip(np.rint(values), first, last).astype(np.int64)
    return numbers


def aligned(values: Array, span: Sequence[int], alignment: npt.ArrayLike, any_multiple: int) -> Counts:
    """The numbers within `span` near `values` whose largest power of two is `alignment`; 0 where none is.

    `any_multiple` is the alignment that any multiple of it will do for. The others are odd multiples.
    """
    step = np.broadcast_to(np.asarray(alignment, dtype=np.int64), np.shape(values))
    odd = step != any_multiple
    # Multiples are step * (stride * i + offset): all of them, or the odd ones.
    stride, offset = np.where(odd, 2, 1), np.where(odd, 1, 0)
    first, last = span
    lowest = -((step * offset - first) // (step * stride))
    highest = (last - step * offset) // (step * stride)
    nearest = np.rint((values / step - offset) / stride).astype(np.int64)
    multiples = step * (stride * np.clip(nearest, lowest, highest) + offset)
    numbers: Counts = np.where(lowest <= highest, multiples, 0)
    return numbers
