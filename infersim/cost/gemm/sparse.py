"""What 2:4 changes in the tile model of a GEMM: the tensor rate, a costlier start, weights read again.

6:8 runs the same kernels over a longer K: each window of eight values with two zeros is written as three of
four (SlideSparse, arXiv 2603.05232), so that K and the activations grow by half.

The parameters relate a 2:4 GEMM to the dense one of the same GPU, so they transfer: the dense model may come
from another source, a sibling or the defaults.

- `sparse_operand_time`: the sparse instruction multiplies a step in half the time, but the activations that
  it reads stay as many. This is the time that fetching the operands of a step takes, over the time in which
  a dense step multiplies, on a part with its instruction set's full rate.
- `sparse_launch_us`: what a 2:4 launch costs beyond a dense one.
- `weight_reread`: share of what a kernel without an order of tiles would read again that does come from DRAM
  again, the weights or the activations (`tiles`): 1 is a kernel that keeps no order for the sake of L2,
  as libraries' dense kernels do.

Fitted on the log speedups of SlideSparse's tables (github.com/bcacdwk/vllmbench @92a8ca4, arXiv 2603.05232:
best cuBLASLt against cuSPARSELt, weights hot, M from 64), each GPU's dense model on the dense rows of the
same tables. `python bench/sparse_accuracy.py --parameters` fits them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from infersim.cost.floor import SLIDE_LENGTHENING
from infersim.cost.machine import Machine, Operands
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import WeightForm

KIND = "sparse_gemm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """The three parameters, and the GPU (None: several) on whose rows they were fitted."""

    sparse_operand_time: float
    sparse_launch_us: float
    weight_reread: float
    fitted_on: str | None = None

    @property
    def values(self) -> Mapping[str, float]:
        """By the names that fits use."""
        return {
            "sparse_operand_time": self.sparse_operand_time,
            "sparse_launch_us": self.sparse_launch_us,
            "weight_reread": self.weight_reread,
        }


MMA, GRAPHICS, BULK = "mma", "graphics cards", "bulk copies"
"""Kernel generations: warps that load and multiply, on data-centre parts (Ampere) and on graphics cards
since, whose SMs have 100 KB of shared memory instead of 164 to feed them from; and tensor instructions fed by
bulk copies (Hopper, data-centre Blackwell)."""

_A100, _ADA, _B200 = "a100-pcie-80gb", "rtx-4090", "b200-sxm"

_GRAPHICS_CARDS = Relation(
    sparse_operand_time=0.97, sparse_launch_us=0.42, weight_reread=0.23, fitted_on=_ADA
)

BY_PART: Mapping[tuple[str, float, DType], Relation] = {
    ("8.0", 2048.0, DType.BF16): Relation(
        sparse_operand_time=0.50, sparse_launch_us=1.69, weight_reread=1.03, fitted_on=_A100
    ),
    ("8.0", 4096.0, DType.INT8): Relation(
        sparse_operand_time=0.10, sparse_launch_us=0.08, weight_reread=0.11, fitted_on=_A100
    ),
    ("8.9", 512.0, DType.BF16): Relation(
        sparse_operand_time=1.47, sparse_launch_us=0.73, weight_reread=0.82, fitted_on=_ADA
    ),
    ("8.9", 1024.0, DType.FP8): Relation(
        sparse_operand_time=0.35, sparse_launch_us=2.16, weight_reread=0.13, fitted_on=_ADA
    ),
    ("8.9", 2048.0, DType.INT8): Relation(
        sparse_operand_time=0.95, sparse_launch_us=0.01, weight_reread=0.20, fitted_on=_ADA
    ),
}
"""Fitted on one architecture: compute capability, FLOP per clock and SM, and data type (bf16 for fp16 too).

The tensor rate is part of the key because graphics cards of a capability multiply at a part of its rate.
"""

BY_GENERATION: Mapping[tuple[str, float], Relation] = {
    (MMA, 2.0): Relation(
        sparse_operand_time=0.50, sparse_launch_us=1.69, weight_reread=1.03, fitted_on=_A100
    ),
    (MMA, 1.0): Relation(
        sparse_operand_time=0.10, sparse_launch_us=0.08, weight_reread=0.11, fitted_on=_A100
    ),
    (GRAPHICS, 2.0): _GRAPHICS_CARDS,
    (GRAPHICS, 1.0): _GRAPHICS_CARDS,
    (BULK, 2.0): Relation(
        sparse_operand_time=0.53, sparse_launch_us=0.47, weight_reread=0.09, fitted_on=_B200
    ),
    (BULK, 1.0): Relation(
        sparse_operand_time=0.52, sparse_launch_us=0.49, weight_reread=0.09, fitted_on=_B200
    ),
}
"""For all other parts, by kernel generation and bytes of a value: fitted on that generation's GPU.

Operands bind graphics cards: cards of 1024 FLOP per clock and SM (L40S, RTX PRO 6000) need twice the bytes
per clock that the measured RTX 4090 needs in 16 bit, and as many as it needs in int8, where its gain is not
the nominal one. So theirs come from all its data types together.
"""

RELATION_INTERVALS: Mapping[float, IntervalFit] = {
    2.0: IntervalFit(
        by_regime={"mid small": 0.17, "prefill small": 0.08, "mid large": 0.21, "prefill large": 0.15},
        pair=0.2,
        outside=0.3,
    ),
    1.0: IntervalFit(
        by_regime={"mid small": 0.16, "prefill small": 0.08, "mid large": 0.28, "prefill large": 0.22},
        pair=0.25,
        outside=0.35,
    ),
}
"""80 % half-widths of the log of a 2:4 speedup with the parameters of other GPUs, by bytes of a value.

Means over the measured GPUs of the quantiles of |log error| when each is left out; `pair` is that of all
rows.
`outside` is a stated guess for 16 tokens and fewer, which the tables do not hold.
"""


def kernel_generation(profile: HardwareProfile) -> str:
    """Whose kernels the GPU runs, by its compute capability; GPUs of other vendors count as MMA."""
    major, _, minor = profile.compute_capability.partition(".")
    if major in ("9", "10"):
        return BULK
    return GRAPHICS if major == "12" or (major == "8" and minor != "0") else MMA


def sparse_parameters(profile: HardwareProfile, dtype: DType) -> KindParameters:
    """The parameters of 2:4 GEMMs: the GPU's own fit, else its part's, else its generation's."""
    parameters = kind_parameters(profile, KIND, dtype)
    if parameters.fit is not None:
        return parameters
    width = min(max(dtype.bytes, 1.0), 2.0)
    interval = RELATION_INTERVALS[width]
    values = sparse_relation(profile, dtype).values
    return KindParameters(values=values, fit=None, interval=interval, exact=False, widening=1.0)


def sparse_relation(profile: HardwareProfile, dtype: DType) -> Relation:
    """What a GPU without 2:4 measurements of its own is given."""
    width = min(max(dtype.bytes, 1.0), 2.0)
    measured_as = DType.BF16 if dtype is DType.FP16 else dtype
    rate = profile.matrix_rate(dtype).flop_per_clock_per_sm
    part = BY_PART.get((profile.compute_capability, rate, measured_as))
    return BY_GENERATION[kernel_generation(profile), width] if part is None else part


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
