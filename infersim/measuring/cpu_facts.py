"""What Linux says of the CPU: its name, caches and free memory, read as text so that tests can hand it in."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from infersim.domain.errors import InfersimError

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
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _bytes(size: str | None) -> float:
    """`32768K` -> bytes; 0 for what is no size."""
    match = re.fullmatch(r"(\d+)([KMG]?)", (size or "").strip())
    return float(int(match[1]) * _UNITS[match[2]]) if match else 0.0
