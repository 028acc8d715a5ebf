"""Cost of a GEMM, dense or 2:4: the tile model with the GPU's parameters, the residual, and the interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, COMPUTE, L2, MEMORY, assemble, exposed_launch_s
from infersim.cost.floor import gemm_activation_bytes, gemm_flop, gemm_weight_bytes, weight_bytes_each
from infersim.cost.gemm_tiles import Machine, Operands, tile_streams
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.cost.regimes import GEMM_REGIMES, gemm_regime, regime_widths
from infersim.cost.residual import evaluate_residual
from infersim.cost.sparse_gemm import sparse_machine, sparse_values
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm


def machine_of(profile: HardwareProfile, dtype: DType) -> Machine:
    """The GPU as the tile model sees it, at the highest clock."""
    chip = profile.chip
    return Machine(
        sm_count=chip.sm_count,
        flop_per_us_per_sm=profile.bound_flop_per_s(dtype) / chip.sm_count / MEGA,
        clock_mhz=max(chip.clock_max_mhz, chip.tensor_clock_mhz),
        dram_bytes_per_us=profile.memory.bandwidth_bytes_per_s / MEGA,
        l2_bytes=chip.l2_bytes,
    )


def operands_of(shape: Gemm) -> Operands:
    """Bytes per value of the operands as stored."""
    return Operands(
        activation_bytes=shape.precision.activation_bytes,
        weight_bytes=weight_bytes_each(shape.precision, shape.weights),
        output_bytes=shape.precision.output_bytes,
        weight_copies=shape.weight_copies,
    )


def gemm_cost(shape: Gemm, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of one GEMM; raises UnsupportedError if the GPU has no such tensor rate."""
    math = shape.precision.math
    rate = profile.matrix_rate(math)
    peak = profile.bound_flop_per_s(math)
    found = kind_parameters(profile, "gemm", math)
    sparse = shape.weights is WeightForm.SPARSE_2_4
    m, n, k = np.broadcast_arrays(*(as_array(d) for d in (shape.m, shape.n, shape.k)))
    flop = gemm_flop(m, n, k) * (0.5 if sparse else 1.0)
    matrix_floor_s = gemm_flop(m, n, k) / (peak * (rate.sparse_factor if sparse else 1.0))
    weight_bytes = gemm_weight_bytes(shape)

    machine, values, interval = machine_of(profile, math), found.values, found
    if sparse:
        interval = kind_parameters(profile, "sparse_gemm", math)
        machine = sparse_machine(machine, rate.sparse_factor, interval)
        values = sparse_values(values, interval)
    flat = tuple(d.ravel().astype(np.float32) for d in (m, n, k))
    streams = tile_streams(values, machine, operands_of(shape), *flat)
    total_us = streams.total_us + np.float32(values["launch_us"])
    if not sparse and found.fit is not None and found.fit.residual is not None:
        total_us = total_us * np.exp(evaluate_residual(found.fit.residual, (flat[0], flat[1], flat[2])))
    launch_us = np.minimum(np.float32(values["launch_us"]), total_us)
    kernel_s = (total_us - launch_us).astype(np.float64).reshape(m.shape) / MEGA
    parts = np.stack((streams.compute_us, streams.chain_us, streams.l2_us, streams.dram_us))
    codes = np.array([COMPUTE, CHAIN, L2, MEMORY], dtype=np.int8)
    half_width, in_range = _interval(interval, m, n, k)
    return assemble(
        profile,
        interval,
        error_group="gemm",
        flop=flop,
        peak_flop_per_s=peak,
        matrix_floor_s=matrix_floor_s,
        model_bytes=weight_bytes if shape.weight_copies is None else np.zeros_like(weight_bytes),
        kernel_bytes=weight_bytes + gemm_activation_bytes(shape),
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(profile, kernel_s, values["launch_us"], 1, cuda_graph=cuda_graph),
        limiter=codes[parts.argmax(axis=0)].reshape(m.shape),
        log_half_width=half_width,
        in_range=in_range,
    )


def _interval(found: KindParameters, m: Array, n: Array, k: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Half-width of each shape's 80 % interval, and whether the shape lies in the calibrated range."""
    outside = found.interval.outside
    if found.fit is None:
        return np.full(m.shape, outside), np.zeros(m.shape, dtype=np.bool_)
    widths = regime_widths(found.interval.by_regime, GEMM_REGIMES, outside)
    in_range = np.ones(m.shape, dtype=np.bool_)
    for name, dimension in (("m", m), ("n", n), ("k", k)):
        low, high = found.fit.ranges[name]
        in_range &= (dimension >= low) & (dimension <= high)
    width = widths[gemm_regime(m, n, k)]
    if not found.exact:
        width = np.maximum(width, outside)
    return np.where(in_range, width, np.maximum(width, outside)), in_range
