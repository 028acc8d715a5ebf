"""A fit to a GPU's own 2:4 samples: three parameters that change the dense tile model.

- `sparse_operand_time`: the sparse instruction multiplies a step in half the time, but the activations that
  it reads stay as many. This is the time that fetching the operands of a step takes, over the time in which
  a dense step multiplies, on a part with its instruction set's full rate.
- `sparse_launch_us`: what a 2:4 launch costs beyond a dense one.
- `weight_reread`: share of the weights that a kernel without an order of tiles would read again which does
  come from DRAM again (`tiles`): 1 is a kernel that keeps no order for L2, as libraries' dense kernels do.

GPUs without such samples take a relation (`sparse_relations`). 6:8 runs the same kernels over a longer K:
each window of eight values with two zeros is written as three of four (SlideSparse, arXiv 2603.05232), so
that K and the activations grow by half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infersim.cost.floor import SLIDE_LENGTHENING
from infersim.cost.gemm.sparse_relations import TILES_PER_SM, kernel_generation
from infersim.cost.machine import Machine, Operands
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import WeightForm

KIND = "sparse_gemm"

LENGTHENING = {WeightForm.DENSE: 1.0, WeightForm.SPARSE_2_4: 1.0, WeightForm.SLIDE_6_8: SLIDE_LENGTHENING}
"""Length of the K that a kernel walks along over the matrix's own."""


def own_sparse_fit(profile: HardwareProfile, dtype: DType) -> KindParameters | None:
    """The parameters that were fitted to the GPU's own 2:4 samples; None without any."""
    parameters = kind_parameters(profile, KIND, dtype)
    return None if parameters.fit is None else parameters


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
    """The GPU with the tensor rate that its 2:4 kernels reach, by a fit of its own.

    A step takes the 4-norm of multiplying, 1 / nominal of the dense step's time, and of fetching operands,
    `sparse_operand_time` of it on a part with its instruction set's full rate.
    """
    multiplying = 1 / profile.matrix_rate(dtype).sparse_factor
    fetching = parameters.values["sparse_operand_time"] * operand_share(profile, dtype)
    step = (multiplying**4 + fetching**4) ** 0.25
    return replace(machine, flop_per_us_per_sm=machine.flop_per_us_per_sm / step)


def sparse_values(values: Mapping[str, float], parameters: KindParameters) -> Mapping[str, float]:
    """Dense GEMM parameters with the sparse kernel's extra start-up and no vector kernel at m = 1."""
    launch_us = values["launch_us"] + parameters.values["sparse_launch_us"]
    return {**values, "launch_us": launch_us, "gemv_launch_us": float("inf")}


def sparse_operands(operands: Operands, parameters: KindParameters, profile: HardwareProfile) -> Operands:
    """Operands whose weights the kernel reads again in every pass that L2 does not serve."""
    at_a_time = TILES_PER_SM[kernel_generation(profile)]
    return replace(operands, weight_reread=parameters.values["weight_reread"], tiles_per_sm=at_a_time)
