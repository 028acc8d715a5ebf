"""Cost of a GEMM, dense or 2:4: the tile model with the GPU's parameters, the residual, and the interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import assemble, exposed_launch_s
from infersim.cost.attention.generated import as_generated
from infersim.cost.floor import gemm_activation_bytes, gemm_flop, gemm_weight_bytes, weight_bytes_each
from infersim.cost.gemm.alignment import with_alignment
from infersim.cost.gemm.limiter import limiter_codes
from infersim.cost.gemm.sparse import (
    LENGTHENING,
    own_sparse_fit,
    sparse_machine,
    sparse_operands,
    sparse_values,
)
from infersim.cost.gemm.sparse_speedup import sides_of, with_sparse_weights
from infersim.cost.gemm.tiles import CHUNK, tile_times, values_half_width
from infersim.cost.kind import KernelKind
from infersim.cost.machine import F32, Machine, Operands, waves_of
from infersim.cost.memory_bound import act_quant_us
from infersim.cost.parameters import KindParameters, kind_parameters, of_library, stand_ins_of
from infersim.cost.regimes import GEMM_REGIMES, gemm_regime, regime_widths
from infersim.cost.residual import residual_correction, trust_when_cold
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import STATIC, DType, Precision
from infersim.domain.fit import KindFit
from infersim.domain.profile import MEGA, Calibration, HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm

LAST_WAVE_TILES: tuple[tuple[int, int], ...] = ((256, 128), (128, 256), (128, 128), (64, 128))
"""Tiles whose partly filled last wave the residual may depend on: those that libraries use for large M."""

LAST_ROWS_TILE = (128, 128)
LAST_ROWS = "last rows 128"
"""The one of LAST_WAVE_TILES whose last rows M may fill in part, and the feature of it: 8-bit kernels have
few tile sizes."""


NARROW_VECTOR_TOKENS = 4
"""Tokens up to which TensorRT-LLM's kernels of weight-only formats, int8 and fp8 with static scales multiply
without tensor cores. Libraries do so for one token, in 16 bit and in the other formats."""


STATIC_SHARE = 0.72
"""What quantising activations by a scale that is known beforehand takes of what it takes with scales that are
found token by token: the median of aiconfigurator's tables of both kernels up to 1,024 tokens (0.71 to 0.76
on H100, B200, L40S and RTX PRO 6000; @095f58a)."""

ACT_QUANT = ("act_quant_us", "act_quant_token_us", "act_quant_pass_us")


def machine_of(profile: HardwareProfile, dtype: DType) -> Machine:
    """The GPU as the tile model sees it, at the clock of the datasheet's peaks."""
    chip = profile.chip
    return Machine(
        sm_count=chip.sm_count,
        flop_per_us_per_sm=profile.datasheet_flop_per_s(dtype) / chip.sm_count / MEGA,
        clock_mhz=chip.tensor_clock_mhz,
        dram_bytes_per_us=profile.memory.bandwidth_bytes_per_s / MEGA,
        l2_bytes=chip.l2_bytes,
    )


def operands_of(shape: Gemm) -> Operands:
    """Bytes per value of the operands as stored, along the K that the kernel walks."""
    precision, lengthened = shape.precision, LENGTHENING[shape.weights]
    weight_bytes = weight_bytes_each(precision, shape.weights) / lengthened
    return Operands(
        activation_bytes=precision.activation_bytes,
        weight_bytes=weight_bytes,
        output_bytes=precision.output_bytes,
        weight_copies=shape.weight_copies,
        dequantises=precision.dequantises,
        vector_tokens=NARROW_VECTOR_TOKENS if _has_narrow_vectors(precision) else 1,
    )


def _has_narrow_vectors(precision: Precision) -> bool:
    return precision.dequantises or precision.static or precision.math is DType.INT8


def runs_as(precision: Precision, profile: HardwareProfile) -> Precision:
    """What a GPU makes of a format: weight-only where it has no units for the math, and kernels exist."""
    return precision.widened() if precision.widens and precision.math not in profile.matrix else precision


def has_fitted_kernel(profile: HardwareProfile, precision: Precision) -> bool:
    """Whether kernels of the format itself, here or on other GPUs, are behind predictions of its GEMMs."""
    runs = runs_as(precision, profile)
    return gemm_parameters(profile, runs).exact and not runs.own_kernels


def is_transferred(profile: HardwareProfile, precision: Precision) -> bool:
    """Whether a GPU that was measured was not measured in the format: other GPUs' word stands in."""
    fit = gemm_parameters(profile, runs_as(precision, profile)).fit
    return fit is not None and fit.transferred and profile.calibration is not Calibration.TRANSFERRED


def gemm_parameters(profile: HardwareProfile, precision: Precision) -> KindParameters:
    """The parameters of dense GEMMs in a format as the GPU runs it (`runs_as`)."""
    found = kind_parameters(profile, "gemm", precision.fitted_as, stand_ins_of(precision))
    if precision.static and found.fit is not None and not str(found.fitted_as).endswith(STATIC):
        values = {name: found.values[name] * STATIC_SHARE for name in found.values if name in ACT_QUANT}
        return replace(found, values={**found.values, **values})
    return found


GEMM_AXES: tuple[str, ...] = (
    *("log2 m", "log2 n", "log2 k"),
    *(f"last wave {tile[0]}x{tile[1]}" for tile in LAST_WAVE_TILES),
    LAST_ROWS,
)
"""Names of `gemm_features`, which the axes of residual grids bear."""


def gemm_features(machine: Machine, m: F32, n: F32, k: F32) -> Mapping[str, F32]:
    """What the residual may depend on: the dimensions in log2, and how empty last waves and last tiles are.

    "last wave 128x128" is log2(ceil(w) / w) for w > 1 waves of such tiles, in [0, 1); 0 within one wave.
    Tiles that M fills in part only are rarely chosen: it counts with that part. "last rows 128" is the same
    of rows of M in one column of tiles, and counts with the part of the SMs that the tiles fill.
    """
    features = {"log2 m": np.log2(m), "log2 n": np.log2(n), "log2 k": np.log2(k)}
    all_waves = {tile: waves_of(tile, machine, m, n) for tile in LAST_WAVE_TILES}
    for tile, of_tile in all_waves.items():
        waves = np.maximum(of_tile, np.float32(1))
        filled = np.minimum(m * np.float32(1 / tile[0]), np.float32(1))
        features[f"last wave {tile[0]}x{tile[1]}"] = np.log2(np.ceil(waves) / waves) * filled
    rows = np.maximum(m * np.float32(1 / LAST_ROWS_TILE[0]), np.float32(1))
    occupied = np.minimum(all_waves[LAST_ROWS_TILE], np.float32(1))
    features[LAST_ROWS] = np.log2(np.ceil(rows) / rows) * occupied
    return features


def gemm_cost(shape: Gemm, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of one GEMM; raises UnsupportedError if the GPU has no such tensor rate."""
    math = shape.precision.math
    rate = profile.matrix_rate(math)
    peak = profile.bound_flop_per_s(math)
    dense = gemm_parameters(profile, shape.precision)
    parameters = dense = of_library(dense, shape.precision, quantising=shape.act_quant)
    m, n, k = np.broadcast_arrays(*(as_array(d) for d in (shape.m, shape.n, shape.k)))
    dense_flop = gemm_flop(m, n, k)
    weight_bytes = gemm_weight_bytes(shape)
    machine, operands, values = machine_of(profile, math), operands_of(shape), dense.values
    sparse_factor, done, lengthened = 1.0, 1.0, LENGTHENING[shape.weights]
    own_fit = None if shape.weights is WeightForm.DENSE else own_sparse_fit(profile, math)
    if own_fit is not None:
        parameters = own_fit
        machine = sparse_machine(profile, math, machine, parameters)
        operands = sparse_operands(operands, parameters, profile)
        # Weight-only kernels are the dense ones with fewer bytes (Sparse-Marlin, arXiv 2408.11743).
        if not shape.precision.dequantises:
            values = sparse_values(values, parameters)
        sparse_factor, done = rate.sparse_factor / lengthened, 0.5 * lengthened
    flat = tuple(side.ravel().astype(np.float32) for side in (m, n, k))
    if lengthened != 1:
        flat = (*flat[:2], flat[2] * np.float32(lengthened))
    kinds = (dense,) if parameters is dense else (dense, parameters)
    fits = tuple(kind.fit for kind in kinds if kind.fit is not None and kind.fit.residuals)
    total_us, limiter = _timed(values, machine, operands, shape, fits, *flat)
    launch_us = np.float32(values["launch_us"])
    kernel_s = np.maximum(total_us - launch_us, 0).astype(np.float64).reshape(m.shape) / MEGA
    own_kernels = shape.precision.own_kernels
    measured_so = parameters.exact and not own_kernels
    half_width, in_range = _interval(parameters, m, n, k, measured_so=measured_so)
    if is_transferred(profile, shape.precision):
        in_range = np.zeros_like(in_range)
    ideal_us = dense_flop / (machine.flop_per_us_per_sm * machine.sm_count)
    return assemble(
        profile,
        parameters,
        error_group="gemm",
        flop=dense_flop * done,
        peak_flop_per_s=peak,
        matrix_floor_s=dense_flop / (peak * sparse_factor),
        model_bytes=weight_bytes if shape.weight_copies is None else np.zeros_like(weight_bytes),
        kernel_bytes=weight_bytes + gemm_activation_bytes(shape),
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(profile, kernel_s, values["launch_us"], 1, cuda_graph=cuda_graph),
        limiter=limiter.reshape(m.shape),
        log_half_width=np.hypot(half_width, values_half_width(values, ideal_us)),
        in_range=in_range,
    )


def _timed(
    p: Mapping[str, float],
    machine: Machine,
    operands: Operands,
    shape: Gemm,
    fits: tuple[KindFit, ...],
    m: F32,
    n: F32,
    k: F32,
) -> tuple[F32, npt.NDArray[np.int8]]:
    """Microseconds with launch, and limiter codes, chunk by chunk so that all steps stay in cache."""
    total_us, limiter = np.empty_like(m), np.empty(len(m), dtype=np.int8)
    for start in range(0, len(m), CHUNK):
        chunk = slice(start, start + CHUNK)
        at = m[chunk], n[chunk], k[chunk]
        times = tile_times(p, machine, operands, *at)
        duration = times.total_us + np.float32(p["launch_us"])
        if shape.act_quant and shape.precision.quantises_activations:
            duration += act_quant_us(p, machine, shape.precision, at[0], at[2])
        if fits:
            features = gemm_features(machine, *at)
            weight_bytes = at[1] * at[2] * np.float32(operands.weight_bytes)
            duration *= np.exp(
                sum(_correction(p, machine, shape, fit, features, weight_bytes) for fit in fits)
            )
        total_us[chunk] = duration
        limiter[chunk] = limiter_codes(p, machine, operands, times, *at)
    return total_us, limiter


def _correction(
    p: Mapping[str, float],
    machine: Machine,
    shape: Gemm,
    fit: KindFit,
    features: Mapping[str, F32],
    weight_bytes: F32,
) -> F32:
    correction = residual_correction(fit.residuals, features)
    if shape.weight_copies is None and fit.weight_copies is not None:
        trust = trust_when_cold(p, machine.l2_bytes, fit.weight_copies * weight_bytes)
        correction = np.where(correction < 0, correction * trust, correction)
    return correction


def _interval(
    parameters: KindParameters, m: Array, n: Array, k: Array, *, measured_so: bool
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Half-width of each shape's 80 % interval, and whether the shape lies in the calibrated range.

    What stands on the fit of another number format (`measured_so` False) lies outside.
    """
    outside = parameters.interval.outside
    if parameters.fit is None or not measured_so:
        return np.full(m.shape, outside), np.zeros(m.shape, dtype=np.bool_)
    widths = regime_widths(parameters.interval.by_regime, GEMM_REGIMES, outside)
    in_range = np.ones(m.shape, dtype=np.bool_)
    dimensions = {"m": m, "n": n, "k": k}
    for name, (low, high) in parameters.fit.ranges.items():
        in_range &= (dimensions[name] >= low) & (dimensions[name] <= high)
    width = widths[gemm_regime(m, n, k)]
    return np.where(in_range, width, np.maximum(width, outside)), in_range


def stands_on_relation(shape: Gemm, profile: HardwareProfile) -> bool:
    """Whether it is a 2:4 GEMM on a GPU without 2:4 samples of its own."""
    sparse = shape.weights is not WeightForm.DENSE
    return sparse and own_sparse_fit(profile, runs_as(shape.precision, profile).math) is None


def _related_cost(shape: Gemm, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Cost of a 2:4 GEMM on a GPU without 2:4 samples: the dense one's, less what its relation says."""
    whole = replace(shape, weights=WeightForm.DENSE)
    dense = gemm_cost(replace(whole, act_quant=False), profile, cuda_graph=True)
    act_quant_s = np.zeros_like(dense.kernel_s)
    if shape.act_quant and shape.precision.quantises_activations:
        quantising = gemm_cost(whole, profile, cuda_graph=True)
        act_quant_s = np.maximum(quantising.kernel_s - dense.kernel_s, act_quant_s)
        dense = replace(dense, log_half_width=quantising.log_half_width)
    machine = machine_of(profile, shape.precision.math)
    sides = sides_of(machine, operands_of(whole), operands_of(shape), shape)
    return with_sparse_weights(shape, dense, act_quant_s, sides, profile, cuda_graph=cuda_graph)


def _cost(shape: Gemm, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    shape = replace(shape, precision=runs_as(shape.precision, profile))
    timed = _related_cost if stands_on_relation(shape, profile) else gemm_cost
    cost = with_alignment(shape, timed(shape, profile, cuda_graph=cuda_graph), profile)
    return as_generated(cost) if shape.generated else cost


def _fitted_as(shape: Gemm, profile: HardwareProfile) -> str:
    runs = runs_as(shape.precision, profile)
    return f"gemm.{gemm_parameters(profile, runs).fitted_as or runs.fitted_as}"


GEMM = KernelKind(
    shape=Gemm,
    cost=_cost,
    flop=lambda shape: gemm_flop(shape.m, shape.n, shape.k),
    operand_bytes=lambda shape: gemm_weight_bytes(shape) + gemm_activation_bytes(shape),
    multiplies_in=lambda shape, profile: runs_as(shape.precision, profile).math,
    fitted_as=_fitted_as,
)
