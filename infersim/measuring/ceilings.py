"""What a machine without a datasheet can do at most: its best rates over several large shapes.

A ceiling has to hold for every sample that is measured later. So the fastest repeat counts, not the median,
and the shapes are tried again over some seconds: other programs and clocks let a machine do more at one time
than at another. Bytes are counted as a kernel must move them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch.nn import functional

from infersim.measuring.devices.device import Device
from infersim.measuring.devices.timing import Budget, Call, time_calls
from infersim.measuring.kernels.bench import stored_as
from infersim.measuring.kernels.random_data import RandomData

SQUARES = (256, 384, 512, 768, 1024, 1536)
"""m = n = k: from what fits into a core's own cache to what keeps every core busy."""

CACHES_PER_ARRAY = 4.0
"""Arrays so many times the largest cache keep little of themselves there."""

PASSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The best rates found: FLOP/s by data type, and bytes/s from memory."""

    flop_per_s: dict[str, float]
    bandwidth_bytes_per_s: float


def measure_ceilings(device: Device, dtypes: Sequence[str]) -> Ceilings:
    """The ceilings of `device` for GEMMs in `dtypes` and for streaming memory.

    Raises UnsupportedError for a data type that PyTorch cannot multiply.
    """
    data = RandomData(device)
    # As often as the budget's time allows: it is the fastest repeat that counts.
    budget = replace(device.budget, least_repeats=device.budget.most_repeats)
    flop_per_s = dict.fromkeys(dtypes, 0.0)
    bandwidth = 0.0
    for _ in range(PASSES):
        for dtype in dtypes:
            flop_per_s[dtype] = max(flop_per_s[dtype], _best_gemm(device, data, dtype, budget))
        bandwidth = max(bandwidth, _best_stream(device, data, budget))
    return Ceilings(flop_per_s=flop_per_s, bandwidth_bytes_per_s=bandwidth)


def _best_gemm(device: Device, data: RandomData, dtype: str, budget: Budget) -> float:
    best = 0.0
    for size in SQUARES:
        activations, weight = (data.tensor(size, size, dtype=stored_as(dtype)) for _ in range(2))
        call = partial(functional.linear, activations, weight)
        best = max(best, 2.0 * size**3 / _fastest_s(device, call, budget))
    return best


def _best_stream(device: Device, data: RandomData, budget: Budget) -> float:
    """Reading once, copying, adding two arrays into a third, and a matrix times a vector."""
    size = int(CACHES_PER_ARRAY * device.cache_bytes) // torch.float32.itemsize
    columns = 4096
    first, second, target = (data.tensor(size, dtype=torch.float32) for _ in range(3))
    matrix = first[: size // columns * columns].view(-1, columns)
    one_token = data.tensor(1, columns, dtype=torch.float32)
    streams: dict[Call, int] = {
        partial(torch.sum, first): 1,
        partial(target.copy_, first): 2,
        partial(torch.add, first, second, out=target): 3,
        partial(functional.linear, one_token, matrix): 1,
    }
    array_bytes = size * torch.float32.itemsize
    return max(arrays * array_bytes / _fastest_s(device, call, budget) for call, arrays in streams.items())


def _fastest_s(device: Device, call: Call, budget: Budget) -> float:
    timing = time_calls(device.stopwatch, [call], budget=budget, capture=device.capture)
    return min(timing.raw_us) / 1e6
