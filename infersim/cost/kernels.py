"""The one entrance: the cost of any kernel shape on any GPU."""

from __future__ import annotations

from typing import Any

from infersim.cost.attention import ATTENTION
from infersim.cost.gemm import GEMM
from infersim.cost.kind import KernelKind
from infersim.cost.memory_bound import MEMORY_BOUND
from infersim.domain.costs import KernelCost
from infersim.domain.errors import UnknownNameError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape

_KINDS: tuple[KernelKind[Any], ...] = (GEMM, ATTENTION, MEMORY_BOUND)
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
