"""GPUs of which only a datasheet is known: no further from relatives than their datasheets say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from infersim.domain.costs import Latency
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.profiles import load_profile
from infersim.simulation.kernels.attention import attention_latency
from infersim.simulation.kernels.gemm import gemm_latency

RELATIVES = {
    "a100-sxm-40gb": "a100-sxm-80gb",
    "h800-sxm": "h100-sxm",
    "gh200-96gb": "h100-sxm",
    "gh200-144gb": "h200-sxm",
    "l40": "l40s",
    "l20": "l40",
    "rtx-6000-ada": "l40s",
    "rtx-a6000": "a40",
    "rtx-a5000": "a10",
    "rtx-4080": "rtx-4090",
    "rtx-4070-ti-super": "rtx-4080",
    "rtx-3060": "rtx-3090",
    "rtx-2080-super": "t4",
    "jetson-orin-agx": "a30",
    "mi250": "mi300x",
    "mi325x": "mi300x",
}
"""A GPU of the same die, or the nearest in architecture."""

TOKENS = np.array([1, 16, 64, 512, 4096])

TOLERANCE = 0.12
"""Of whole tiles on other numbers of SMs, and of what the datasheet says to the pool of measured GPUs: by its
own fit the memory of an L40S gives a tenth less than that of an RTX 4090, of the same die.
"""


def gemms(profile: HardwareProfile, dtype: DType) -> Latency:
    return gemm_latency(profile, TOKENS, 14336, 4096, dtype=dtype.value)


def attentions(profile: HardwareProfile, dtype: DType) -> tuple[Latency, Latency]:
    heads: dict[str, Any] = {"num_heads": 32, "num_kv_heads": 8, "head_dim": 128}
    prefill, decode = (
        attention_latency(
            profile, phase=phase, batch=batch, context_len=4096, dtype=dtype.value, kv_copies=None, **heads
        )
        for phase, batch in (("prefill", 1), ("decode", 16))
    )
    return prefill, decode


def common_dtype(*profiles: HardwareProfile) -> DType:
    return DType.BF16 if all(DType.BF16 in profile.matrix for profile in profiles) else DType.FP16


def datasheet_ratios(gpu: HardwareProfile, relative: HardwareProfile, dtype: DType) -> list[float]:
    """How many times as much the relative has of all that a kernel's time can hang on."""
    assert gpu.chip.tdp_w is not None
    assert relative.chip.tdp_w is not None
    return [
        relative.matrix_rate(dtype).datasheet_tflops / gpu.matrix_rate(dtype).datasheet_tflops,
        relative.bound_flop_per_s(dtype) / gpu.bound_flop_per_s(dtype),
        relative.memory.bandwidth_bytes_per_s / gpu.memory.bandwidth_bytes_per_s,
        relative.chip.tdp_w / gpu.chip.tdp_w,
    ]


@pytest.mark.parametrize(("name", "other"), RELATIVES.items())
def test_no_kernel_is_further_apart_than_the_datasheets(name: str, other: str) -> None:
    gpu, relative = load_profile(name), load_profile(other)
    dtype = common_dtype(gpu, relative)
    ratios = datasheet_ratios(gpu, relative, dtype)
    for mine, theirs in zip(
        (gemms(gpu, dtype), *attentions(gpu, dtype)),
        (gemms(relative, dtype), *attentions(relative, dtype)),
        strict=True,
    ):
        slower = np.asarray(mine.latency_s) / np.asarray(theirs.latency_s)
        assert (slower >= min(ratios) * (1 - TOLERANCE)).all(), slower
        assert (slower <= max(ratios) * (1 + TOLERANCE)).all(), slower


@pytest.mark.parametrize("name", RELATIVES)
def test_the_interval_holds_the_prediction_above_the_floor(name: str) -> None:
    gpu = load_profile(name)
    dtype = common_dtype(gpu)
    for found in (gemms(gpu, dtype), *attentions(gpu, dtype)):
        assert (np.asarray(found.floor_s) > 0).all()
        assert (found.lower_s >= found.floor_s).all()
        assert (found.lower_s < found.latency_s).all()
        assert (found.latency_s < found.upper_s).all()


@pytest.mark.parametrize("name", ["a100-sxm-40gb", "h800-sxm"])
def test_a_borrowed_fit_is_trusted_less_than_at_home(name: str) -> None:
    borrowed, own = (gemms(load_profile(gpu), DType.BF16) for gpu in (name, RELATIVES[name]))
    widths = [np.asarray(found.upper_s) / np.asarray(found.latency_s) for found in (borrowed, own)]
    assert (widths[0] > widths[1]).all()
