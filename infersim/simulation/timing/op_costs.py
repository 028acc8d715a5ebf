"""Costs of ops as arrays: one row an op, the scenario axes after it, every quantity times the op's count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import half_width_with_host
from infersim.cost.energy import busy_share
from infersim.cost.kernels import checked_cost
from infersim.domain.arrays import Array
from infersim.domain.profile import HardwareProfile
from infersim.simulation.timing.program import Programs

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpCosts:
    """What ops cost over all passes; arrays of ops x scenarios.

    Times, FLOPs and bytes are totals over an op's executions. `peak_s` is FLOPs over the dense peak,
    `matrix_s` the floor of the FLOPs (2:4 at its nominal rate), `stream_s` compulsory bytes over bandwidth.
    Half-widths, limiter and range are those of a single execution, as in `KernelCost`. `busy` is the share of
    the SMs that have work.
    """

    flop: Array
    model_bytes: Array
    kernel_bytes: Array
    peak_s: Array
    matrix_s: Array
    stream_s: Array
    kernel_s: Array
    launch_s: Array
    log_half_width: Array
    pair_log_half_width: Array
    limiter: npt.NDArray[np.int8]
    in_range: npt.NDArray[np.bool_]
    busy: Array
    error_group: npt.NDArray[np.str_]

    @property
    def cold_roofline_s(self) -> Array:
        """Seconds of each op at the peaks, all of its weights and KV cache read from memory."""
        slower: Array = np.maximum(self.matrix_s, self.stream_s)
        return slower

    @property
    def latency_s(self) -> Array:
        """Seconds of each op, launch included."""
        return self.kernel_s + self.launch_s

    def select(self, rows: slice) -> OpCosts:
        """Views of some rows."""
        return OpCosts(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def over_ops(values: npt.NDArray[np.float64], members: npt.NDArray[np.bool_] | None = None) -> Array:
    """The sum of ops x scenarios over all ops, or over `members` of them."""
    total: Array = (values if members is None else values[members]).sum(axis=0)
    return total


def cost_ops(programs: Programs, profile: HardwareProfile) -> OpCosts:
    """Cost every op of `programs` on a GPU; UnsupportedError where the GPU lacks an op's data type."""
    counts = programs.counts
    costs = [checked_cost(stack.shape, profile, cuda_graph=programs.cuda_graph) for stack in programs.stacks]

    def by_op(values: Iterable[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
        """The stacks' values as rows in the order of the ops."""
        arrays = list(values)
        rows = np.empty(counts.shape, dtype=arrays[0].dtype)
        for stack, array in zip(programs.stacks, arrays, strict=True):
            rows[stack.rows] = array
        return rows

    model_bytes = counts * by_op(cost.model_bytes for cost in costs)
    groups = np.array([cost.error_group for cost in costs])
    error_group = np.empty(len(counts), dtype=groups.dtype)
    for stack, group in zip(programs.stacks, groups, strict=True):
        error_group[stack.rows] = group
    return OpCosts(
        flop=counts * by_op(cost.flop for cost in costs),
        model_bytes=model_bytes,
        kernel_bytes=counts * by_op(cost.kernel_bytes for cost in costs),
        peak_s=counts * by_op(cost.flop / cost.peak_flop_per_s for cost in costs),
        matrix_s=counts * by_op(cost.matrix_floor_s for cost in costs),
        stream_s=model_bytes / profile.memory.bandwidth_bytes_per_s,
        kernel_s=counts * by_op(cost.kernel_s for cost in costs),
        launch_s=programs.launches * by_op(cost.launch_s for cost in costs),
        log_half_width=by_op(
            half_width_with_host(profile, cost, cuda_graph=programs.cuda_graph) for cost in costs
        ),
        pair_log_half_width=by_op(cost.pair_log_half_width for cost in costs),
        limiter=by_op(cost.limiter for cost in costs),
        in_range=by_op(cost.in_range for cost in costs),
        busy=by_op(busy_share(stack.shape, profile) for stack in programs.stacks),
        error_group=error_group,
    )
