"""Latency of kernels that move bytes: norms, rotary, activations, residuals, gathers, cache writes."""

from __future__ import annotations

import numpy as np

from infersim.cost.assembling import L2, MEMORY, assemble, exposed_launch_s
from infersim.cost.kind import KernelKind
from infersim.cost.parameters import kind_parameters
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import MemoryBound


def memory_bound_cost(shape: MemoryBound, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of `shape.kernels` launches that together move `read_bytes + write_bytes`.

    Bytes of one kernel that fit in the usable part of L2 move at L2's rate, the rest at DRAM's
    (`dram_efficiency` of the datasheet's); gathered rows reach `gather_efficiency` of both.
    """
    parameters = kind_parameters(profile, "memory")
    values, chip = parameters.values, profile.chip
    moved = _moved_bytes(shape)
    on_chip = np.minimum(moved, shape.kernels * values["l2_residency"] * chip.l2_bytes)
    l2_rate = values["l2_bytes_per_clock_per_sm"] * chip.clocks_per_s
    l2_s = on_chip / l2_rate
    dram_s = (moved - on_chip) / (profile.memory.bandwidth_bytes_per_s * values["dram_efficiency"])
    kernel_s = (l2_s + dram_s) / (values["gather_efficiency"] if shape.gathered else 1.0)
    return assemble(
        profile,
        parameters,
        error_group="memory",
        flop=np.zeros_like(moved),
        peak_flop_per_s=np.inf,
        matrix_floor_s=np.zeros_like(moved),
        model_bytes=as_array(shape.compulsory_bytes),
        kernel_bytes=moved,
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(
            profile, kernel_s, values["launch_us"], shape.kernels, cuda_graph=cuda_graph
        ),
        limiter=np.where(dram_s > l2_s, MEMORY, L2).astype(np.int8),
        log_half_width=parameters.interval.by_regime.get("all", parameters.interval.outside),
        in_range=np.asarray(parameters.fit is not None),
    )


def _moved_bytes(shape: MemoryBound) -> Array:
    return as_array(shape.read_bytes) + shape.write_bytes


MEMORY_BOUND = KernelKind(
    shape=MemoryBound,
    cost=memory_bound_cost,
    flop=lambda shape: np.zeros(np.shape(shape.read_bytes)),
    operand_bytes=_moved_bytes,
    multiplies_in=lambda _: None,
)
