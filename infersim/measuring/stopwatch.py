"""Stopwatches: how long a device works. The clock is an argument, so that tests are exact and never sleep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol


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
