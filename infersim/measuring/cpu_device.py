"""A CPU as a device: a monotonic clock, a fixed number of threads, the caches that the system reports."""

from __future__ import annotations

import os
from typing import Self

import torch

from infersim.domain.errors import InvalidValueError
from infersim.measuring.cpu_facts import available_bytes, cpu_title, largest_cache_bytes
from infersim.measuring.names import profile_name
from infersim.measuring.stopwatch import CLOCKS, Clock, HostStopwatch, Stopwatch
from infersim.measuring.timing import Budget, Call

CPU_BUDGET = Budget(repeat_us=2e3, warm_up_us=2e3, budget_us=1e5, tolerance=0.01, quantile=0.25)
"""Shorter than a GPU's, whose clocks take longer to settle; the lower quartile (see `timing`)."""


class CpuDevice:
    """The CPU that runs this program; while it is entered, PyTorch computes with `threads` threads."""

    def __init__(self, threads: int, clock: Clock) -> None:
        self._threads, self._clock = threads, clock
        self._stopwatch = HostStopwatch(CLOCKS[clock])
        self._outer_threads = torch.get_num_threads()

    @property
    def torch_device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def title(self) -> str:
        return cpu_title()

    @property
    def gpu(self) -> str:
        return profile_name(f"{cpu_title()} {self._threads}-thread")

    @property
    def threads(self) -> int | None:
        return self._threads

    @property
    def clock(self) -> str:
        return self._clock.value

    @property
    def cache_bytes(self) -> float:
        return largest_cache_bytes()

    @property
    def stopwatch(self) -> Stopwatch:
        return self._stopwatch

    @property
    def budget(self) -> Budget:
        return CPU_BUDGET

    def __enter__(self) -> Self:
        self._outer_threads = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        return self

    def __exit__(self, *exception: object) -> None:
        torch.set_num_threads(self._outer_threads)

    def capture(self, work: Call) -> Call:
        return work

    def synchronise(self) -> None:
        """A CPU's work is done when it returns."""

    def free_bytes(self) -> float:
        return available_bytes()

    def release(self) -> None:
        """The system's allocator keeps nothing that counts."""


def open_cpu(threads: int | None, clock: Clock) -> CpuDevice:
    """The CPU with `threads` threads (None: one for each core that this program may use).

    Raises InvalidValueError for threads without cores, and for the clock of one thread with several.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads is not None and not 1 <= threads <= cores:
        raise InvalidValueError("threads", threads, f"1 to {cores}, the cores that this program may use")
    chosen = threads or cores
    if clock is Clock.CPU and chosen != 1:
        raise InvalidValueError("clock", clock.value, "threads 1 with it: it counts the time of one thread")
    return CpuDevice(chosen, clock)
