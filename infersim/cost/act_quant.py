"""Quantising 16-bit activations to 8 bit, token by token, before a W8A8 GEMM."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.cost.machine import F32, Machine, missed_in_l2
from infersim.domain.dtypes import Precision

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
