"""The one entrance: the cost of any kernel shape on any GPU.

A kernel that would take hours is refused: it is a slip of a dimension.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from infersim.cost.attention.attention import ATTENTION
from infersim.cost.collectives.collectives import COLLECTIVE
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS
from infersim.cost.experts.experts import EXPERTS
from infersim.cost.gemm.gemm import GEMM, runs_as, stands_on_relation
from infersim.cost.gemm.group_skip import GROUP_GEMM
from infersim.cost.gemm.mask_sort import MASK_SORT
from infersim.cost.gemm.sparse_relations import sparse_library
from infersim.cost.gemm.unstructured import UNSTRUCTURED
from infersim.cost.kind import KernelKind
from infersim.cost.memory_bound import MEMORY_BOUND
from infersim.domain.costs import KernelCost
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Gemm, Shape

_KINDS: tuple[KernelKind[Any], ...] = (
    *(GEMM, ATTENTION, MEMORY_BOUND, EXPERTS, COLLECTIVE),
    *(GROUP_GEMM, MASK_SORT, UNSTRUCTURED),
)
"""Here a new kind of kernel is entered; nothing else lists them."""


def kernel_kind(shape: Shape) -> KernelKind[Any]:
    """The kind that the shape belongs to; raises UnknownNameError that lists the known ones."""
    for kind in _KINDS:
        if type(shape) is kind.shape:
            return kind
    raise UnknownNameError("kernel", type(shape).__name__, (kind.shape.__name__ for kind in _KINDS))


def kernel_cost(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool = True) -> KernelCost:
    """Cost of one execution of `shape`; arrays over the scenario axis.

    Raises UnsupportedError where the GPU lacks the shape's data type.
    """
    return kernel_kind(shape).cost(shape, profile, cuda_graph=cuda_graph)


def kernels_of(shape: Shape, profile: HardwareProfile) -> str | None:
    """The kernel set that was measured of the shape's kind; None where no fit of its own stands behind it."""
    if isinstance(shape, Gemm) and stands_on_relation(shape, profile):
        return sparse_library(profile, runs_as(shape.precision, profile).math)
    name = kernel_kind(shape).fitted_as(shape, profile)
    fit = None if name is None or profile.fit is None else profile.fit.kinds.get(name)
    return None if fit is None else fit.kernels


def calibration_of(shape: Shape, profile: HardwareProfile) -> Calibration:
    """Where the parameters of a shape's kernel come from: a measured GPU may lack its kind."""
    name = kernel_kind(shape).fitted_as(shape, profile)
    fit = None if name is None or profile.fit is None else profile.fit.kinds.get(name)
    if fit is None and name in COLLECTIVE_PARAMETERS:
        return Calibration.NONE  # no other exchange stands in
    return Calibration.TRANSFERRED if fit is not None and fit.transferred else profile.calibration


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
