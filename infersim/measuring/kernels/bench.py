"""What every kind of kernel is prepared with: the device, its random data, and how cold its caches are.

A prepared kernel is ready to be timed. A hot device is waited for, but not for ever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch

from infersim.domain.errors import UnsupportedError
from infersim.measuring.devices.device import Device
from infersim.measuring.devices.timing import Call
from infersim.measuring.kernels.random_data import RandomData
from infersim.measuring.kernels.rotation import CacheState, Rotation, rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Calls that run the same kernel on different data, and what they say about the sample.

    - `rotating_buffers`: distinct weights (KV caches) that the calls rotate over.
    - `weight_copies`: what the samples format asks for: the same number, or None where it is so large that
      weights come from memory.
    - `includes_act_quant`: whether quantising activations is part of a call (None: nothing to quantise).
    - `captured`: whether a CUDA graph may replay the calls; not where the launch itself is what is timed.
    - `implementation`: which PyTorch function runs.
    """

    calls: tuple[Call, ...]
    implementation: str
    rotating_buffers: int = 1
    weight_copies: int | None = None
    includes_act_quant: bool | None = None
    captured: bool = True


PAUSE_S = 2.0


@dataclass(slots=True, kw_only=True)
class Cooling:
    """Seconds that a run may still spend on pauses; what is measured without them is marked as throttled."""

    left_s: float = 40.0

    def pause(self) -> bool:
        """Wait, unless the time for it is spent: whether it was waited."""
        if self.left_s < PAUSE_S:
            return False
        self.left_s -= PAUSE_S
        time.sleep(PAUSE_S)
        return True


Row: TypeAlias = Mapping[str, Any]
"""A planned kernel: the dimensions of the samples format, without empty cells."""

TORCH_DTYPES: Mapping[str, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8": torch.float8_e4m3fn,
    "int8": torch.int8,
    "fp8_static": torch.float8_e4m3fn,
    "int8_static": torch.int8,
    "w8a16": torch.int8,
    "w4a16": torch.int8,
}
"""PyTorch's name of the type that operands (of weight-only kernels the weights) are stored in. FP8 is E4M3,
which inference uses; two 4-bit weights are a byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The device, its data and the state of its caches."""

    device: Device
    data: RandomData
    cache: CacheState
    cooling: Cooling = field(default_factory=Cooling)

    @property
    def is_cuda(self) -> bool:
        return self.device.torch_device.type == "cuda"

    def check_capability(self, major: int, minor: int, what: str) -> None:
        """Raise UnsupportedError on a GPU that is older than what `what` needs; a CPU passes."""
        if not self.is_cuda:
            return
        capability = torch.cuda.get_device_capability(self.device.torch_device)
        if capability < (major, minor):
            raise UnsupportedError(
                f"{what} need compute capability {major}.{minor}, and {self.device.title} has "
                f"{capability[0]}.{capability[1]}"
            )

    def rotation(self, copy_bytes: float, *, most_copies: int | None = None) -> Rotation:
        """How many copies of so many bytes to rotate over."""
        more = {} if most_copies is None else {"most_copies": most_copies}
        return rotation(copy_bytes, self.device.cache_bytes, self.cache, **more)


def stored_as(dtype: str) -> torch.dtype:
    """The PyTorch type of a data type of the samples format; UnsupportedError where it has none."""
    try:
        return TORCH_DTYPES[dtype]
    except KeyError:
        known = ", ".join(TORCH_DTYPES)
        raise UnsupportedError(f"{dtype} cannot be measured with PyTorch alone: it has {known}") from None
