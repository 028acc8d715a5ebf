"""The device that is measured: opened by name, with its stopwatch, graph capture and free memory.

    device = open_device("cuda:0")  # or "cpu"
    with device:  # its settings (threads) hold for as long
        time_calls(device.stopwatch, calls, budget=device.budget, capture=device.capture)

What a user lacks to measure (PyTorch, CUDA, such a GPU) is told by name.
"""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING, Protocol, Self

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.measuring.stopwatch import Clock, Stopwatch
from infersim.measuring.timing import Budget, Call

if TYPE_CHECKING:
    import torch


class DeviceLostError(Exception):
    """After this the device answers nothing in this process any more, or cannot be trusted: start another."""


class Device(Protocol):
    """What measuring needs of a device.

    `torch_device` is where tensors go; `title` is the name that the hardware reports; `gpu` is the name that
    samples bear (of a profile, known or to be made); `threads` is how many a CPU computes with (None: a
    GPU); `clock` is which time counts; `cache_bytes` is the largest cache that may keep data between calls;
    `budget` is when its measurements have been repeated often enough.
    """

    @property
    def torch_device(self) -> torch.device: ...
    @property
    def title(self) -> str: ...
    @property
    def gpu(self) -> str: ...
    @property
    def threads(self) -> int | None: ...
    @property
    def clock(self) -> str: ...
    @property
    def cache_bytes(self) -> float: ...
    @property
    def stopwatch(self) -> Stopwatch: ...
    @property
    def budget(self) -> Budget: ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

    def capture(self, work: Call) -> Call:
        """Something that repeats `work`: the replay of a CUDA graph, or on a CPU the work itself.

        Raises DeviceLostError where a capture broke off, besides what `work` raises.
        """

    def synchronise(self) -> None:
        """Wait until all that was issued is done."""

    def free_bytes(self) -> float:
        """Memory that may still be allocated."""

    def release(self) -> None:
        """Give back memory that PyTorch keeps for later."""


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
        from infersim.measuring.cpu_device import open_cpu

        return open_cpu(threads, Clock(clock))
    if threads is not None:
        raise InvalidValueError("threads", threads, "no threads for a GPU: they belong to --device cpu")
    if clock == Clock.CPU:
        raise InvalidValueError("clock", clock, "wall for a GPU, whose events are its clock")
    from infersim.measuring.cuda_device import open_cuda

    return open_cuda(int(match[1] or 0))


def is_lost(device: Device) -> bool:
    """Whether the device answers no more: some of CUDA's errors come back with every later call."""
    try:
        device.synchronise()
    except RuntimeError:
        return True
    return False


def check_torch() -> None:
    """Raise InfersimError where PyTorch is not installed; nothing is imported."""
    if importlib.util.find_spec("torch") is None:
        raise InfersimError(
            "measuring needs PyTorch, which is not installed: pip install 'infersim[measure]'"
        )
