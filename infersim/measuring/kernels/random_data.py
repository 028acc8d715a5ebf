"""Random operands: views into one buffer for each type, so that making them costs little time."""

from __future__ import annotations

import math

import torch

from infersim.measuring.devices.device import Device

SEED = 0
INT8_LARGEST = 127

ALIGNED = 256
"""Copies begin at multiples of so many values, as tensors of their own do: it decides on kernels too."""


class RandomData:
    """Random tensors on a device. The same call gives views of the same data: what is measured is time.

    Floating-point values are normal with variance 1, 8-bit integers uniform.
    """

    def __init__(self, device: Device) -> None:
        self._device = device.torch_device
        self._generator = torch.Generator(self._device).manual_seed(SEED)
        self._pools: dict[torch.dtype, torch.Tensor] = {}

    def tensor(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        """A tensor of its own."""
        return self._values(math.prod(shape), dtype).reshape(shape)

    def copies(self, count: int, *shape: int, dtype: torch.dtype) -> list[torch.Tensor]:
        """`count` tensors that do not overlap."""
        size = math.prod(shape)
        step = -(-size // ALIGNED) * ALIGNED
        if dtype not in self._pools or self._pools[dtype].numel() < count * step:
            # The old buffer goes before the new one comes: both may not fit.
            self._pools.pop(dtype, None)
            self._pools[dtype] = self._values(count * step, dtype)
        pool = self._pools[dtype]
        return [pool[at * step : at * step + size].view(shape) for at in range(count)]

    @property
    def holds_buffers(self) -> bool:
        """Whether there is anything to forget."""
        return bool(self._pools)

    def forget(self) -> None:
        """Give the buffers back."""
        self._pools.clear()

    def _values(self, size: int, dtype: torch.dtype) -> torch.Tensor:
        if dtype is torch.int8:
            values = torch.empty(size, dtype=dtype, device=self._device)
            return values.random_(-INT8_LARGEST, INT8_LARGEST + 1, generator=self._generator)
        if dtype.itemsize == 1:
            return self._values(size, torch.bfloat16).to(dtype)
        return torch.empty(size, dtype=dtype, device=self._device).normal_(generator=self._generator)
