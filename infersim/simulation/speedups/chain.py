"""The chain from the FLOPs ratio to the speedup: what a plan promises, and what eats it.

Seven times, each computed for the dense model and for the plan (the design's T_1 to T_7):

1. FLOPs of the whole model's ops in the parts that the plan targets, over the dense peak (2:4 counts the half
   it does), shared evenly by the GPUs;
2. the same of all ops but those that the family adds, and exchanges between GPUs;
3. the cold roofline of those ops: memory enters, every weight and KV byte is read; 2:4 at its nominal rate;
4. the cold roofline of all ops, added ones included;
5. predicted kernel times;
6. with launch;
7. with what GPUs that share the model exchange (nothing on one GPU): the predicted latency.

S_k = T_k(dense) / T_k(plan), and each factor is S_k / S_(k-1). An eighth speedup, measured, may follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.ops import Part
from infersim.domain.shapes import Shape
from infersim.simulation.timing.op_costs import over_ops
from infersim.simulation.timing.stacking import same_shape
from infersim.simulation.timing.timeline import Timeline
from infersim.simulation.timing.uncertainty import half_width_of_ratio, outside_half_width

FACTORS = (
    "unpruned_work",
    "memory_floor",
    "extra_work",
    "kernel_efficiency",
    "launch",
    "communication",
    "unexplained",
)
"""Names of the factors from S_1 to S_8, in order."""

BOUND, PREDICTED = 2, 6
"""Places of two speedups in the chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Speedups of a plan over its dense model; arrays over the scenario axes.

    `speedups` are S_1 to S_7: `flops` is the first, what papers quote; `bound` the third, the ratio of
    cold rooflines; `predicted` the last, of 80 % interval `lower` to `upper`. `flops` is NaN where the plan
    leaves no targeted FLOP (the work that papers would quote is all gone, and their ratio with it), and so is
    the factor after it.

    `ceiling` is the dense latency over the floor of all of the plan's ops, added ones included, which credits
    what L2 may hold: no implementation of the plan is faster. `bound` credits nothing, so that a ratio of
    models is not one of caches, and leaves the added ops out, as the literature does.
    """

    speedups: Array
    flops: Array
    bound: Array
    predicted: Array
    lower: Array
    upper: Array
    ceiling: Array

    def factors(self, measured: Array | None = None) -> dict[str, Array]:
        """Each factor by name; with `measured` speedups (NaN: none) also the one that is unexplained."""
        last = np.full_like(self.predicted, np.nan) if measured is None else measured
        speedups = np.concatenate((self.speedups, last[np.newaxis]))
        return dict(zip(FACTORS, speedups[1:] / speedups[:-1], strict=True))


def chain(dense: Timeline, plan: Timeline, targets: Set[Part]) -> Chain:
    """Compare two timelines of the same passes on the same GPU; `targets` are the parts the plan cuts."""
    dense_s, plan_s = chain_times_s(dense, targets), chain_times_s(plan, targets)
    # Without FLOPs on either side nothing is promised: a speedup of 1. On one side only: undefined.
    no_work = np.where((dense_s == 0) & (plan_s == 0), 1.0, np.nan)
    speedups = np.divide(dense_s, plan_s, out=no_work, where=(dense_s > 0) & (plan_s > 0))
    half_width = np.hypot(ratio_half_width(dense, plan), outside_half_width(speedups[PREDICTED]))
    return Chain(
        speedups=speedups,
        flops=speedups[0],
        bound=speedups[BOUND],
        predicted=speedups[PREDICTED],
        lower=speedups[PREDICTED] * np.exp(-half_width),
        # However fast the plan, it does not beat its floor.
        upper=np.minimum(speedups[PREDICTED] * np.exp(half_width), dense.upper_s / plan.floor_s),
        ceiling=dense.latency_s / plan.floor_s,
    )


def ratio_half_width(one: Timeline, other: Timeline) -> Array:
    """80 % half-width of the log of the ratio of two timelines of the same passes on the same GPU.

    Errors that both share cancel: two plans are told apart more surely than each from the dense model.
    """
    return half_width_of_ratio(
        one.costs, one.program.labels, other.costs, other.program.labels, _unchanged(one, other)
    )


def static_m_equivalent(dense: Timeline, speedup: Array) -> Array:
    """The fraction of equal layers whose removal gives `speedup` in the same scenario.

    Without a fraction s of the blocks the dense latency T loses s T_blocks, launch included:
    T / (T - s T_blocks) = S gives s = (1 - 1/S) T / T_blocks. Below 0 the plan is slower than dense, above 1
    faster than a model without any block.
    """
    return (1 - 1 / speedup) * dense.latency_s / dense.block_s()


def chain_times_s(timeline: Timeline, targets: Set[Part]) -> Array:
    """Seconds T_1 to T_7 along the first axis; `targets` are the parts that a plan cuts."""
    costs, work = timeline.costs, timeline.work()
    here = ~timeline.exchanged()
    own = np.array([op.part is not Part.EXTRA for op in timeline.program.ops]) & here
    core = work.parts != Part.EXTRA
    targeted = np.array([part in targets for part in work.parts]) & core
    roofline_s = costs.cold_roofline_s
    return np.stack(
        [
            over_ops(work.peak_s, targeted),
            over_ops(work.peak_s, core),
            over_ops(roofline_s, own),
            over_ops(roofline_s, here),
            over_ops(costs.kernel_s, here),
            over_ops(costs.latency_s, here),
            timeline.latency_s,
        ]
    )


def _unchanged(dense: Timeline, plan: Timeline) -> npt.NDArray[np.bool_]:
    """Ops x scenarios of the plan whose very kernel runs in the same pass of the dense model."""
    known: defaultdict[tuple[int, str], list[Shape]] = defaultdict(list)
    for place, op in zip(dense.program.places, dense.program.ops, strict=True):
        known[place].append(op.shape)
    unchanged = np.zeros(plan.costs.flop.shape, dtype=np.bool_)
    for row, (place, op) in enumerate(zip(plan.program.places, plan.program.ops, strict=True)):
        for shape in known[place]:
            unchanged[row] |= same_shape(op.shape, shape)
    return unchanged
