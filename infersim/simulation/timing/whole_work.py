"""FLOPs of a whole model, however many GPUs share it: what papers count.

The ops of one GPU hold more than its even part, where GPUs keep copies of KV heads or round widths up; the
speedup that FLOPs promise is none of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.cost.kernels import kernel_kind
from infersim.domain.arrays import Array
from infersim.domain.ops import Op
from infersim.domain.profile import HardwareProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWork:
    """FLOPs of ops over all executions, and the time at the peaks of an even part; ops x scenarios."""

    parts: npt.NDArray[np.str_]
    flop: Array
    peak_s: Array


def whole_work(ops: Sequence[Op], counts: Array, gpus: int, profile: HardwareProfile) -> WholeWork:
    """The work of `ops` of a whole model that `gpus` share."""
    done, took = np.empty_like(counts), np.zeros_like(counts)
    for row, op in enumerate(ops):
        kind = kernel_kind(op.shape)
        done[row] = counts[row] * kind.flop(op.shape)
        dtype = kind.multiplies_in(op.shape, profile)
        if dtype is not None:
            took[row] = done[row] / (gpus * profile.bound_flop_per_s(dtype))
    return WholeWork(parts=np.array([op.part for op in ops]), flop=done, peak_s=took)

