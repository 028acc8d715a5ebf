"""Latency of small kernels, which move bytes: norms, rotary, activations, residuals, gathers, cache writes.

A kernel takes a launch, the time of a row, and that of its bytes: what still lies in L2 at L2's rate, the
rest at the memory's. Quantising 16-bit activations to 8 bit before a W8A8 GEMM is one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, L2, MEMORY, assemble, exposed_launch_s
from infersim.cost.kind import KernelKind
from infersim.cost.machine import F32, Machine, missed_in_l2
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.cost.regimes import MEMORY_REGIMES, memory_regime, regime_widths
from infersim.cost.small_kernel_parameters import OWN_NAMES, own_name
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import Precision
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import MemoryBound
from infersim.domain.small_kernels import SmallKernel

PASS_VALUES = 2048.0
"""Values of a token that a thread block handles in one pass: times step where K crosses a multiple."""


def act_quant_us(p: Mapping[str, float], machine: Machine, precision: Precision, m: F32, k: F32) -> F32:
    """Microseconds to read activations A[m, k], find each token's scale and write them narrower.

    An SM takes its tokens one after the other: each costs `act_quant_token_us`, and `act_quant_pass_us` for
    every PASS_VALUES values. What is more than L2 holds goes through DRAM, if that is slower.
    """
    tokens_an_sm = np.maximum(m * np.float32(1 / machine.sm_count), np.float32(1))
    passes = np.ceil(k * np.float32(1 / PASS_VALUES))
    passes *= np.float32(p["act_quant_pass_us"])
    passes += np.float32(p["act_quant_token_us"])
    passes *= tokens_an_sm
    moved = m * k * np.float32(precision.output_bytes + precision.activation_bytes)
    missed = missed_in_l2(p, machine.l2_bytes, moved)
    missed *= np.float32(1 / (machine.dram_bytes_per_us * p["dram_efficiency"]))
    duration: F32 = np.maximum(passes, missed)
    duration += np.float32(p["act_quant_us"])
    return duration


def memory_bound_cost(shape: MemoryBound, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of `shape.kernels` launches that together move `read_bytes + write_bytes`."""
    parameters = kind_parameters(profile, "memory")
    moved = _moved_bytes(shape)
    row_us, l2_us, dram_us = small_kernel_us(parameters.values, shape, profile)
    kernel_s = shape.kernels * (row_us + l2_us + dram_us) / MEGA
    limiter = np.where(dram_us > l2_us, MEMORY, L2)
    limiter = np.where(row_us > l2_us + dram_us, CHAIN, limiter)
    interval, sampled = parameters.interval, _sampled(parameters, shape.kernel)
    widths = regime_widths(interval.by_regime, MEMORY_REGIMES, interval.outside)
    width = np.where(sampled, widths[memory_regime(moved / shape.kernels)], interval.outside)
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
            profile, kernel_s, parameters.values["launch_us"], shape.kernels, cuda_graph=cuda_graph
        ),
        limiter=limiter.astype(np.int8),
        log_half_width=width,
        in_range=sampled,
    )


def _sampled(parameters: KindParameters, kernel: Numeric) -> npt.NDArray[np.bool_]:
    """Whether the fit saw kernels of this kind: of others it knows what all share."""
    known = {} if parameters.fit is None else parameters.fit.parameters
    sampled = np.array([own_name(each, "speed") in known for each in SmallKernel])
    return np.asarray(sampled[np.asarray(kernel).astype(np.intp)])


ROWS_NORM = 4.0
"""Norm that joins the rows' time with the bytes': blocks of threads load while others reduce."""


def small_kernel_us(
    p: Mapping[str, float], shape: MemoryBound, profile: HardwareProfile
) -> tuple[Array, Array, Array]:
    """Microseconds of one of the kernels without launch: of rows, of bytes in L2 and of those from memory.

    The first row of a block of threads takes its way through load, reduction and store; an SM takes `row_us`
    for each row. What was written long before (`cold_bytes`; nothing, in a loop) comes from memory; of the
    bytes that other kernels touched just before, L2 holds the share that fits in the residency, with a soft
    edge in a model and a sharp one in a loop. A kernel that computes more than it can hide has a `speed`
    below 1 everywhere.
    """
    own = _own(p, shape.kernel)
    moved = _moved_bytes(shape) / shape.kernels
    cold = (0.0 if shape.looped else as_array(shape.cold_bytes)) / shape.kernels
    recent = np.maximum(moved - as_array(shape.rewritten_bytes) / shape.kernels - cold, 1.0)
    rows = as_array(shape.rows) / shape.kernels

    held = p["loop_residency"] if shape.looped else own["residency"]
    edge = p["loop_sharpness"] if shape.looped else p["residency_sharpness"]
    missing = 1 / (1 + (held * profile.chip.l2_bytes / recent) ** edge)
    missed = cold + (moved - cold) * missing
    l2_rate = p["sm_bytes_per_clock"] * own["speed"] * profile.chip.clocks_per_s / MEGA
    dram_rate = p["dram_efficiency"] * profile.memory.bandwidth_bytes_per_s / MEGA
    l2_us = (moved - missed) / l2_rate
    dram_us = missed / (dram_rate * np.minimum(own["speed"], 1.0))

    per_row = moved / np.maximum(rows, 1.0)
    first_us = own["us"] + np.where(rows > 0, own["us_per_kib"] * per_row / 1024, 0.0)
    rows_us = rows / profile.chip.sm_count * own["row_us"]
    bytes_us = l2_us + dram_us
    hidden = (bytes_us**ROWS_NORM + rows_us**ROWS_NORM) ** (1 / ROWS_NORM) - bytes_us
    return first_us + hidden, l2_us, dram_us


def _own(p: Mapping[str, float], kernel: Numeric) -> Mapping[str, Array]:
    """Each kind's own parameters, in the shape of `kernel`."""
    codes = np.asarray(kernel).astype(np.intp)
    return {name: np.array([p[own_name(each, name)] for each in SmallKernel])[codes] for name in OWN_NAMES}


def _moved_bytes(shape: MemoryBound) -> Array:
    return as_array(shape.read_bytes) + shape.write_bytes


MEMORY_BOUND = KernelKind(
    shape=MemoryBound,
    cost=memory_bound_cost,
    flop=lambda shape: np.zeros(np.shape(shape.read_bytes)),
    operand_bytes=_moved_bytes,
    multiplies_in=lambda *_: None,
)
