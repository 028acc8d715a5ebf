"""A CPU as a device: a monotonic clock, a fixed number of threads, its name, caches and free memory.

What Linux reports of the CPU is read as text, so that tests can hand it in.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Self

import torch

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.opening import read_text
from infersim.measuring.devices.names import profile_name
from infersim.measuring.devices.timing import CLOCKS, Budget, Call, Clock, HostStopwatch, Stopwatch

CPU_FOLDER = Path("/sys/devices/system/cpu/cpu0")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}

UNKNOWN_CACHE_BYTES = 2.0**25
"""32 MiB, where the system says nothing: more than most cores' share, so that cold buffers stay cold."""


def cpu_title(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's own name, such as `AMD EPYC 7763 64-Core Processor`."""
    match = re.search(r"^model name\s*:\s*(.+)$", _text(cpuinfo) or "", re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine() or "cpu"


def largest_cache_bytes(cpu: Path = CPU_FOLDER) -> float:
    """Bytes of the last-level cache that the first core reaches."""
    sizes = [_bytes(_text(path)) for path in cpu.glob("cache/index*/size")]
    return max((size for size in sizes if size), default=UNKNOWN_CACHE_BYTES)


def cache_is_known(cpu: Path = CPU_FOLDER) -> bool:
    """Whether the system says how large its caches are."""
    return any(_bytes(_text(path)) for path in cpu.glob("cache/index*/size"))


def highest_clock_mhz(cpu: Path = CPU_FOLDER, cpuinfo: Path = Path("/proc/cpuinfo")) -> float | None:
    """The highest clock that the system knows of, else the present one; None where it says neither."""
    limit = _text(cpu / "cpufreq" / "cpuinfo_max_freq")
    if limit is not None and limit.strip().isdigit():
        return int(limit) / 1e3
    clocks = re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", _text(cpuinfo) or "", re.MULTILINE)
    return max(map(float, clocks), default=None)


def available_bytes(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Memory that programs may still have without swapping; InfersimError where the system does not say."""
    return _meminfo(meminfo, "MemAvailable")


def total_bytes(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Memory of the machine; InfersimError where the system does not say."""
    return _meminfo(meminfo, "MemTotal")


def _meminfo(meminfo: Path, key: str) -> float:
    match = re.search(rf"^{key}:\s*(\d+) kB$", _text(meminfo) or "", re.MULTILINE)
    if match is None:
        raise InfersimError(f"{meminfo} does not say {key}: measuring a CPU is known to work on Linux only")
    return int(match[1]) * 1024.0


def _text(path: Path) -> str | None:
    try:
        return read_text(path)
    except InvalidValueError:
        return None


def _bytes(size: str | None) -> float:
    """`32768K` -> bytes; 0 for what is no size."""
    match = re.fullmatch(r"(\d+)([KMG]?)", (size or "").strip())
    return float(int(match[1]) * _UNITS[match[2]]) if match else 0.0


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
