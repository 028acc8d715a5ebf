"""What padding a width to the next multiple changes, in time and in memory, by the model itself.

A row that starts off a boundary of 16 bytes slows its kernels down; how much is uncertain, so a gain comes
with its interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.pruning.padding import Dimension, Width, padded, widths
from infersim.simulation.speedups.cases import Case
from infersim.simulation.speedups.chain import ratio_half_width
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines
from infersim.workload.parallel.dividing import obstacle

MULTIPLES = (8, 16, 64)
"""What a width may be a multiple of: 16 bytes of 16-bit values, of 8-bit values, and one step of a tile."""

BOUNDARY = MULTIPLES[0]
"""Widths off it are told of unasked."""

MIB = 2.0**20

_PADDED_IN_SHARES = frozenset({Dimension.VOCABULARY, Dimension.RANK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Padding:
    """A width padded `to` a `multiple`; arrays over the scenario axes.

    `saves` is the part of the time that goes, with its 80 % interval (below 0: it takes longer), `more_bytes`
    the memory that comes.
    """

    width: Width
    multiple: int
    to: int
    timeline: Timeline
    saves: Array
    saves_lower: Array
    saves_upper: Array
    more_bytes: Array


def paddings(case: Case, timeline: Timeline, multiples: Sequence[int] = MULTIPLES) -> Iterator[Padding]:
    """Each width of the timeline's transformer off a multiple, padded to it; the same target once.

    Where GPUs share a width, each has a multiple; what their shares are padded to anyway is left out.
    """
    for width in widths(timeline.program.transformer):
        if case.gpus > 1 and width.dimension in _PADDED_IN_SHARES:
            continue
        each = case.gpus if width.dimension is Dimension.FFN else 1
        targets: dict[int, int] = {}
        for multiple in multiples:
            to = -(-width.value // (multiple * each)) * multiple * each
            if to != width.value:
                targets.setdefault(to, multiple)
        for to, multiple in targets.items():
            if obstacle(padded(timeline.program.transformer, width, to), case.gpus):
                continue
            yield _padding(case, timeline, width, multiple, to)


def _padding(case: Case, timeline: Timeline, width: Width, multiple: int, to: int) -> Padding:
    wider = padded(timeline.program.transformer, width, to)
    other = timelines(lay_out((wider,), case.passes), timeline.profile)[0]
    speedup, half_width = timeline.latency_s / other.latency_s, ratio_half_width(timeline, other)
    return Padding(
        width=width,
        multiple=multiple,
        to=to,
        timeline=other,
        saves=1 - 1 / speedup,
        saves_lower=1 - np.exp(half_width) / speedup,
        saves_upper=1 - np.exp(-half_width) / speedup,
        more_bytes=other.program.memory_bytes - timeline.program.memory_bytes,
    )


def padding_notes(case: Case, timeline: Timeline) -> list[str]:
    """Of each width off BOUNDARY, what padding it to a whole step of a tile would change."""
    off = [width for width in widths(timeline.program.transformer) if width.value % BOUNDARY]
    if not off:
        return []
    found = paddings(case, timeline, MULTIPLES[-1:])
    return [_note(padding) for padding in found if padding.width in off]


def _note(padding: Padding) -> str:
    """`padding the vocabulary from 32001 to 32064 takes 0.49 MiB and is predicted to save 3 % of the time`...

    Over several scenarios the least and the most of each.
    """
    low, high = float(np.min(padding.saves)), float(np.max(padding.saves))
    saved = _percent(low) if _percent(low) == _percent(high) else f"{_percent(low)} to {_percent(high)}"
    bounds = float(np.min(padding.saves_lower)), float(np.max(padding.saves_upper))
    between = " to ".join(map(_percent, bounds))
    more = float(np.max(padding.more_bytes)) / MIB
    return (
        f"padding the {padding.width.dimension} from {padding.width.value} to {padding.to} takes {more:.2g} "
        f"MiB and is predicted to save {saved} % of the time (80 %: {between} %)"
    )


def _percent(share: float) -> str:
    """A tenth of a percent below ten, whole percents above; no `-0`."""
    percent = 100 * share
    return f"{round(percent, 1) + 0.0:g}" if abs(percent) < 10 else f"{percent:.0f}"
