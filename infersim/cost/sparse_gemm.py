"""What 2:4 changes in the tile model of a GEMM: the tensor rate, a costlier start, weights read again.

6:8 runs the same kernels over a longer K: each window of eight values with two zeros is written as three of
four (SlideSparse, arXiv 2603.05232), so that K and the activations grow by half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from infersim.cost.floor import SLIDE_LENGTHENING
from infersim.cost.machine import Machine, Operands
from infersim.cost.parameters import KindParameters
from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import WeightForm

LENGTHENING = {WeightForm.DENSE: 1.0, WeightForm.SPARSE_2_4: 1.0, WeightForm.SLIDE_6_8: SLIDE_LENGTHENING}
"""Length of the K that a kernel walks along over the matrix's own."""

FULL_OPERAND_RATE: Mapping[str, float] = {"8": 4096.0, "9": 8192.0, "10": 16384.0, "12": 4096.0}
"""FLOP x bytes per clock and SM of the fastest parts with a compute capability's tensor instructions (bf16 of
A100, H100 and B200): shared memory is built to feed those. Graphics cards multiply at a part of that rate."""


def operand_share(profile: HardwareProfile, dtype: DType) -> float:
    """How hard a part's tensor rate leans on operand supply: 1 for the full-rate part of its generation."""
    rate = profile.matrix_rate(dtype)
    own = rate.flop_per_clock_per_sm * rate.rate_cap * dtype.bytes
    return own / FULL_OPERAND_RATE.get(profile.compute_capability.split(".")[0], own)


def sparse_machine(
    profile: HardwareProfile, dtype: DType, machine: Machine, parameters: KindParameters
) -> Machine:
    """The GPU with the tensor rate that its 2:4 kernels reach.

    A step takes the 4-norm of multiplying, 1 / nominal of the dense step's time, and of fetching operands.
    """
    multiplying = 1 / profile.matrix_rate(dtype).sparse_factor
    fetching = parameters.values["sparse_operand_time"] * operand_share(profile, dtype)
    step = (multiplying**4 + fetching**4) ** 0.25
    return replace(machine, flop_per_us_per_sm=machine.flop_per_us_per_sm / step)


def sparse_values(values: Mapping[str, float], parameters: KindParameters) -> Mapping[str, float]:
    """Dense GEMM parameters with the sparse kernel's extra start-up and no vector kernel at m = 1."""
    launch_us = values["launch_us"] + parameters.values["sparse_launch_us"]
    return {**values, "launch_us": launch_us, "gemv_launch_us": float("inf")}


def sparse_operands(operands: Operands, parameters: KindParameters) -> Operands:
    """Operands whose weights the kernel reads again in every pass that L2 does not serve."""
    return replace(operands, weight_reread=parameters.values["weight_reread"])


def relation_width(dense_log_half_width: Array, parameters: KindParameters, relation: Array) -> Array:
    """Half-widths of a 2:4 latency that stands on the dense model and a relation from other GPUs."""
    return np.hypot(dense_log_half_width, parameters.widening * relation)
