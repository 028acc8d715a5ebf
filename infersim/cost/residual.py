"""The smooth residual: corrections of log latency on grids, linear between knots, zero far outside."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from infersim.cost.machine import F32, kept_in_l2
from infersim.domain.errors import UnknownNameError
from infersim.domain.fit import ResidualGrid

FADE = 2.0
"""Distance outside a grid, in the unit of its features (octaves), over which a correction fades to zero."""


def trust_when_cold(p: Mapping[str, float], l2_bytes: float, touched_bytes: F32) -> F32:
    """Share of a residual below 0 that a cold kernel may lean on, where the fit's loop kept data in L2.

    `touched_bytes` is what such a loop over the same shape touches before it returns. Up to twice the
    residency's capacity the residual tells of L2, and of where its edge lies, not of the kernel.
    """
    return 1 - kept_in_l2(p, 2 * l2_bytes, touched_bytes)


def residual_correction(grids: tuple[ResidualGrid, ...], features: Mapping[str, F32]) -> F32:
    """Sum of the grids' natural-log corrections; `features` are 1-D arrays of one length, by name."""
    total = _evaluate(grids[0], features)
    for grid in grids[1:]:
        total += _evaluate(grid, features)
    return total


def _evaluate(grid: ResidualGrid, features: Mapping[str, F32]) -> F32:
    """Multilinear interpolation between the knots around each point."""
    strides = [int(np.prod(grid.values.shape[axis + 1 :])) for axis in range(grid.values.ndim)]
    points = len(next(iter(features.values())))
    fade, origin = np.ones(points, dtype=np.float32), np.zeros(points, dtype=np.int32)
    fractions = []
    for axis, stride in zip(grid.axes, strides, strict=True):
        if axis.name not in features:
            raise UnknownNameError("axis of a residual", axis.name, features)
        position = features[axis.name]
        inside = np.clip(position, np.float32(axis.low), np.float32(axis.high))
        outside = np.maximum(inside - position, 0) if axis.holds_above else np.abs(position - inside)
        fade *= np.maximum(1 - outside * np.float32(1 / FADE), np.float32(0))
        knot = (inside - np.float32(axis.low)) * np.float32((axis.count - 1) / (axis.high - axis.low))
        cell = np.minimum(knot.astype(np.int32), axis.count - 2)
        fractions.append(knot - cell)
        origin += cell * np.int32(stride)
    values = grid.values.ravel()
    corners = [sum(chosen) for chosen in product(*((0, stride) for stride in strides))]
    layers = [values.take(origin + corner) for corner in corners]
    for fraction in reversed(fractions):
        layers = [low + (high - low) * fraction for low, high in zip(layers[::2], layers[1::2], strict=True)]
    result: F32 = layers[0] * fade
    return result
