"""Memory that models take: what they will need before they are built, and the most that a pass had.

On a CPU the system counts the process's memory; how much of it a single pass had is known where Linux lets
the peak be reset.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from infersim.domain.errors import InvalidValueError
from infersim.files.opening import read_text
from infersim.measuring.devices.device import Device
from infersim.workload.memory import memory_use
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import Transformer

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")

RESET_PEAK = "5"
"""What Linux takes for: forget the peak of the resident set (proc(5))."""


def needed_bytes(dense: Transformer, pruned: Sequence[Transformer], scenarios: Sequence[Scenario]) -> float:
    """Bytes of the dense model and the largest pruned one side by side, in the hungriest scenario."""

    def most(model: Transformer) -> float:
        return max(float(np.max(memory_use(model, scenario).total_bytes)) for scenario in scenarios)

    return most(dense) + max(map(most, pruned))


def held_bytes(device: Device) -> float | None:
    """Bytes that this program has allocated on the device now; None where the system does not say."""
    if device.torch_device.type == "cuda":
        return float(torch.cuda.memory_allocated(device.torch_device))
    _give_free_memory_back()
    return _status_bytes("VmRSS")


def added_bytes(device: Device, work: Callable[[], object]) -> float | None:
    """The most that one run of `work` allocates beyond what is held; None where the system does not say."""
    if device.torch_device.type == "cuda":
        held = torch.cuda.memory_allocated(device.torch_device)
        torch.cuda.reset_peak_memory_stats(device.torch_device)
        work()
        device.synchronise()
        return float(torch.cuda.max_memory_allocated(device.torch_device) - held)
    before = held_bytes(device)
    if before is None or not _peak_was_reset():
        return None
    work()
    peak = _status_bytes("VmHWM")
    return None if peak is None else max(0.0, peak - before)


def _give_free_memory_back() -> None:
    """What was freed counts as held until the C library returns it; glibc does so when told."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _peak_was_reset() -> bool:
    try:
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def _status_bytes(key: str) -> float | None:
    try:
        match = re.search(rf"^{key}:\s*(\d+) kB$", read_text(STATUS), re.MULTILINE)
    except InvalidValueError:
        return None
    return None if match is None else int(match[1]) * 1024.0
