"""The smooth residual: a correction of log latency on a grid, linear between knots, zero far outside."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from infersim.domain.fit import ResidualGrid

FADE_OCTAVES = 2.0
"""Distance outside the grid, in octaves of a dimension, over which the correction fades to zero."""


def evaluate_residual(
    grid: ResidualGrid, dimensions: tuple[npt.NDArray[np.float32], ...]
) -> npt.NDArray[np.float32]:
    """Natural-log correction at each point; `dimensions` in the order of the grid's axes, 1-D, positive."""
    points = len(dimensions[0])
    fade = np.ones(points, dtype=np.float32)
    cells, fractions = [], []
    for axis, dimension in zip(grid.axes, dimensions, strict=True):
        position = np.log2(dimension)
        outside = np.maximum(np.float32(axis.low) - position, position - np.float32(axis.high))
        fade *= np.clip(1 - outside / np.float32(FADE_OCTAVES), 0, 1)
        knots = (position - np.float32(axis.low)) * np.float32((axis.count - 1) / (axis.high - axis.low))
        knots = np.clip(knots, 0, np.float32(axis.count - 1.001))
        cell = knots.astype(np.intp)
        cells.append(cell)
        fractions.append(knots - cell)
    flat = grid.values.ravel()
    strides = [int(np.prod(grid.values.shape[i + 1 :])) for i in range(len(cells))]
    origin = sum(cell * stride for cell, stride in zip(cells, strides, strict=True))
    total = np.zeros(points, dtype=np.float32)
    for corner in product((0, 1), repeat=len(cells)):
        offset = sum(bit * stride for bit, stride in zip(corner, strides, strict=True))
        share = np.ones(points, dtype=np.float32)
        for bit, fraction in zip(corner, fractions, strict=True):
            share = share * (fraction if bit else 1 - fraction)
        total += share * flat[origin + offset]
    return total * fade
