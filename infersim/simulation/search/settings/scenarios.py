"""What plans are judged in: scenarios, or a service; both cost entries and predict whole plans.

A setting gives the additive measures of entries, in the table's units (`lead`: those to be saved), and of
a plan the full prediction as goals. Scenarios: one measure of latency for each. Services: see `served`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.pruning.plan import Plan
from infersim.simulation.search.settings.costs import Entries, Quantity, memory_costs, pass_costs
from infersim.simulation.search.settings.targets import Goal, Targets
from infersim.simulation.speedups.case_timings import CaseTimings, case_timings
from infersim.simulation.speedups.cases import REQUEST, Case
from infersim.simulation.speedups.chain import Chain, chain
from infersim.simulation.speedups.columns import GIB, MS
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """The full prediction of a plan: `goals` of the targets, and the numbers of the answer by column.

    `lead` is the speedup that curves are drawn over (the smallest of several), with its interval.
    """

    plan: Plan
    goals: tuple[Goal, ...]
    columns: Mapping[str, float]
    lead: float
    lead_lower: float
    lead_upper: float
    fits_memory: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InScenarios:
    """Each scenario of each case is a measure `latency_ms[i]`, and its memory `memory_gib[i]`."""

    model: Transformer
    profile: HardwareProfile
    scenarios: Scenarios
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, model: Transformer, profile: HardwareProfile, scenarios: Scenarios) -> InScenarios:
        """The setting of a record of scenarios."""
        cases = scenarios.cases()
        if len({case.gpus for case in cases}) > 1:
            several = ", ".join(map(str, dict.fromkeys(case.gpus for case in cases)))
            raise InvalidValueError("gpus", several, "one number of GPUs in a table")
        return cls(model=model, profile=profile, scenarios=scenarios, cases=cases)

    @property
    def gpus(self) -> int:
        """GPUs that share the model."""
        return self.cases[0].gpus

    @property
    def expert_parallel(self) -> bool:
        """Whether each of them has whole experts."""
        return self.cases[0].passes[0].scenario.execution.expert_parallel

    @property
    def names(self) -> tuple[tuple[int, int, str], ...]:
        """Case, scenario in it, and what tells it apart in messages."""
        found = [
            (place, flat, f"{case.phase}, batch {batch}, context {context}")
            for place, case in enumerate(self.cases)
            for flat, (batch, context) in enumerate(case.scenarios)
        ]
        return tuple(found) if len(found) > 1 else tuple((place, flat, "") for place, flat, _ in found)

    @property
    def lead(self) -> tuple[str, ...]:
        """All latencies."""
        return tuple(f"latency_ms[{place}]" for place in range(len(self.names)))

    def measures(self, entries: Entries, at: Plan | None) -> Mapping[str, Quantity]:  # noqa: ARG002 - add exactly
        """Latency and memory of each scenario."""
        found: dict[str, Quantity] = {}
        for case in self.cases:
            costs, dense = pass_costs(entries, case.passes, self.profile)
            memory = memory_costs(entries, case.passes[-1].last_scenario, dense.program.memory_bytes)
            for flat in range(len(case.scenarios)):
                place = len(found) // 2
                found[f"latency_ms[{place}]"] = costs.seconds.of_scenario(flat, MS)
                found[f"memory_gib[{place}]"] = memory.of_scenario(flat, 1 / GIB)
        return found

    def predicted(self, plans: Sequence[Plan], targets: Targets) -> list[Predicted]:
        """Timelines of plans beside the dense model's."""
        timings = list(case_timings(self.model, plans, (self.profile,), self.cases))
        return [self._predicted(plan, place, timings, targets) for place, plan in enumerate(plans)]

    def _predicted(
        self, plan: Plan, place: int, timings: Sequence[CaseTimings], targets: Targets
    ) -> Predicted:
        chains = [chain(each.dense, each.pruned[place], plan.targets) for each in timings]
        goals = [
            goal
            for index, (case, flat, where) in enumerate(self.names)
            for goal in _goals(index, where, timings[case], place, flat, chains[case], targets)
        ]
        slowest = min(
            ((case, flat) for case, flat, _ in self.names),
            key=lambda at: float(chains[at[0]].predicted.ravel()[at[1]]),
        )
        case, flat = slowest
        found, timeline = chains[case], timings[case].pruned[place]
        at = _at(flat)
        return Predicted(
            plan=plan,
            goals=tuple(goals),
            columns={
                "latency_ms": at(timeline.latency_s) * MS,
                "lower_ms": at(timeline.lower_s) * MS,
                "upper_ms": at(timeline.upper_s) * MS,
                "bound": at(found.bound),
                "ceiling": at(found.ceiling),
                "memory_gib": at(timeline.program.memory_bytes) / GIB,
            },
            lead=at(found.predicted),
            lead_lower=at(found.lower),
            lead_upper=at(found.upper),
            fits_memory=all(bool(each.pruned[place].fits_memory.all()) for each in timings),
        )


class _At(Protocol):
    def __call__(self, values: Array) -> float: ...


def _at(flat: int) -> _At:
    return lambda values: float(np.asarray(values).ravel()[flat])


_PHASES = {"ttft_ms": Phase.PREFILL.value, "tpot_ms": Phase.DECODE.value}


def _goals(
    index: int, where: str, timings: CaseTimings, place: int, flat: int, found: Chain, targets: Targets
) -> Iterator[Goal]:
    """The goals that targets set in one scenario."""
    at, timeline, phase = _at(flat), timings.pruned[place], timings.case.phase
    latency = at(timeline.latency_s) * MS
    width = float(np.log(at(timeline.upper_s) / at(timeline.latency_s)))
    for name, limit in targets.named.items():
        measure = f"latency_ms[{index}]"
        if name == "speedup":
            below = float(np.log(at(found.predicted) / at(found.lower)))
            yield Goal(
                measure=measure,
                target=name,
                limit=limit,
                value=at(found.predicted),
                half_width=below,
                higher=True,
                where=where,
            )
        elif name == "memory_gib":
            memory = at(timeline.program.memory_bytes) / GIB
            yield Goal(
                measure=f"memory_gib[{index}]",
                target=name,
                limit=limit,
                value=memory,
                half_width=0.0,
                where=where,
            )
        elif name == "latency_ms" or _PHASES.get(name) == phase:
            yield Goal(
                measure=measure, target=name, limit=limit, value=latency, half_width=width, where=where
            )


def check_targets(targets: Targets, setting: InScenarios) -> None:
    """Refuse targets that scenarios do not have."""
    phases = {case.phase for case in setting.cases}
    if targets.price_per_million is not None:
        expected = "none without a service (engine, prompt, output, concurrency) that has a price"
        raise InvalidValueError("target_price_per_million", targets.price_per_million, expected)
    for name, phase in _PHASES.items():
        if getattr(targets, name) is not None and phase not in phases:
            instead = "target_latency_ms for a request" if REQUEST in phases else f"--phase {phase}"
            raise InvalidValueError(f"target_{name}", getattr(targets, name), f"none here: {instead}")
