"""Generated kernels: slower than the library's by a stated share, and told as uncalibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.generated import GENERATED_EFFICIENCY, GENERATED_LOG_HALF_WIDTH
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
    assert generated.kernel_s == pytest.approx(library.kernel_s / GENERATED_EFFICIENCY)
    assert generated.launch_s == library.launch_s
    for name in ("log_half_width", "pair_log_half_width"):
        expected = np.hypot(getattr(library, name), GENERATED_LOG_HALF_WIDTH)
        assert getattr(generated, name) == pytest.approx(expected)
    assert library.in_range
    assert not generated.in_range


def test_generated_attention_is_slower_where_it_multiplies() -> None:
    for phase, ratio in ((Phase.PREFILL, 1 / GENERATED_EFFICIENCY), (Phase.DECODE, 1.0)):
        shape = attention(phase)
        generated = kernel_cost(replace(shape, generated=True), GPU)
        assert generated.kernel_s == pytest.approx(ratio * kernel_cost(shape, GPU).kernel_s), phase
