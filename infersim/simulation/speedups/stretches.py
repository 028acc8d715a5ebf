"""The latency of a kernel for any number of shapes, priced a stretch at a time: memory has a bound."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from infersim.cost.floor import kernel_floor_s
from infersim.cost.kernels import checked_cost, kernels_of
from infersim.domain.arrays import Array
from infersim.domain.costs import Latency
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape

STRETCH = 65_536
"""Shapes that are priced at a time: the cost model holds some fifty arrays of them."""

_ARRAYS = ("latency_s", "lower_s", "upper_s", "floor_s", "limiter_codes", "in_range")


def shapes_latency(shape: Shape, profile: HardwareProfile) -> Latency:
    """The latency of all the kernels that `shape` holds; no more than the answer is held of them at once."""
    dimensions = {
        field.name: value
        for field in fields(shape)
        if isinstance(value := getattr(shape, field.name), np.ndarray) and value.ndim
    }
    extent = np.broadcast_shapes(*(array.shape for array in dimensions.values()))
    if math.prod(extent) <= STRETCH:
        return _latency(shape, profile)
    spread = {name: np.broadcast_to(array, extent).flat for name, array in dimensions.items()}
    whole: dict[str, npt.NDArray[np.generic]] = {}
    calibration = profile.calibration.value
    for start in range(0, math.prod(extent), STRETCH):
        here = slice(start, min(start + STRETCH, math.prod(extent)))
        found = _latency(replace(shape, **{name: flat[here] for name, flat in spread.items()}), profile)
        for name, values in (*((name, getattr(found, name)) for name in _ARRAYS), *found.parts.items()):
            if name not in whole:
                whole[name] = np.empty(extent, dtype=values.dtype)
            whole[name].reshape(-1)[here] = values
    arrays = {name: whole.pop(name) for name in _ARRAYS}
    kernels = kernels_of(shape, profile)
    return Latency(**arrays, calibration=calibration, kernels=kernels, parts=whole)  # type: ignore[arg-type]


def _latency(shape: Shape, profile: HardwareProfile) -> Latency:
    """Cost of a kernel on its own: its floor counts cold weights and cache whole, the rest beyond L2."""
    cost = checked_cost(shape, profile)
    floor_s = kernel_floor_s(cost.matrix_floor_s, cost.kernel_bytes, profile, cold_bytes=cost.model_bytes)
    latency_s: Array = np.maximum(cost.kernel_s + cost.launch_s, floor_s)
    spread = np.exp(cost.log_half_width)
    return Latency(
        latency_s=latency_s,
        lower_s=np.maximum(latency_s / spread, floor_s),
        upper_s=latency_s * spread,
        floor_s=floor_s,
        limiter_codes=cost.limiter,
        in_range=cost.in_range,
        calibration=profile.calibration.value,
        kernels=kernels_of(shape, profile),
        parts={"kernel": latency_s - cost.launch_s, "launch": cost.launch_s},
    )
