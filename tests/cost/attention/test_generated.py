"""Generated kernels: slower than the library's by a stated share, and told as uncalibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.attention.generated import (
    LOG_HALF_WIDTH,
    MULTIPLYING_SPEED,
    STREAMING_SPEED,
    generated_speed,
)
from infersim.cost.kernels import kernel_cost
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.shapes import Attention, Gemm, Phase
from infersim.profile_files import load_profile

GPU = load_profile("h100-sxm")
LIBRARY = Gemm(m=512, n=4096, k=4096, precision=precision_named("bf16"))


def attention(phase: Phase) -> Attention:
    return Attention(
        phase=phase,
        batch=8,
        query_len=2048 if phase is Phase.PREFILL else 1,
        context_len=2048,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        dtype=DType.BF16,
    )


def test_a_generated_gemm_is_slower_and_less_certain() -> None:
    library = kernel_cost(LIBRARY, GPU)
    generated = kernel_cost(replace(LIBRARY, generated=True), GPU)
    assert generated.kernel_s == pytest.approx(library.kernel_s / generated_speed(library))
    assert generated.launch_s == library.launch_s
    for name in ("log_half_width", "pair_log_half_width"):
        expected = np.hypot(getattr(library, name), LOG_HALF_WIDTH)
        assert getattr(generated, name) == pytest.approx(expected)
    assert library.in_range
    assert not generated.in_range


def test_speed_rises_from_streaming_to_multiplying() -> None:
    speeds = generated_speed(kernel_cost(replace(LIBRARY, m=2.0 ** np.arange(0, 16)), GPU))
    assert speeds[0] == pytest.approx(STREAMING_SPEED, abs=0.01)
    assert speeds[-1] == pytest.approx(MULTIPLYING_SPEED)
    assert (np.diff(speeds) > -0.01).all()


def test_generated_attention_is_slower_where_it_multiplies() -> None:
    for phase, slowest, fastest in (
        (Phase.PREFILL, 1 / STREAMING_SPEED, 1 / MULTIPLYING_SPEED),
        (Phase.DECODE, 1, 1),
    ):
        shape = attention(phase)
        generated = kernel_cost(replace(shape, generated=True), GPU)
        ratio = generated.kernel_s / kernel_cost(shape, GPU).kernel_s
        assert fastest - 1e-12 <= ratio <= slowest + 1e-12, phase
