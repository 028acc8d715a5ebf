"""The latency of a kernel for any number of shapes, priced a stretch at a time: memory has a bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import half_width_with_host
from infersim.cost.energy import PowerLaw, kernel_energy_j, power_law
from infersim.cost.floor import kernel_floor_s
from infersim.cost.kernels import calibration_of, checked_cost, kernels_of
from infersim.domain.arrays import Array
from infersim.domain.costs import Latency, Power
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape

STRETCH = 65_536
"""Shapes that are priced at a time: the cost model holds some fifty arrays of them."""

Answers: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""What is said of shapes, an array for each name."""

_PARTS = ("kernel", "launch")


def shapes_latency(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool = True) -> Latency:
    """The latency of all the kernels that `shape` holds; no more than the answer is held of them at once."""
    found = dict(_by_stretches(shape, partial(_latency, profile=profile, cuda_graph=cuda_graph)))
    parts = {name: found.pop(name) for name in _PARTS}
    return Latency(
        **found,
        calibration=calibration_of(shape, profile).value,
        kernels=kernels_of(shape, profile),
        parts=parts,
        power=_power(shape, profile, cuda_graph),
    )


def _by_stretches(shape: Shape, answer: Callable[[Shape], Answers]) -> Answers:
    """`answer` on the whole of `shape`, asked of no more than STRETCH shapes at a time."""
    dimensions = {
        field.name: value
        for field in fields(shape)
        if isinstance(value := getattr(shape, field.name), np.ndarray) and value.ndim
    }
    extent = np.broadcast_shapes(*(array.shape for array in dimensions.values()))
    if math.prod(extent) <= STRETCH:
        return answer(shape)
    spread = {name: np.broadcast_to(array, extent).flat for name, array in dimensions.items()}
    whole: dict[str, npt.NDArray[Any]] = {}
    for start in range(0, math.prod(extent), STRETCH):
        here = slice(start, min(start + STRETCH, math.prod(extent)))
        found = answer(replace(shape, **{name: flat[here] for name, flat in spread.items()}))
        for name, values in found.items():
            if name not in whole:
                whole[name] = np.empty(extent, dtype=values.dtype)
            whole[name].reshape(-1)[here] = values
    return whole


def _latency(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool) -> Answers:
    """Cost of a kernel on its own: its floor counts cold weights and cache whole, the rest beyond L2."""
    cost = checked_cost(shape, profile, cuda_graph=cuda_graph)
    floor_s = kernel_floor_s(cost.matrix_floor_s, cost.kernel_bytes, profile, cold_bytes=cost.model_bytes)
    latency_s: Array = np.maximum(cost.kernel_s + cost.launch_s, floor_s)
    spread = np.exp(half_width_with_host(profile, cost, cuda_graph=cuda_graph))
    return {
        "latency_s": latency_s,
        "lower_s": np.maximum(latency_s / spread, floor_s),
        "upper_s": latency_s * spread,
        "floor_s": floor_s,
        "limiter_codes": cost.limiter,
        "in_range": cost.in_range,
        "kernel": latency_s - cost.launch_s,
        "launch": cost.launch_s,
    }


def _power(shape: Shape, profile: HardwareProfile, cuda_graph: bool) -> Power | None:
    """The board's power over these kernels; their cost is worked out again, as few ask for it."""
    law = power_law(profile)
    if law is None:
        return None
    return Power(
        energy_j=partial(_energy_j, shape, profile, law, cuda_graph),
        calibration=law.calibration.value,
        log_half_width=law.log_half_width,
    )


def _energy_j(shape: Shape, profile: HardwareProfile, law: PowerLaw, cuda_graph: bool) -> Array:
    answer = partial(_energy, profile=profile, law=law, cuda_graph=cuda_graph)
    joules: Array = _by_stretches(shape, answer)["energy_j"]
    return joules


def _energy(shape: Shape, profile: HardwareProfile, law: PowerLaw, cuda_graph: bool) -> Answers:
    cost = checked_cost(shape, profile, cuda_graph=cuda_graph)
    return {"energy_j": kernel_energy_j(shape, profile, cost, law)}
