"""Reading prompts: seconds of each, by how many are read in one step and share the weights that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.simulation.serving.lengths import Lengths
from infersim.simulation.serving.steps import Served

TOGETHER = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Prompts in one step that are timed; beyond the last nothing more is shared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """Mean seconds to read a prompt, the half-width of their log, and joules: lengths x TOGETHER.

    `new` are mean tokens that are computed, one for each of the lengths.
    """

    new: Array
    seconds: Array
    log_half_width: Array
    joules: Array

    def each_s(self, together: Array) -> Array:
        """Seconds of a prompt where so many are read in one step: lengths x any."""
        return _between(self.seconds, together)

    def each_j(self, together: Array) -> Array:
        """Joules of a prompt."""
        return _between(self.joules, together)

    def width(self, together: Array) -> Array:
        """Their half-width."""
        return _between(self.log_half_width, together)


def reading_of(served: Served, several: Sequence[Lengths]) -> Reading:
    """Prompts of several lengths, each timed once."""
    points = [each.prompt_points() for each in several]
    prompts = np.concatenate([found for found, _ in points])
    cached = np.concatenate([each.found(found) for each, (found, _) in zip(several, points, strict=True)])
    kinds, places = np.unique(np.stack([prompts, cached]), axis=1, return_inverse=True)
    prompts, cached = kinds[:, :, np.newaxis]
    times = served.prefill(prompts, np.array(TOGETHER)[np.newaxis], cached)
    starts = np.cumsum([0, *(found.size for found, _ in points[:-1])])
    shares = np.concatenate([share for _, share in points])[:, np.newaxis]

    def mean(values: Array) -> Array:
        summed: Array = np.add.reduceat(shares * values[places.ravel()], starts, axis=0)
        return summed

    return Reading(
        new=np.array([each.new for each in several])[:, np.newaxis],
        seconds=mean(times.seconds),
        log_half_width=mean(times.log_half_width),
        joules=mean(times.joules),
    )


def _between(table: Array, together: Array) -> Array:
    """Rows of `table` at numbers of prompts between those that were timed, linear in their log."""
    place = np.clip(np.log2(np.maximum(together, 1.0)), 0, len(TOGETHER) - 1)
    low = np.minimum(place.astype(int), len(TOGETHER) - 2)
    rows = np.arange(len(table))[:, np.newaxis]
    first, second = table[rows, low], table[rows, low + 1]
    found: Array = first + (place - low) * (second - first)
    return found
