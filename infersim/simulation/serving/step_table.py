"""A table of steps: seconds of a decode step by batch and context, read off between its points.

The scheduler takes thousands of steps one by one; timing each by its kernels would take minutes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from infersim.simulation.serving.steps import Served

POINTS = 48
"""Points of each axis, in steps of equal ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTable:
    """Batches and contexts that were timed, and their seconds, row by row; linear between them."""

    batches: list[float]
    contexts: list[float]
    seconds: list[list[float]]

    def decode_s(self, batch: float, context: float) -> float:
        """Seconds of a step; beyond the table as at its edge."""
        row, right = _place(self.batches, batch)
        column, along = _place(self.contexts, context)
        above, below = self.seconds[row], self.seconds[row + 1]
        first = above[column] + along * (above[column + 1] - above[column])
        second = below[column] + along * (below[column + 1] - below[column])
        return first + right * (second - first)


def step_table(served: Served, most_batch: int, most_context: float) -> StepTable:
    """Timed up to so many sequences and so long a context."""
    graph = served.engine.kernels.graph_batch
    # Kernels take their tiles whole: time steps up behind each multiple of these.
    tiles = [*range(8, 65, 8), *range(64, most_batch + 1, 64), graph]
    edges = [edge + beyond for edge in tiles for beyond in (0, 1) if 1 <= edge + beyond <= most_batch]
    batches = np.unique([*_points(max(2, most_batch)), *edges])
    contexts = _points(max(2.0, most_context))
    times = served.decode(batches[:, np.newaxis], contexts[np.newaxis, :])
    return StepTable(batches=batches.tolist(), contexts=contexts.tolist(), seconds=times.seconds.tolist())


def _points(most: float) -> np.ndarray:
    return np.unique(np.geomspace(1, most, POINTS).round())


def _place(points: list[float], value: float) -> tuple[int, float]:
    """The point before `value`, and how far it is to the next, from 0 to 1."""
    place = min(max(bisect_right(points, value) - 1, 0), len(points) - 2)
    share = (value - points[place]) / (points[place + 1] - points[place])
    return place, min(max(share, 0.0), 1.0)
