"""The device that is measured: opened by name, with its stopwatch, graph capture and free memory.

    device = open_device("cuda:0")  # or "cpu"
    with device:  # its settings (threads) hold for as long
        time_calls(device.stopwatch, calls, budget=device.budget, capture=device.capture)

What a user lacks to measure (PyTorch, CUDA, such a GPU) is told by name.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol, Self

from infersim.domain.errors import InfersimError
from infersim.measuring.devices.timing import Budget, Call, Stopwatch

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
