"""Hand-made GPUs, models and costs whose results can be derived on paper."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from infersim.cost.floor import (
    attention_flop,
    attention_kv_bytes,
    gemm_activation_bytes,
    gemm_flop,
    gemm_weight_bytes,
)
from infersim.cost.parameters import GEMM_DEFAULTS
from infersim.cost.regimes import GEMM_REGIMES
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Chip, HardwareProfile, Matrix, Memory
from infersim.domain.shapes import Attention, Gemm, MemoryBound, Phase, Shape, WeightForm
from infersim.profile_files.profiles import list_profiles
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import suitable_families
from infersim.pruning.plan import Plan
from infersim.workload.presets import load_model
from infersim.workload.transformer import Transformer
from tests.toy_models import transformer_from_sizes

PEAK_FLOP_PER_S = 1e12
BANDWIDTH = 1e11
LAUNCH_S = 1e-6
SLOWDOWN = 2.0
"""A kernel of `paper_cost` takes twice its floor."""


def paper_profile(*, l2_bytes: float = 0.0) -> HardwareProfile:
    """10 SMs x 100 FLOP x 1 GHz = 1 TFLOP/s, 100 GB/s, 1 GB."""
    return HardwareProfile(
        name="paper",
        title="Paper GPU",
        vendor="nobody",
        generation="none",
        compute_capability="0.0",
        chip=Chip(
            sm_count=10,
            clock_max_mhz=1000.0,
            tensor_clock_mhz=1000.0,
            l2_bytes=l2_bytes,
            tdp_w=100.0,
        ),
        memory=Memory(capacity_bytes=1e9, bandwidth_bytes_per_s=BANDWIDTH),
        matrix={DType.BF16: Matrix(datasheet_tflops=1.0, flop_per_clock_per_sm=100.0, sparse_factor=2.0)},
    )


def paper_model(*, layers: int = 4) -> Transformer:
    """Hidden 64, two heads of 32 over one KV head, width 128, a vocabulary of 1000, untied."""
    return transformer_from_sizes(
        name="paper",
        hidden=64,
        layers=layers,
        num_heads=2,
        num_kv_heads=1,
        width=128,
        vocab=1000,
        max_position=1024,
    )


def paper_cost(shape: Shape, profile: HardwareProfile, *, cuda_graph: bool = True) -> KernelCost:
    """Stands in for the cost model: SLOWDOWN times the floor, LAUNCH_S a kernel; 2:4 does half the FLOPs."""
    assert cuda_graph
    kernels = 1
    if isinstance(shape, Gemm):
        done = 0.5 if shape.weights is WeightForm.SPARSE_2_4 else 1.0
        flop, model_bytes = done * gemm_flop(shape.m, shape.n, shape.k), gemm_weight_bytes(shape)
        kernel_bytes, group = model_bytes + gemm_activation_bytes(shape), "gemm"
    elif isinstance(shape, Attention):
        kernel_bytes = attention_kv_bytes(shape)
        flop, group = attention_flop(shape), "attention"
        model_bytes = kernel_bytes * (shape.phase is Phase.DECODE)
    else:
        assert isinstance(shape, MemoryBound)
        model_bytes, group = as_array(shape.compulsory_bytes), "memory"
        kernel_bytes = as_array(shape.read_bytes) + shape.write_bytes
        flop, kernels = np.zeros_like(kernel_bytes), shape.kernels
    flop, model_bytes, kernel_bytes = np.broadcast_arrays(flop, model_bytes, kernel_bytes)
    floor_s = np.maximum(flop / PEAK_FLOP_PER_S, model_bytes / profile.memory.bandwidth_bytes_per_s)
    return KernelCost(
        flop=flop,
        peak_flop_per_s=PEAK_FLOP_PER_S,
        matrix_floor_s=flop / PEAK_FLOP_PER_S,
        model_bytes=model_bytes,
        kernel_bytes=kernel_bytes,
        kernel_s=SLOWDOWN * floor_s,
        launch_s=np.full_like(floor_s, LAUNCH_S * kernels),
        log_half_width=np.full_like(floor_s, 0.2),
        pair_log_half_width=np.full_like(floor_s, 0.05),
        limiter=np.zeros(floor_s.shape, dtype=np.int8),
        in_range=np.full(floor_s.shape, group == "gemm"),
        error_group=group,
    )


def gemm_fit(*, width: float, pair: float, outside: float, max_m: float) -> Fit:
    """The default parameters as if fitted to bf16 GEMMs of up to `max_m` tokens, with these half-widths."""
    kind = KindFit(
        kind="gemm.bf16",
        parameters=GEMM_DEFAULTS,
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime=dict.fromkeys(GEMM_REGIMES, width), pair=pair, outside=outside),
        ranges={"m": (1.0, max_m), "n": (1.0, 2.0**20), "k": (1.0, 2.0**20)},
        rows=400,
    )
    return Fit(gpu="paper", kinds={"gemm.bf16": kind}, provenance={})


LATER = (pytest.mark.slow, pytest.mark.no_cover)


def all_gpus() -> list[Any]:
    """Every GPU as a parameter of a test; all but two of them are for `make test`."""
    quick = ("h100-sxm", "rtx-4090")
    return [gpu if gpu in quick else pytest.param(gpu, marks=LATER) for gpu in list_profiles()]


@cache
def half_of(model: str) -> tuple[Plan, ...]:
    """A model pruned by a half, in each family."""
    dense = load_model(model)
    return tuple(prune(dense, family.name, 0.5) for family in suitable_families(dense))


def scenarios(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Batches and contexts, each spread evenly over its octaves."""
    batch = np.floor(2 ** rng.uniform(0, 9, count))
    context = np.floor(2 ** rng.uniform(0, 17, count))
    return batch, context
