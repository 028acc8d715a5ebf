"""FLOPs of a whole model, however many GPUs share it: what papers count.

The ops of one GPU hold more than its even part, where GPUs keep copies of KV heads or round widths up; the
speedup that FLOPs promise is none of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.cost.kernels import checked_cost
from infersim.domain.arrays import Array
from infersim.domain.ops import Op
from infersim.domain.profile import HardwareProfile
from infersim.simulation.timing.stacking import stack_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWork:
    """FLOPs of ops over all executions, and the time at the peaks of an even part; ops x scenarios."""

    parts: npt.NDArray[np.str_]
    flop: Array
    peak_s: Array


def whole_work(ops: Sequence[Op], counts: Array, gpus: int, profile: HardwareProfile) -> WholeWork:
    """The work of `ops` of a whole model that `gpus` share."""
    flop, peak_s = np.empty_like(counts), np.empty_like(counts)
    for stack in stack_shapes([op.shape for op in ops], counts.ndim - 1):
        cost = checked_cost(stack.shape, profile)
        flop[stack.rows] = cost.flop
        peak_s[stack.rows] = cost.flop / (gpus * cost.peak_flop_per_s)
    return WholeWork(parts=np.array([op.part for op in ops]), flop=counts * flop, peak_s=counts * peak_s)
