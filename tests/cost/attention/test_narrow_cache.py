"""A KV cache in 8 bit: half of the bytes, kernels of its own, and what a fit of wider caches says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import infersim
from infersim.cost.attention.attention import OF_WIDER_CACHE, attention_kind
from infersim.cost.floor import attention_kv_bytes
from infersim.cost.kernels import kernel_cost
from infersim.cost.parameters import DEFAULTS
from infersim.domain.dtypes import DType
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Attention, Phase
from infersim.profile_files.profiles import datasheet_alone, load_profile

BARE = datasheet_alone(load_profile("h100-sxm"))
DECODE = Attention(
    phase=Phase.DECODE,
    batch=64,
    query_len=1,
    context_len=8192,
    num_heads=32,
    num_kv_heads=8,
    head_dim=128,
    dtype=DType.BF16,
)
NARROW = replace(DECODE, kv_dtype=DType.FP8)
WIDTH = 0.1


def fitted(**kinds: float) -> HardwareProfile:
    """The GPU with fits of these kinds (`_` for the dot), each at its own bandwidth."""
    fits = {
        kind: KindFit(
            kind=kind,
            parameters={**DEFAULTS["attention.decode"], "dram_efficiency": efficiency},
            uncertainties={},
            at_bound=(),
            residuals=(),
            interval=IntervalFit(by_regime={"short": WIDTH, "long": WIDTH}, pair=0.1, outside=0.3),
            ranges={"context_len": (1.0, 65536.0)},
            rows=100,
        )
        for name, efficiency in kinds.items()
        for kind in [name.replace("_", ".")]
    }
    fit = Fit(gpu=BARE.name, kinds=fits, provenance={})
    return replace(BARE, fit=fit, calibration=Calibration.FITTED)


def test_the_kind_says_what_the_cache_is_stored_in() -> None:
    assert attention_kind(DECODE) == "attention.decode"
    assert attention_kind(NARROW) == "attention.decode.fp8"
    assert attention_kind(replace(DECODE, kv_dtype=DType.BF16)) == "attention.decode"
    # A cache as wide as what is multiplied is no other kernel.
    assert attention_kind(replace(DECODE, dtype=DType.FP8, kv_dtype=DType.FP8)) == "attention.decode"


def test_half_the_bytes_take_half_the_time_where_memory_is_the_limit() -> None:
    wide, narrow = (kernel_cost(shape, BARE) for shape in (DECODE, NARROW))
    # 2 x 64 x 8192 x 8 x 128 values: 2.1 GB in 16 bit.
    assert float(attention_kv_bytes(NARROW)) == 2 * 64 * 8192 * 8 * 128
    assert float(narrow.model_bytes) == float(wide.model_bytes) / 2
    assert float(narrow.kernel_s) == pytest.approx(float(wide.kernel_s) / 2, rel=0.1)


def test_a_fit_of_narrow_caches_is_used_for_them_alone() -> None:
    profile = fitted(attention_decode=0.8, attention_decode_fp8=0.4)
    wide, narrow = (kernel_cost(shape, profile) for shape in (DECODE, NARROW))
    # Half of the bytes at half of the bandwidth.
    assert float(narrow.kernel_s) == pytest.approx(float(wide.kernel_s), rel=0.1)
    assert narrow.in_range.all()
    assert float(narrow.log_half_width) == WIDTH


def test_a_fit_of_wide_caches_stands_in_with_a_wider_interval() -> None:
    cost = kernel_cost(NARROW, fitted(attention_decode=0.8))
    assert not cost.in_range.any()
    assert float(cost.log_half_width) == pytest.approx(np.hypot(WIDTH, OF_WIDER_CACHE[Phase.DECODE]))
    assert float(kernel_cost(DECODE, fitted(attention_decode=0.8)).log_half_width) == WIDTH


def test_heads_of_very_wide_groups_may_run_one_by_one() -> None:
    def with_share(share: float, group: int) -> float:
        profile = fitted(attention_decode=0.8)
        assert profile.fit is not None
        kind = profile.fit.kinds["attention.decode"]
        kind = replace(kind, parameters={**kind.parameters, "wide_apart": share})
        profile = replace(profile, fit=replace(profile.fit, kinds={"attention.decode": kind}))
        shape = replace(DECODE, num_heads=8 * group)
        return float(kernel_cost(shape, profile).kernel_s)

    assert with_share(0.9, 32) == with_share(0.001, 32)
    # 64 heads a group read what is in L2 64 times.
    assert with_share(1.0, 64) > 5 * with_share(0.001, 64)


def test_the_public_function_takes_the_cache_and_a_window() -> None:
    question: dict[str, Any] = {
        "phase": "decode", "batch": 64, "context_len": 8192, "num_heads": 32, "num_kv_heads": 8,
        "head_dim": 128, "kv_copies": None,
    }  # fmt: skip
    wide, narrow = (infersim.attention_latency(BARE, **question, kv_dtype=kv) for kv in (None, "fp8"))
    assert float(narrow.floor_s) == float(wide.floor_s) / 2
    short = infersim.attention_latency(BARE, **question, window=1024)
    fewer = infersim.attention_latency(BARE, **{**question, "context_len": 1024})
    assert float(short.latency_s) == pytest.approx(float(fewer.latency_s), rel=0.01)
