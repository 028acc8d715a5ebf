"""What the cost model says of each sample, beside the floor and the plain roofline."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infersim.cost.floor import kernel_floor_s
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.costs import LIMITERS, KernelCost
from infersim.domain.profile import MEGA, TERA, HardwareProfile
from infersim.domain.shapes import Gemm, MemoryBound, Shape
from infersim.fitting.sample_shapes import kernel_shapes

_LIMITER_NAMES = np.array([limiter.value for limiter in LIMITERS], dtype=object)

_NUMBERS = (
    *("predicted_us", "lower_us", "upper_us", "floor_us", "roofline_us"),
    *("flop", "kernel_bytes", "pair_log_half_width"),
)


def predict_samples(frame: pd.DataFrame, profile: HardwareProfile) -> pd.DataFrame:
    """Predictions for the rows of `frame`, in a frame of their own with the same index.

    Columns: `predicted_us` with its 80 % interval `lower_us` and `upper_us`, `floor_us`, `roofline_us`,
    `flop`, `kernel_bytes`, `pair_log_half_width`, `limiter`, `in_range`. Launch samples have no shape: their
    numbers are NaN. Raises UnsupportedError where the GPU lacks a data type of the samples.
    """
    numbers = {name: np.full(len(frame), np.nan) for name in _NUMBERS}
    limiter = np.full(len(frame), None, dtype=object)
    in_range = np.zeros(len(frame), dtype=np.bool_)
    for rows, shape in kernel_shapes(frame):
        cost = kernel_cost(shape, profile)
        floor_s = kernel_floor_s(cost.matrix_floor_s, cost.kernel_bytes, profile)
        predicted_s = np.maximum(cost.kernel_s + cost.launch_s, floor_s)
        spread = np.exp(cost.log_half_width)
        numbers["predicted_us"][rows] = MEGA * predicted_s
        numbers["lower_us"][rows] = MEGA * np.maximum(predicted_s / spread, floor_s)
        numbers["upper_us"][rows] = MEGA * predicted_s * spread
        numbers["floor_us"][rows] = MEGA * floor_s
        numbers["roofline_us"][rows] = MEGA * roofline_s(shape, cost, profile)
        numbers["flop"][rows] = cost.flop
        numbers["kernel_bytes"][rows] = cost.kernel_bytes
        numbers["pair_log_half_width"][rows] = cost.pair_log_half_width
        limiter[rows] = _LIMITER_NAMES[cost.limiter]
        in_range[rows] = cost.in_range
    return pd.DataFrame({**numbers, "limiter": limiter, "in_range": in_range}, index=frame.index)


def roofline_s(shape: Shape, cost: KernelCost, profile: HardwareProfile) -> Array:
    """The plain roofline: max(FLOPs / datasheet peak, operands and result / datasheet bandwidth).

    Williams, Waterman and Patterson, "Roofline" (CACM 2009), as calculators without measurements use it: no
    launch, no cache, no waste. A 2:4 kernel has the nominal sparse peak.
    """
    memory_s = cost.kernel_bytes / profile.memory.bandwidth_bytes_per_s
    if isinstance(shape, MemoryBound):
        return memory_s
    dtype = shape.precision.math if isinstance(shape, Gemm) else shape.dtype
    # The matrix floor is at the highest clock, which the datasheet's peak is not.
    datasheet_flop_per_s = profile.matrix_rate(dtype).datasheet_tflops * TERA
    matrix_s = cost.matrix_floor_s * (profile.bound_flop_per_s(dtype) / datasheet_flop_per_s)
    slower: Array = np.maximum(matrix_s, memory_s)
    return slower
