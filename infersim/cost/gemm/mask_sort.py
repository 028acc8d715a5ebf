"""Latency of sorting masks, so that the tokens that take a group of columns stand together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from infersim.cost.assembling import L2, assemble, exposed_launch_s
from infersim.cost.kind import KernelKind
from infersim.cost.parameters import OwnParameters, kind_parameters
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape

PARAMETERS = OwnParameters(
    name="mask_sort",
    defaults={"launch_us": 2.3, "flags_per_clock_per_sm": 0.0123},
    uncalibrated=IntervalFit(by_regime={}, pair=0.2, outside=0.5),
)
"""PyTorch's sort of a column of flags for each group, with their places; fitted with the kernels."""

VECTOR_TOKENS = 4
"""Tokens up to which vector kernels take the masks as they are."""

FLAG_BYTES, PLACE_BYTES = 1.0, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSort(Shape):
    """Sorting the tokens of each of `groups` groups into those that take it and those that do not."""

    DIMENSIONS: ClassVar[tuple[str, ...]] = ("tokens", "groups")

    tokens: Numeric
    groups: Numeric


def sort_bytes(shape: MaskSort) -> Array:
    """Flags read, and written in order with their places."""
    return as_array(shape.tokens) * shape.groups * (2 * FLAG_BYTES + PLACE_BYTES)


def mask_sort_cost(shape: MaskSort, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of one sort of all groups' flags; nothing where a vector kernel takes them as they are."""
    found = kind_parameters(profile, PARAMETERS)
    moved = sort_bytes(shape)
    sorted_at_all = np.broadcast_to(as_array(shape.tokens) > VECTOR_TOKENS, moved.shape)
    flags = as_array(shape.tokens) * shape.groups
    rate = found.values["flags_per_clock_per_sm"] * profile.chip.clocks_per_s
    kernel_s = np.where(sorted_at_all, flags / rate, 0.0)
    launch_s = exposed_launch_s(profile, kernel_s, found.values["launch_us"], 1, cuda_graph=cuda_graph)
    return assemble(
        profile,
        found,
        error_group="mask sort",
        flop=np.zeros_like(moved),
        peak_flop_per_s=np.inf,
        matrix_floor_s=np.zeros_like(moved),
        model_bytes=np.zeros_like(moved),
        kernel_bytes=moved,
        kernel_s=kernel_s,
        launch_s=np.where(sorted_at_all, launch_s, 0.0),
        limiter=np.full(moved.shape, L2, dtype=np.int8),
        log_half_width=found.interval.outside,
        in_range=np.asarray(False),
    )


MASK_SORT = KernelKind(
    shape=MaskSort,
    cost=mask_sort_cost,
    flop=lambda shape: np.zeros(np.shape(sort_bytes(shape))),
    operand_bytes=sort_bytes,
    multiplies_in=lambda *_: None,
)
