"""The timings behind a frontier: how surely two plans are told apart, and what the dense model waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.pruning.plan import Plan
from infersim.simulation.cases import Case
from infersim.simulation.chain import ratio_half_width
from infersim.simulation.op_costs import over_ops
from infersim.simulation.program import lay_out
from infersim.simulation.timeline import Timeline, timelines
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTimings:
    """Timelines of a dense model and of plans, by title, in the scenarios of one case on one GPU."""

    dense: Timeline
    plans: Mapping[str, Timeline]
    _widths: dict[tuple[str, str], Array] = field(default_factory=dict)

    @classmethod
    def of(
        cls, base: Transformer, plans: Mapping[str, Plan], case: Case, profile: HardwareProfile
    ) -> CaseTimings:
        """Time all of them at once."""
        transformers = (base, *(plan.transformer for plan in plans.values()))
        dense, *timed = timelines(lay_out(transformers, case.passes), profile)
        return cls(dense=dense, plans=dict(zip(plans, timed, strict=True)))

    def half_width(self, one: str, other: str, scenario: int) -> float:
        """80 % half-width of the log ratio of two plans' times in a scenario, counted along the flat axes."""
        if one == other:
            return 0.0
        key = (min(one, other), max(one, other))
        if key not in self._widths:
            self._widths[key] = ratio_half_width(self.plans[key[0]], self.plans[key[1]]).ravel()
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
