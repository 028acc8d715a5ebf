"""Where the time of a pass goes, op by op: the time between two ops' ends counts as the later one's.

On a CPU an op is done when its call returns, and the host's share of each call (its launch) cannot be told
from it. On a GPU events mark the ends of ops on its own clock; the pass is issued behind a pause of the GPU,
so that the host is ahead and launches do not count.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from infersim.domain.ops import Part
from infersim.measuring.devices.device import Device
from infersim.measuring.devices.timing import HostStopwatch, quantile
from infersim.measuring.model.execution.stream import Probe

PASSES = 5

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.1
"""How long a GPU waits for the host to issue a pass of some thousand kernels ahead of it."""

CYCLES_PER_S = 2e9
"""Of the clock that the pause is counted in; a slower one makes pauses longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTime:
    """All executions of one op in a pass."""

    name: str
    part: Part
    time_us: float


def break_down(
    device: Device,
    run: Callable[[Probe], object],
    *,
    passes: int = PASSES,
    at: float = 0.5,
    budget_us: float = math.inf,
) -> tuple[OpTime, ...]:
    """Time the ops of `run(probe)`: of each the quantile `at` over some passes, in order of execution.

    Long passes are as many as are within `budget_us`, at least one.
    """
    ends = _event_ends() if device.torch_device.type == "cuda" else _host_ends(device)
    by_op: dict[tuple[str, Part], list[float]] = {}
    spent_us = 0.0
    for _ in range(passes):
        for key, time_us in _sums(*ends(run)).items():
            by_op.setdefault(key, []).append(time_us)
            spent_us += time_us
        if spent_us >= budget_us:
            break
    return tuple(
        OpTime(name=name, part=part, time_us=quantile(times, at)) for (name, part), times in by_op.items()
    )


def by_part(ops: Sequence[OpTime]) -> Mapping[Part, float]:
    """Microseconds of each part."""
    return {part: sum(op.time_us for op in ops if op.part is part) for part in Part}


_Ops = list[tuple[str, Part]]
_Ends = Callable[[Callable[[Probe], object]], tuple[_Ops, list[float]]]


def _sums(ops: _Ops, times_us: list[float]) -> Mapping[tuple[str, Part], float]:
    total: defaultdict[tuple[str, Part], float] = defaultdict(float)
    for op, time_us in zip(ops, times_us, strict=True):
        total[op] += time_us
    return total


def _host_ends(device: Device) -> _Ends:
    """A pass on the clock of the device's stopwatch."""
    stopwatch = device.stopwatch
    now_ns = stopwatch.now_ns if isinstance(stopwatch, HostStopwatch) else time.perf_counter_ns

    def ends(run: Callable[[Probe], object]) -> tuple[_Ops, list[float]]:
        ops: _Ops = []
        marks_ns = [now_ns()]

        def probe(name: str, part: Part) -> None:
            marks_ns.append(now_ns())
            ops.append((name, part))

        run(probe)
        return ops, [(end - start) / 1e3 for start, end in pairwise(marks_ns)]

    return ends


def _event_ends() -> _Ends:
    """A pass on the GPU's clock, behind a pause as long as the host took to issue the pass before."""
    issued_s = 0.0

    def ends(run: Callable[[Probe], object]) -> tuple[_Ops, list[float]]:
        nonlocal issued_s
        ops: _Ops = []
        events: list[torch.cuda.Event] = []

        def mark() -> None:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            events.append(event)

        def probe(name: str, part: Part) -> None:
            mark()
            ops.append((name, part))

        torch.cuda._sleep(pause_cycles(issued_s))
        mark()
        started = time.perf_counter()
        run(probe)
        issued_s = time.perf_counter() - started
        torch.cuda.synchronize()
        return ops, [1e3 * start.elapsed_time(end) for start, end in pairwise(events)]

    return ends


def pause_cycles(issued_s: float) -> int:
    """Cycles for which the GPU waits before a pass that the host issues in about `issued_s`."""
    return int(min(max(1.25 * issued_s, SHORTEST_PAUSE_S), LONGEST_PAUSE_S) * CYCLES_PER_S)
