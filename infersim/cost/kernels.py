"""The one entrance: the cost of any kernel shape on any GPU."""

from __future__ import annotations

from infersim.cost.alignment import with_alignment
from infersim.cost.attention import attention_cost
from infersim.cost.gemm import gemm_cost
from infersim.cost.generated import as_generated
from infersim.cost.memory_bound import memory_bound_cost
from infersim.domain.costs import KernelCost
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Attention, Gemm, Phase, Shape


def kernel_cost(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool = True) -> KernelCost:
    """Cost of one execution of `shape`; arrays over the scenario axis.

    Generated decode attention streams the cache as fast as the library's: SeerAttention-R (arXiv 2506.08889)
    measures up to 9x of a possible 10x at 90 % sparsity. Raises UnsupportedError where the GPU lacks the
    shape's data type.
    """
    if isinstance(shape, Gemm):
        cost = with_alignment(shape, gemm_cost(shape, profile, cuda_graph=cuda_graph), profile)
    elif isinstance(shape, Attention):
        cost = attention_cost(shape, profile, cuda_graph=cuda_graph)
        if shape.phase is Phase.DECODE:
            return cost
    else:
        return memory_bound_cost(shape, profile, cuda_graph=cuda_graph)
    return as_generated(cost) if shape.generated else cost
