"""Opening a device by its name."""

from __future__ import annotations

import re

from infersim.domain.errors import InvalidValueError
from infersim.measuring.devices.device import Device, check_torch
from infersim.measuring.devices.timing import Clock


def open_device(name: str, threads: int | None = None, clock: str = Clock.WALL) -> Device:
    """Open `cpu`, `cuda` or `cuda:<index>`.

    Of a CPU only: `threads` (None: one for each core it may use), and the `clock`, wall or cpu.

    Raises InfersimError where PyTorch or CUDA is missing, and InvalidValueError for another name, a GPU that
    is not there, or threads that cannot be.
    """
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise InvalidValueError("device", name, "cpu, cuda, or cuda:0 and so on")
    check_torch()
    if clock not in tuple(Clock):
        raise InvalidValueError("clock", clock, f"one of {', '.join(Clock)}")
    if name == "cpu":
        from infersim.measuring.devices.cpu_device import open_cpu

        return open_cpu(threads, Clock(clock))
    if threads is not None:
        raise InvalidValueError("threads", threads, "no threads for a GPU: they belong to --device cpu")
    if clock == Clock.CPU:
        raise InvalidValueError("clock", clock, "wall for a GPU, whose events are its clock")
    from infersim.measuring.devices.cuda_device import open_cuda

    return open_cuda(int(match[1] or 0))
