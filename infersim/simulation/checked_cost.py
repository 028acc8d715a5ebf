"""Kernel costs with an end to what is believed: a kernel of hours is a slip of a dimension."""

from __future__ import annotations

import numpy as np

from infersim.cost.kernels import kernel_cost
from infersim.domain.costs import KernelCost
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape


def checked_cost(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool = True) -> KernelCost:
    """`kernel_cost`, but InvalidValueError where a kernel would run for more than about an hour.

    The tile model counts microseconds in 32 bit and takes their fourth power, which ends at 4e9 us.
    """
    try:
        with np.errstate(over="raise", invalid="raise"):
            return kernel_cost(shape, profile, cuda_graph=cuda_graph)
    except FloatingPointError:
        expected = f"dimensions whose product {profile.name} works through within an hour"
        raise InvalidValueError("kernel", type(shape).__name__.lower(), expected) from None
