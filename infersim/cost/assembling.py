"""Putting a `KernelCost` together: the floor it may not beat, its launch, and its interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.costs import LIMITERS, KernelCost, Limiter
from infersim.domain.profile import MEGA, HardwareProfile

COMPUTE, CHAIN, L2, MEMORY, LAUNCH, LINK = (LIMITERS.index(limiter) for limiter in Limiter)
"""Codes of the limiters in cost arrays."""


def exposed_launch_s(
    profile: HardwareProfile, kernel_s: Array, launch_us: float, kernels: int, *, cuda_graph: bool
) -> Array:
    """Seconds of launch that the kernels' own time does not hide.

    In a CUDA graph each kernel pays its kind's `launch_us`. Without one the host issues a kernel every
    `host_us`; what of that the GPU does not fill with work is exposed.
    """
    graph_s = kernels * launch_us / MEGA
    if cuda_graph:
        return np.full_like(kernel_s, graph_s)
    host_s = kernels * kind_parameters(profile, "launch").values["host_us"] / MEGA
    return np.maximum(graph_s, host_s - kernel_s)


def half_width_with_host(profile: HardwareProfile, cost: KernelCost, *, cuda_graph: bool) -> Array:
    """80 % half-width of the log of kernel and launch together; without a CUDA graph the host's enters it."""
    if cuda_graph:
        return cost.log_half_width
    launch = kind_parameters(profile, "launch").interval.outside
    total_s = cost.kernel_s + cost.launch_s
    share = np.divide(cost.launch_s, total_s, out=np.zeros_like(total_s), where=total_s > 0)
    return np.hypot((1 - share) * cost.log_half_width, share * launch)


def assemble(
    profile: HardwareProfile,
    parameters: KindParameters,
    *,
    error_group: str,
    flop: Array,
    peak_flop_per_s: float,
    matrix_floor_s: Array,
    model_bytes: Array,
    kernel_bytes: Array,
    kernel_s: Array,
    launch_s: Array,
    limiter: npt.NDArray[np.int8],
    log_half_width: Numeric,
    in_range: npt.NDArray[np.bool_],
) -> KernelCost:
    """Broadcast all to one shape, lift `kernel_s` to its floor and mark launch-limited kernels."""
    floor_s = np.maximum(matrix_floor_s, model_bytes / profile.memory.bandwidth_bytes_per_s)
    kernel_s = np.maximum(kernel_s, floor_s)
    shape = kernel_s.shape
    limiter = np.where(launch_s > kernel_s, LAUNCH, limiter).astype(np.int8)
    pair = parameters.interval.pair * parameters.widening
    return KernelCost(
        flop=np.broadcast_to(flop, shape),
        peak_flop_per_s=peak_flop_per_s,
        matrix_floor_s=np.broadcast_to(matrix_floor_s, shape),
        model_bytes=np.broadcast_to(model_bytes, shape),
        kernel_bytes=np.broadcast_to(kernel_bytes, shape),
        kernel_s=kernel_s,
        launch_s=np.broadcast_to(launch_s, shape),
        log_half_width=np.broadcast_to(as_array(log_half_width) * parameters.widening, shape),
        pair_log_half_width=np.broadcast_to(as_array(pair), shape),
        limiter=limiter,
        in_range=np.broadcast_to(in_range, shape),
        error_group=error_group,
    )
