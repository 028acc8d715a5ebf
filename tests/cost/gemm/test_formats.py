"""Number formats as kinds of kernels: true bytes, floors, what runs where, and kernels by design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import infersim as sim
from infersim.cost.gemm.gemm import gemm_parameters, operands_of, runs_as
from infersim.cost.gemm.tiles import CHUNK, tile_times
from infersim.cost.kernels import kernel_cost, kernel_kind
from infersim.cost.machine import Machine
from infersim.cost.parameters import GEMM_DEFAULTS
from infersim.domain.dtypes import PRECISIONS, DType, precision_named
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Gemm
from infersim.profile_files.profiles import datasheet_alone, load_profile

TOKENS = np.array([1, 2, 4, 16, 64, 256, 1024, 4096])
N, K = 8192, 4096
WEIGHT_BYTES = {
    "bf16": 2,
    "fp8": 1,
    "fp8_static": 1,
    "fp8_block": 1 + 4 / (128 * 128),  # 32 bit for 128 x 128 weights
    "int8": 1,
    "w8a16": 1 + 2 / 128,  # 16 bit for 128 weights
    "w4a16": 0.5 + 2 / 128,
    "nvfp4": 0.5 + 1 / 16,  # 8 bit for 16 weights
    "mxfp4": 0.5 + 1 / 32,
}


@pytest.fixture(scope="module", params=["l40s", "b200-sxm"])
def gpu(request: pytest.FixtureRequest) -> HardwareProfile:
    return load_profile(str(request.param))


@pytest.mark.parametrize("dtype", WEIGHT_BYTES)
def test_a_cold_floor_of_one_token_is_the_weights_with_their_scales(gpu: HardwareProfile, dtype: str) -> None:
    bandwidth = gpu.memory.bandwidth_bytes_per_s
    found = sim.gemm_latency(gpu, 1, N, K, dtype=dtype)
    assert found.floor_s == pytest.approx(N * K * WEIGHT_BYTES[dtype] / bandwidth)


@pytest.mark.parametrize("dtype", WEIGHT_BYTES)
def test_times_respect_floors_and_hardly_fall_with_more_tokens(gpu: HardwareProfile, dtype: str) -> None:
    found = sim.gemm_latency(gpu, TOKENS, N, K, dtype=dtype)
    assert (found.latency_s >= found.floor_s).all()
    assert (found.lower_s <= found.latency_s).all()
    assert (found.latency_s <= found.upper_s).all()
    assert (found.latency_s[1:] >= 0.8 * found.latency_s[:-1]).all()
    assert found.latency_s[-1] > 3 * found.latency_s[0]


@pytest.mark.parametrize("dtype", ["w4a16", "w8a16", "nvfp4a16", "mxfp4a16"])
def test_weight_only_kernels_read_narrow_weights_and_multiply_in_16_bit(dtype: str) -> None:
    gpu = load_profile("a100-sxm-80gb")
    narrow, plain = (
        kernel_cost(Gemm(m=4096, n=N, k=K, precision=precision_named(name)), gpu) for name in (dtype, "bf16")
    )
    assert narrow.matrix_floor_s == plain.matrix_floor_s
    saved = N * K * (2 - precision_named(dtype).weight_bytes)
    assert plain.kernel_bytes - narrow.kernel_bytes == pytest.approx(saved)


@pytest.mark.parametrize(("dtype", "runs"), [("nvfp4", "nvfp4a16"), ("mxfp4", "mxfp4a16")])
def test_4_bit_floats_are_weights_alone_where_there_are_no_units(dtype: str, runs: str) -> None:
    for name in ("a100-sxm-80gb", "h100-sxm", "l40s"):
        profile = load_profile(name)
        precision = runs_as(precision_named(dtype), profile)
        assert (precision.fitted_as, precision.math, precision.activation_bytes) == (runs, DType.BF16, 2.0)
        shapes = (
            sim.gemm_latency(profile, TOKENS, N, K, dtype=each, act_quant=False) for each in (dtype, runs)
        )
        first, second = shapes
        assert first.latency_s == pytest.approx(second.latency_s)
    blackwell = load_profile("b200-sxm")
    assert runs_as(precision_named(dtype), blackwell).math is DType.FP4
    with pytest.raises(UnsupportedError, match="fp8"):  # 8 bit is asked for by name, and refused
        sim.gemm_latency("a100-sxm-80gb", 1, N, K, dtype="fp8_block")


def test_widening_takes_longer_the_slower_an_sm_widens_and_hides_behind_many_tokens() -> None:
    machine = Machine(
        sm_count=108, flop_per_us_per_sm=2.9e6, clock_mhz=1410, dram_bytes_per_us=2e6, l2_bytes=4e7
    )
    operands = replace(operands_of(Gemm(m=1, n=1, k=1, precision=precision_named("w4a16"))), vector_tokens=0)
    m = np.array([64, 4096], dtype=np.float32)
    n, k = np.full_like(m, 16384), np.full_like(m, 16384)
    slow, fast = (
        tile_times(
            {**GEMM_DEFAULTS, "dequantise_per_clock_per_sm": rate}, machine, operands, m, n, k
        ).total_us
        for rate in (32.0, 1e6)
    )
    # Each of 16384 x 16384 weights is widened once a column of tiles: at 32 a clock and SM, 55 us for one.
    once_us = 16384**2 / (32 * 108 * 1410)
    assert 0.5 * once_us < slow[0] - fast[0] < 4 * once_us
    assert slow[1] / fast[1] - 1 < 0.5 * (slow[0] / fast[0] - 1)
    assert len(m) < CHUNK


def test_kernels_for_few_tokens_without_tensor_cores_are_weight_only_or_of_static_scales() -> None:
    vector_tokens = {
        name: operands_of(Gemm(m=1, n=1, k=1, precision=precision)).vector_tokens
        for name, precision in PRECISIONS.items()
    }
    few = {"int8", "int8_static", "fp8_static", "w8a16", "w4a16", "nvfp4a16", "mxfp4a16"}
    assert vector_tokens == {name: 4 if name in few else 1 for name in PRECISIONS}


def test_activations_quantised_before_cost_nothing_and_static_scales_are_a_format() -> None:
    gpu = load_profile("h100-sxm")
    dynamic, said, none = (
        sim.gemm_latency(gpu, TOKENS, N, K, dtype="fp8", act_quant=quantised).latency_s
        for quantised in (True, "dynamic", False)
    )
    assert (dynamic == said).all()
    assert (none < dynamic).all()
    static = sim.gemm_latency(gpu, TOKENS, N, K, dtype="fp8", act_quant="static")
    assert (static.latency_s == sim.gemm_latency(gpu, TOKENS, N, K, dtype="fp8_static").latency_s).all()
    with pytest.raises(InvalidValueError, match="of static scales: fp8, int8"):
        sim.gemm_latency(gpu, 1, N, K, dtype="w4a16", act_quant="static")
    with pytest.raises(InvalidValueError, match="act_quant"):
        sim.gemm_latency(gpu, 1, N, K, dtype="fp8", act_quant="fused")


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_every_format_is_a_kind_of_its_own_and_has_parameters_without_a_fit(dtype: str) -> None:
    bare = datasheet_alone(load_profile("b200-sxm"))
    precision = runs_as(precision_named(dtype), bare)
    assert gemm_parameters(bare, precision).fit is None
    shape = Gemm(m=16, n=N, k=K, precision=precision)
    assert kernel_kind(shape).fitted_as(shape, bare) == f"gemm.{precision.fitted_as}"


def test_measured_kernels_of_the_same_kind_come_before_other_gpus_word() -> None:
    gpu = load_profile("h100-sxm")
    assert gpu.fit is not None
    measured = replace(gpu.fit.kinds["gemm.fp8"], transferred=False)
    said = replace(measured, parameters={**measured.parameters, "launch_us": 40.0}, transferred=True)
    fit = replace(gpu.fit, kinds={**gpu.fit.kinds, "gemm.fp8": measured, "gemm.fp8_static": said})
    profile = replace(gpu, fit=fit)
    static = gemm_parameters(profile, precision_named("fp8_static"))
    assert (static.fitted_as, static.exact) == ("fp8", True)
    # One pass takes 72 % of what finding scales takes, too.
    assert static.values["act_quant_us"] == pytest.approx(0.72 * measured.parameters["act_quant_us"])
    only = replace(profile, fit=replace(fit, kinds={"gemm.fp8_static": said}))
    found = sim.gemm_latency(only, 16, N, K, dtype="fp8_static")
    assert (found.calibration, bool(found.in_range)) == ("transferred", False)
    assert found.latency_s > 40e-6
