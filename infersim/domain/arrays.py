"""Array types shared by all layers: every dimension is a number or an array over the scenario axis."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
"""A float64 array."""

Numeric: TypeAlias = float | int | npt.NDArray[np.floating[Any]] | npt.NDArray[np.integer[Any]]
"""A number, or an array that broadcasts over the scenario axis."""


def as_array(value: Numeric) -> Array:
    """Return `value` as a float64 array without copying one that already is."""
    return np.asarray(value, dtype=np.float64)
