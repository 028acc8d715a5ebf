"""Timing dense and pruned passes in turn, so that both see the same machine.

The timeline: each is run twice (once if it is long) and thrown away (libraries choose kernels,
memory is allocated); then dense,
pruned, dense, pruned, ..., dense, one pass at a time, until both latencies are known to the tolerance or the
budget is spent. Neighbours in time share what the clock, the temperature and other programs do; the first and
the last dense passes show what drifted meanwhile. All repeats are kept.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from infersim.measuring.devices.timing import Budget, Call, Stopwatch, quantile, uncertainty

LONG_SHARE = 4
"""A pass that takes such a part of the budget is thrown away only once: it warms itself up."""

LEAST_ROUNDS = 3
"""However slow the passes, three rounds tell a median from an accident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternation:
    """Microseconds of each pass in order, one dense more than pruned; latencies are the budget's quantile."""

    dense_us: tuple[float, ...]
    pruned_us: tuple[float, ...]
    at: float

    @property
    def dense_latency_us(self) -> float:
        """The dense latency."""
        return quantile(self.dense_us, self.at)

    @property
    def pruned_latency_us(self) -> float:
        """The pruned latency."""
        return quantile(self.pruned_us, self.at)

    @property
    def speedup(self) -> float:
        """Dense over pruned latency."""
        return self.dense_latency_us / self.pruned_latency_us

    @property
    def speedup_spread(self) -> float:
        """Standard deviation of the rounds' own speedups: each pruned pass against its two neighbours."""
        rounds = [
            (before + after) / 2 / pruned
            for before, pruned, after in zip(self.dense_us, self.pruned_us, self.dense_us[1:], strict=False)
        ]
        return statistics.stdev(rounds)

    @property
    def drift(self) -> float:
        """How much longer the dense model took in the second half than in the first, as a fraction."""
        half = len(self.dense_us) // 2
        return quantile(self.dense_us[-half:], self.at) / quantile(self.dense_us[:half], self.at) - 1


def alternate(stopwatch: Stopwatch, dense: Call, pruned: Call, budget: Budget) -> Alternation:
    """Time the two passes by the timeline above."""
    for work in (dense, pruned):
        warm_us = stopwatch.elapsed_us(work)
        if warm_us < budget.budget_us / LONG_SHARE:
            stopwatch.elapsed_us(work)
    dense_us = [stopwatch.elapsed_us(dense)]
    pruned_us: list[float] = []
    while not _enough(dense_us, pruned_us, budget):
        pruned_us.append(stopwatch.elapsed_us(pruned))
        dense_us.append(stopwatch.elapsed_us(dense))
    return Alternation(dense_us=tuple(dense_us), pruned_us=tuple(pruned_us), at=budget.quantile)


def _enough(dense_us: list[float], pruned_us: list[float], budget: Budget) -> bool:
    rounds = len(pruned_us)
    spent = sum(dense_us) + sum(pruned_us) >= budget.budget_us
    if rounds < budget.least_repeats:
        return rounds >= LEAST_ROUNDS and spent
    if rounds >= budget.most_repeats or spent:
        return True
    return all(uncertainty(times, budget.quantile) <= budget.tolerance for times in (dense_us, pruned_us))
