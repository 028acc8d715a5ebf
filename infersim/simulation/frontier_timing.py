"""Timings of a case: a dense model and plans in the same scenarios on one GPU, each timed once.

Speedups, frontiers, advice, tables of ops and figures read them; what is timed is not timed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.pruning.plan import Plan
from infersim.simulation.cases import Case
from infersim.simulation.chain import ratio_half_width
from infersim.simulation.op_costs import over_ops
from infersim.simulation.program import Programs, lay_out
from infersim.simulation.timeline import Timeline, timelines
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTimings:
    """Timelines of a dense model and of `plans`, in their order, in the scenarios of one case on one GPU.

    Plans that make the same transformer share a timeline. `timed` holds each that was made, those of earlier
    plans of the case included.
    """

    case: Case
    dense: Timeline
    plans: tuple[Plan, ...]
    pruned: tuple[Timeline, ...]
    timed: tuple[Timeline, ...]
    _widths: dict[tuple[str, str], Array] = field(default_factory=dict)

    @property
    def profile(self) -> HardwareProfile:
        """The GPU."""
        return self.dense.profile

    def of(self, plan: Plan) -> Timeline:
        """The timeline of one of `plans`."""
        return self.pruned[self.plans.index(plan)]

    def by_title(self) -> dict[str, Timeline]:
        """The plans' timelines by title; of equal titles the first."""
        found: dict[str, Timeline] = {}
        for plan, timeline in zip(self.plans, self.pruned, strict=True):
            found.setdefault(plan.title, timeline)
        return found

    def half_width(self, one: str, other: str, scenario: int) -> float:
        """80 % half-width of the log ratio of two plans' times in a scenario, counted along the flat axes."""
        if one == other:
            return 0.0
        key = (min(one, other), max(one, other))
        if key not in self._widths:
            timelines = self.by_title()
            self._widths[key] = ratio_half_width(timelines[key[0]], timelines[key[1]]).ravel()
        return float(self._widths[key][scenario])

    def decode_share(self) -> Array:
        """The part of the dense latency that is spent in decode; flat, 0 to 1."""
        return self._share(self._decode_rows())

    def memory_bound_share(self) -> Array:
        """The part of the dense latency in ops whose bytes take longer than their FLOPs at the floor."""
        return self._share(self.dense.costs.stream_s > self.dense.costs.matrix_s)

    def weight_share(self) -> Array:
        """The part of the dense latency in the linears of the blocks, which most families prune."""
        parts = self.dense.part_s()
        return ((parts["qkvo"] + parts["ffn"]) / self.dense.latency_s).ravel()

    def _decode_rows(self) -> np.ndarray:
        program = self.dense.program
        decode = [program.passes[index].scenario.phase is Phase.DECODE for index, _ in program.places]
        return np.array(decode)

    def _share(self, members: np.ndarray) -> Array:
        latency_s = self.dense.costs.latency_s
        chosen = members if members.ndim > 1 else members[(...,) + (np.newaxis,) * (latency_s.ndim - 1)]
        return (over_ops(latency_s * chosen) / self.dense.latency_s).ravel()


def case_timings(
    base: Transformer, plans: Sequence[Plan], profiles: Iterable[HardwareProfile], cases: Sequence[Case]
) -> Iterator[CaseTimings]:
    """Time `base` and all `plans` at once in each case on each GPU, GPUs outermost; raises as `timeline`."""
    wanted = (base, *(plan.transformer for plan in plans))
    transformers = tuple(dict.fromkeys(wanted))
    rows = _places(wanted, transformers)
    programs = [lay_out(transformers, case.passes) for case in cases]
    for profile in profiles:
        for case, laid_out in zip(cases, programs, strict=True):
            timed = timelines(laid_out, profile)
            dense, *pruned = (timed[row] for row in rows)
            yield CaseTimings(case=case, dense=dense, plans=tuple(plans), pruned=tuple(pruned), timed=timed)


def with_plans(timings: Sequence[CaseTimings], plans: Sequence[Plan]) -> Iterator[CaseTimings]:
    """The same cases with other plans of the same model, of which those are timed that are not yet.

    `timings` are of one call: all hold the same transformers.
    """
    known = tuple(timeline.program.transformer for timeline in timings[0].timed)
    wanted = tuple(plan.transformer for plan in plans)
    missing = tuple(dict.fromkeys(one for one in wanted if one not in known))
    rows = _places(wanted, (*known, *missing))
    programs: dict[int, Programs] = {}  # by the identity of the case, which GPUs share
    for each in timings:
        timed = each.timed
        if missing:
            if id(each.case) not in programs:
                programs[id(each.case)] = lay_out(missing, each.case.passes)
            timed = (*timed, *timelines(programs[id(each.case)], each.profile))
        pruned = tuple(timed[row] for row in rows)
        yield replace(each, plans=tuple(plans), pruned=pruned, timed=timed, _widths={})


def _places(wanted: Sequence[Transformer], known: Sequence[Transformer]) -> list[int]:
    place = {transformer: row for row, transformer in enumerate(known)}
    return [place[transformer] for transformer in wanted]
