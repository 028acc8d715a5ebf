"""How kernels are timed; the one method behind every number that infersim measures.

The timeline of one measurement:

1.  **Calls.** The same kernel on different data, one call for each copy of its weights, so that a round over
    them finds the caches as a model would (who asks for hot caches passes one call). The data are random:
    zeros multiply faster on a GPU, as they draw less power.
2.  **First round**, thrown away: libraries choose kernels, memory is allocated.
3.  **Trials**, the fastest of which says how many rounds make a repeat of at least `repeat_us`, so that the
    clock's resolution and the start of a repeat do not count.
4.  **Capture**: on a GPU these rounds become one CUDA graph, and launches from the host cost nothing.
5.  **Warm-up**: replays for `warm_up_us`, thrown away, until clocks have risen.
6.  **Repeats**: each is one replay between two readings of the stopwatch (CUDA events on a GPU), until the
    latency is known to `tolerance`, or `budget_us` is spent; no fewer than `least_repeats`.

Where nothing is captured, a repeat may hold part of a round (`whole_rounds` False): it goes on with the call
after the last one's, and takes as many calls as it needs. A graph has to hold the round as a whole.

All repeats are kept. The latency is their quantile `quantile`: the median where the device is ours alone; the
lower quartile on a CPU, where other programs make repeats longer and nothing makes them shorter.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import cycle, islice
from typing import Protocol, TypeAlias

from infersim.domain.errors import InvalidValueError


class Stopwatch(Protocol):
    """Times work on one device."""

    def elapsed_us(self, work: Callable[[], object]) -> float:
        """Microseconds from the start of `work` until the device has finished what it was told."""


class Clock(StrEnum):
    """Which time of a CPU counts.

    `wall` is what a user waits. `cpu` is the time that the calling thread had the core: what one thread
    would take if no other program were running, so that a busy machine can be measured.
    """

    WALL = "wall"
    CPU = "cpu"


class HostStopwatch:
    """Time of work that is done when it returns: a CPU's. `now_ns` counts nanoseconds and never goes back."""

    def __init__(self, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self.now_ns = now_ns

    def elapsed_us(self, work: Callable[[], object]) -> float:
        """Microseconds between the call of `work` and its return."""
        started = self.now_ns()
        work()
        return (self.now_ns() - started) / 1e3


CLOCKS: Mapping[Clock, Callable[[], int]] = {Clock.WALL: time.perf_counter_ns, Clock.CPU: time.thread_time_ns}
"""Nanoseconds of each clock."""


Call: TypeAlias = Callable[[], object]
"""One execution of what is timed."""

Capture: TypeAlias = Callable[[Call], Call]
"""Turns work into something that repeats it exactly, cheaper for the host: a CUDA graph's replay."""


TRIAL_ROUNDS = 4
"""Rounds that are tried to see how long one takes; fewer where they are long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When to stop, and which quantile of the repeats is the latency.

    `tolerance` is a fraction of the latency; `most_calls` limits the calls in one repeat (nodes of a graph).
    """

    repeat_us: float = 1e3
    warm_up_us: float = 1e4
    budget_us: float = 3e5
    least_repeats: int = 5
    most_repeats: int = 100
    most_calls: int = 4096
    tolerance: float = 0.01
    quantile: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Microseconds of one call, from repeats of `calls_per_repeat` calls each.

    `latency_us` is the budget's quantile of `raw_us`, `spread_us` the standard deviation of `raw_us` (None of
    a single repeat). `settled` is whether the latency was known to the tolerance when the repeats ended.
    """

    latency_us: float
    median_us: float
    spread_us: float | None
    raw_us: tuple[float, ...]
    calls_per_repeat: int
    settled: bool


def not_captured(work: Call) -> Call:
    """The work itself, issued by the host each time: a CPU, or a GPU without CUDA graphs."""
    return work


def time_calls(
    stopwatch: Stopwatch,
    calls: Sequence[Call],
    *,
    budget: Budget,
    capture: Capture = not_captured,
    whole_rounds: bool = True,
) -> Timing:
    """Time `calls`, each an execution of the same work on other data, by the timeline above.

    Raises InvalidValueError without calls, and what a call raises.
    """
    if not calls:
        raise InvalidValueError("calls", [], "at least one call to time")
    turns = cycle(calls)
    calls_per_round = len(calls) if whole_rounds else 1

    def take_turns(rounds: int) -> None:
        for call in islice(turns, rounds * calls_per_round):
            call()

    stopwatch.elapsed_us(partial(take_turns, 1))
    rounds = _rounds(_trial_us(stopwatch, partial(take_turns, 1), budget), calls_per_round, budget)
    replay = capture(partial(take_turns, rounds))
    warm_us = stopwatch.elapsed_us(replay)
    while warm_us < budget.warm_up_us:
        # A clock that stands still must not keep us here.
        warm_us += max(stopwatch.elapsed_us(replay), 1.0)
    calls_per_repeat = rounds * calls_per_round
    raw_us: list[float] = []
    spent_us = 0.0
    while not _enough(raw_us, spent_us, budget):
        repeat_us = stopwatch.elapsed_us(replay)
        spent_us += repeat_us
        raw_us.append(repeat_us / calls_per_repeat)
    return Timing(
        latency_us=quantile(raw_us, budget.quantile),
        median_us=statistics.median(raw_us),
        spread_us=statistics.stdev(raw_us) if len(raw_us) > 1 else None,
        raw_us=tuple(raw_us),
        calls_per_repeat=calls_per_repeat,
        settled=uncertainty(raw_us, budget.quantile) <= budget.tolerance,
    )


def quantile(values: Sequence[float], at: float) -> float:
    """The quantile `at` (0 to 1) of `values`, linear between neighbours in order."""
    ordered = sorted(values)
    position = at * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def uncertainty(values: Sequence[float], at: float) -> float:
    """Half-width of the quantile's 68 % interval as a fraction of it; infinite for fewer than 3 values.

    The interval lies between order statistics: the rank of a quantile q among n values is binomial, with
    standard deviation sqrt(n q (1 - q)). No shape of the distribution is assumed.
    """
    if len(values) < 3:
        return math.inf
    off = math.sqrt(at * (1 - at) / len(values))
    low, high = quantile(values, max(at - off, 0.0)), quantile(values, min(at + off, 1.0))
    middle = quantile(values, at)
    return (high - low) / 2 / middle if middle > 0 else math.inf


def _trial_us(stopwatch: Stopwatch, work: Call, budget: Budget) -> float:
    """Microseconds of one round: the fastest of some, as a single one may have been disturbed."""
    trials_us = [stopwatch.elapsed_us(work)]
    while len(trials_us) < TRIAL_ROUNDS and sum(trials_us) < budget.budget_us / TRIAL_ROUNDS:
        trials_us.append(stopwatch.elapsed_us(work))
    return min(trials_us)


def _rounds(round_us: float, calls: int, budget: Budget) -> int:
    """How many rounds make one repeat: long enough for the clock, and few enough for a graph."""
    wanted = math.ceil(budget.repeat_us / max(round_us, 1e-3))
    return max(1, min(wanted, budget.most_calls // calls))


def _enough(raw_us: Sequence[float], spent_us: float, budget: Budget) -> bool:
    if len(raw_us) < budget.least_repeats:
        # However slow the work, three repeats tell a median from an accident.
        return len(raw_us) >= 3 and spent_us >= budget.budget_us
    if len(raw_us) >= budget.most_repeats or spent_us >= budget.budget_us:
        return True
    return uncertainty(raw_us, budget.quantile) <= budget.tolerance
