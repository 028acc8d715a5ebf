"""What the cost model says of each sample, beside the floor and the plain roofline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.assembling import half_width_with_host
from infersim.cost.energy import PowerLaw, kernel_energy_j, power_law
from infersim.cost.floor import kernel_floor_s
from infersim.cost.kernels import kernel_cost, kernel_kind
from infersim.cost.parameters import kind_parameters
from infersim.domain.arrays import Array
from infersim.domain.costs import LIMITERS, KernelCost, Limiter
from infersim.domain.profile import MEGA, TERA, HardwareProfile
from infersim.domain.shapes import Shape
from infersim.fitting.samples.schema import Kind, Timed
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.fitting.samples.timing import LONE_START_US, ways_of_timing

_LIMITER_NAMES = np.array([limiter.value for limiter in LIMITERS], dtype=object)


def predict_samples(frame: pd.DataFrame, profile: HardwareProfile) -> pd.DataFrame:
    """Predictions for the rows of `frame` (one at least), in a frame of their own with the same index.

    Columns: `predicted_us` with its 80 % interval `lower_us` and `upper_us`, `floor_us`, `roofline_us`,
    `flop`, `kernel_bytes`, `pair_log_half_width`, `limiter`, `in_range`; where `power_w` was measured also
    `predicted_w` with `lower_w` and `upper_w`. Launch samples have no shape, and so NaN for floor, roofline,
    work and power. Raises UnsupportedError where the GPU lacks a data type of the samples.
    """
    columns: dict[str, npt.NDArray[Any]] = {}

    def enter(rows: npt.NDArray[np.intp], predicted: Mapping[str, Any]) -> None:
        for name, values in predicted.items():
            if name not in columns:
                columns[name] = np.empty(len(frame), dtype=_TYPES.get(name, np.float64))
            columns[name][rows] = values

    law = power_law(profile) if "power_w" in frame and frame["power_w"].notna().any() else None
    ways = ways_of_timing(frame)
    for way in Timed:
        timed_so = np.flatnonzero(ways == way)
        for rows, shape in kernel_shapes(frame.iloc[timed_so]):
            enter(timed_so[rows], _of_shape(shape, profile, way, law))
    launches = np.flatnonzero(frame["kind"] == Kind.LAUNCH)
    if len(launches):
        enter(launches, _of_launches(frame.iloc[launches], profile))
        enter(launches, {} if law is None else dict.fromkeys(POWER_COLUMNS, np.nan))
    return pd.DataFrame(columns, index=frame.index, copy=False)


POWER_COLUMNS = ("predicted_w", "lower_w", "upper_w")

_TYPES: Mapping[str, type] = {"limiter": object, "in_range": np.bool_}
"""Columns of predictions that hold no numbers."""


def _of_shape(shape: Shape, profile: HardwareProfile, way: Timed, law: PowerLaw | None) -> dict[str, Any]:
    """Predictions for all rows that one shape record holds, in its order, as they were timed."""
    cost = kernel_cost(shape, profile, cuda_graph=way is not Timed.HOST)
    start_us = LONE_START_US if way is Timed.ALONE else 0.0
    floor_s = kernel_floor_s(cost.matrix_floor_s, cost.kernel_bytes, profile, cold_bytes=cost.model_bytes)
    predicted_s = np.maximum(cost.kernel_s + cost.launch_s, floor_s)
    spread = np.exp(half_width_with_host(profile, cost, cuda_graph=way is not Timed.HOST))
    return {
        "predicted_us": MEGA * predicted_s + start_us,
        "lower_us": MEGA * np.maximum(predicted_s / spread, floor_s) + start_us,
        "upper_us": MEGA * predicted_s * spread + start_us,
        "floor_us": MEGA * floor_s,
        "roofline_us": MEGA * roofline_s(shape, cost, profile),
        "flop": cost.flop,
        "kernel_bytes": cost.kernel_bytes,
        "pair_log_half_width": cost.pair_log_half_width,
        "limiter": _LIMITER_NAMES[cost.limiter],
        "in_range": cost.in_range,
        **({} if law is None else _watts(shape, profile, cost, law)),
    }


def _watts(shape: Shape, profile: HardwareProfile, cost: KernelCost, law: PowerLaw) -> dict[str, Array]:
    """Mean power of the board while each kernel repeats, and its interval: never above the limit."""
    watts = kernel_energy_j(shape, profile, cost, law) / (cost.kernel_s + cost.launch_s)
    spread = np.exp(law.log_half_width)
    bounds = (watts, watts / spread, np.minimum(watts * spread, law.limit_w))
    return dict(zip(POWER_COLUMNS, bounds, strict=True))


def _of_launches(rows: pd.DataFrame, profile: HardwareProfile) -> dict[str, Any]:
    """Empty kernels that the host issues one after the other, without a CUDA graph."""
    parameters = kind_parameters(profile, "launch")
    kernels = rows["kernels"].fillna(1.0) if "kernels" in rows.columns else 1.0
    predicted_us = parameters.values["host_us"] * np.broadcast_to(kernels, len(rows)).astype(np.float64)
    spread = np.exp(
        parameters.widening * parameters.interval.by_regime.get("all", parameters.interval.outside)
    )
    return {
        "predicted_us": predicted_us,
        "lower_us": predicted_us / spread,
        "upper_us": predicted_us * spread,
        "floor_us": np.nan,
        "roofline_us": np.nan,
        "flop": np.nan,
        "kernel_bytes": np.nan,
        "pair_log_half_width": parameters.widening * parameters.interval.pair,
        "limiter": Limiter.LAUNCH.value,
        "in_range": parameters.fit is not None,
    }


def roofline_s(shape: Shape, cost: KernelCost, profile: HardwareProfile) -> Array:
    """The plain roofline: max(FLOPs / datasheet peak, operands and result / datasheet bandwidth).

    Williams, Waterman and Patterson, "Roofline" (CACM 2009), as calculators without measurements use it: no
    launch, no cache, no waste. A 2:4 kernel has the nominal sparse peak.
    """
    memory_s = cost.kernel_bytes / profile.memory.bandwidth_bytes_per_s
    dtype = kernel_kind(shape).multiplies_in(shape, profile)
    if dtype is None:
        sent: Array = np.maximum(cost.matrix_floor_s, memory_s)  # what an exchange sends over its links
        return sent
    # The matrix floor is at the highest clock, which the datasheet's peak is not.
    datasheet_flop_per_s = profile.matrix_rate(dtype).datasheet_tflops * TERA
    matrix_s = cost.matrix_floor_s * (profile.bound_flop_per_s(dtype) / datasheet_flop_per_s)
    slower: Array = np.maximum(matrix_s, memory_s)
    return slower
