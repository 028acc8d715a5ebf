"""FLOPs of whole models, however many GPUs share them: what papers count.

The ops of one GPU hold more than its even part, where GPUs keep copies of KV heads or round widths up; the
speedup that FLOPs promise is none of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from infersim.cost.kernels import checked_cost
from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.simulation.timing.program import Program, consecutive
from infersim.simulation.timing.stacking import stack_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWork:
    """FLOPs of ops over all executions, and the time at the peaks of an even part; ops x scenarios."""

    parts: npt.NDArray[np.str_]
    flop: Array
    peak_s: Array


class WholeWorks:
    """The work of programs that were laid out together, costed at once when first asked for."""

    def __init__(self, members: Sequence[Program], profile: HardwareProfile) -> None:
        self._members, self._profile = members, profile

    def of(self, place: int) -> WholeWork:
        """That of one of the members."""
        return self._found[place]

    @cached_property
    def _found(self) -> tuple[WholeWork, ...]:
        members = self._members
        ops = [op for program in members for op in program.whole]
        counts = np.concatenate([program.whole_counts for program in members])
        flop, peak_s = np.empty_like(counts), np.empty_like(counts)
        for stack in stack_shapes([op.shape for op in ops], counts.ndim - 1):
            cost = checked_cost(stack.shape, self._profile)
            flop[stack.rows] = counts[stack.rows] * cost.flop
            peak_s[stack.rows] = counts[stack.rows] * (cost.flop / (members[0].gpus * cost.peak_flop_per_s))
        parts = np.array([op.part for op in ops])
        return tuple(
            WholeWork(parts=parts[rows], flop=flop[rows], peak_s=peak_s[rows])
            for rows in consecutive([len(program.whole) for program in members])
        )
