"""The one entrance: the cost of any kernel shape on any GPU."""

from __future__ import annotations

from infersim.cost.attention import attention_cost
from infersim.cost.gemm import gemm_cost
from infersim.cost.memory_bound import memory_bound_cost
from infersim.domain.costs import KernelCost
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Attention, Gemm, Shape


def kernel_cost(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool = True) -> KernelCost:
    """Cost of one execution of `shape`; arrays over the scenario axis.

    Raises UnsupportedError where the GPU lacks the shape's data type.
    """
    if isinstance(shape, Gemm):
        return gemm_cost(shape, profile, cuda_graph=cuda_graph)
    if isinstance(shape, Attention):
        return attention_cost(shape, profile, cuda_graph=cuda_graph)
    return memory_bound_cost(shape, profile, cuda_graph=cuda_graph)
