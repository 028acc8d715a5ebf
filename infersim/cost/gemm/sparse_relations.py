"""What 2:4 kernels gain over dense ones, by board, part and kernel generation, and on what that stands.

The relations are fitted on the log speedups of SlideSparse's tables (github.com/bcacdwk/vllmbench @92a8ca4,
arXiv 2603.05232: the best algorithms of cuBLASLt, CUDA 12.9, against those of cuSPARSELt 0.8.1, weights hot,
M from 64): `python bench/sparse_accuracy.py --parameters` fits them anew. Four do not come from there alone:

- A100 SXM: CUTLASS 2.8's 256x128 kernel, whose tiles keep an order for the sake of L2, takes 18.2 to 18.6 ms
  for 16384 x 16384 x 16384 in fp16, and dense 29.1 (CUDA 11.6, NVIDIA/cutlass issue 408). cuSPARSELt's
  kernel keeps none: on A100 PCIe it gains 1.2 there. The interval reaches either library.
- Hopper: at 8192 x 8192 x 8192 in 16 bit cuSPARSELt 0.6 gains 1.20 to 1.22 (NVIDIA/CUDALibrarySamples issue
  203), CUTLASS 3.8 about 1.2 (NVIDIA/cutlass issue 2229), and in fp8 CUTLASS 1.22 (HPC-AI, 2025). Ampere's
  kernels, which CUTLASS ran before, lose: 0.62 at 768 x 4096 x 4096 in bf16 (CUDA 12.3, NVIDIA/cutlass issue
  1335). The interval reaches them below prefill's tokens, where libraries choose kernels in any case.
- RTX 4070 Ti SUPER: PyTorch's CUTLASS kernels gain 1.9 in bf16, and 1.4 once a row of tiles fills the SMs
  (pytorch/ao issue 174), as the RTX 4090's would with one tile on an SM instead of two.
- int8 on B200, where no table of kernels has it: vLLM's Llama-3.2-1B and 3B of the same source gain more
  than in fp8 from the fewest tokens on, as cuBLASLt's dense int8 kernels start late. It holds for Qwen2.5-7B
  and BitNet-2B as well (`python bench/sparse_models.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.cost.regimes import PREFILL_MIN_M
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How a 2:4 kernel differs from a dense one, and what both have in common.

    - `rate`: tensor rate of the 2:4 kernel over the dense one's. Above the nominal 2 the dense kernel is the
      less efficient of the two.
    - `sparse_launch_us`: what a 2:4 launch costs beyond a dense one; below 0 where the dense one costs more.
    - `weight_reread`: share of the weights that a kernel without an order of tiles would read again which
      does come from DRAM again (`tiles`); `tiles_per_sm`: so many tiles an SM works on at a time.
    - The others are the tile model's, of both kernels (`parameters.GEMM_DEFAULTS`).
    - `fitted_on` names the GPU, `library` the 2:4 kernels; `other` is what another library gives, which
      counts with fewer tokens than `other_below`.
    """

    rate: float
    sparse_launch_us: float
    weight_reread: float
    l2_bytes_per_clock_per_sm: float
    chain_us: float
    launch_us: float
    l2_residency: float
    wave_fill: float
    tiles_per_sm: float = 1.0
    fitted_on: str
    library: str
    other: Relation | None = None
    other_below: float = math.inf


MMA, GRAPHICS, HOPPER, BULK = "mma", "graphics cards", "hopper", "bulk copies"
"""Kernel generations: warps that load and multiply, on data-centre parts (Ampere) and on graphics cards
since, whose SMs have 100 KB of shared memory instead of 164 to feed them from; tensor instructions of a group
of warps (Hopper); and those of a whole SM that bulk copies feed (data-centre Blackwell)."""

TILES_PER_SM: Mapping[str, float] = {MMA: 1.0, GRAPHICS: 2.0, HOPPER: 1.0, BULK: 1.0}
"""Tiles that an SM works on at a time in cuSPARSELt's kernels: what fits wide matrices of the tables."""

PARAMETERS: tuple[str, ...] = (
    "rate",
    "sparse_launch_us",
    "weight_reread",
    "l2_bytes_per_clock_per_sm",
    "chain_us",
    "launch_us",
    "l2_residency",
    "wave_fill",
)
"""What of a relation is fitted."""

CUSPARSELT, CUTLASS = "cuSPARSELt 0.8.1", "CUTLASS 2.8 or cuSPARSELt 0.8.1"
PYTORCH_CUTLASS = "CUTLASS of PyTorch 2.4"
CUSPARSELT_OR_CUTLASS = "cuSPARSELt 0.6 or CUTLASS 3.8"
AMPERES_CUTLASS = "CUTLASS before 3.8, Ampere's kernels"

_A100, _ADA, _H100, _B200 = "a100-pcie-80gb", "rtx-4090", "h100-sxm", "b200-sxm"

_ORDERED = 0.05
"""What a kernel reads again whose tiles keep an order: next to nothing."""

_A100_UNORDERED = Relation(
    rate=1.75,
    sparse_launch_us=1.93,
    weight_reread=0.95,
    l2_bytes_per_clock_per_sm=38.5,
    chain_us=0.079,
    launch_us=4.41,
    l2_residency=0.341,
    wave_fill=0.024,
    fitted_on=_A100,
    library=CUSPARSELT,
)
_A100_ORDERED = replace(_A100_UNORDERED, rate=1.86, weight_reread=_ORDERED, library=CUTLASS)
_A100_PCIE_16 = replace(_A100_UNORDERED, other=_A100_ORDERED)
_A100_16 = replace(_A100_ORDERED, other=_A100_UNORDERED)
_A100_8 = Relation(
    rate=2.38,
    sparse_launch_us=0.07,
    weight_reread=0.03,
    l2_bytes_per_clock_per_sm=55.1,
    chain_us=0.428,
    launch_us=3.88,
    l2_residency=0.739,
    wave_fill=0.072,
    fitted_on=_A100,
    library=CUSPARSELT,
)
_B200_16 = Relation(
    rate=2.02,
    sparse_launch_us=0.89,
    weight_reread=0.09,
    l2_bytes_per_clock_per_sm=111.0,
    chain_us=0.015,
    launch_us=4.77,
    l2_residency=0.284,
    wave_fill=1.0,
    fitted_on=_B200,
    library=CUSPARSELT,
)
_B200_8 = Relation(
    rate=2.29,
    sparse_launch_us=0.36,
    weight_reread=0.06,
    l2_bytes_per_clock_per_sm=148.0,
    chain_us=0.097,
    launch_us=3.87,
    l2_residency=0.258,
    wave_fill=1.0,
    fitted_on=_B200,
    library=CUSPARSELT,
)
_B200_INT8 = replace(_B200_8, launch_us=8.0, sparse_launch_us=-3.5)
_HOPPER_16 = replace(
    _B200_16, rate=1.21, l2_bytes_per_clock_per_sm=56.0, fitted_on=_H100, library=CUSPARSELT_OR_CUTLASS
)
_HOPPER_AMPERES_16 = replace(_HOPPER_16, rate=0.5, library=AMPERES_CUTLASS)
_GRAPHICS_CARDS = Relation(
    rate=2.02,
    sparse_launch_us=0.85,
    weight_reread=0.09,
    l2_bytes_per_clock_per_sm=13.0,
    chain_us=0.056,
    launch_us=8.08,
    l2_residency=0.182,
    wave_fill=0.031,
    tiles_per_sm=TILES_PER_SM[GRAPHICS],
    fitted_on=_ADA,
    library=CUSPARSELT,
)
_ADA_CUSPARSELT_16 = replace(
    _GRAPHICS_CARDS,
    rate=2.0,
    sparse_launch_us=1.25,
    weight_reread=1.07,
    l2_bytes_per_clock_per_sm=17.2,
    chain_us=0.066,
    launch_us=11.2,
    l2_residency=0.483,
    wave_fill=0.264,
)
_ADA_CUTLASS_16 = replace(
    _ADA_CUSPARSELT_16, tiles_per_sm=1.0, fitted_on="rtx-4070-ti-super", library=PYTORCH_CUTLASS
)
_ADA_16 = replace(_ADA_CUSPARSELT_16, other=_ADA_CUTLASS_16)
_ADA_FP8 = replace(
    _GRAPHICS_CARDS,
    rate=2.14,
    sparse_launch_us=3.37,
    weight_reread=0.16,
    l2_bytes_per_clock_per_sm=14.6,
    chain_us=0.033,
    launch_us=8.5,
    l2_residency=0.503,
    wave_fill=0.249,
)
_ADA_INT8 = replace(
    _GRAPHICS_CARDS,
    rate=2.6,
    sparse_launch_us=0.06,
    weight_reread=0.05,
    l2_bytes_per_clock_per_sm=10.7,
    chain_us=0.056,
    launch_us=5.06,
    l2_residency=0.217,
    wave_fill=0.111,
)

BY_BOARD: Mapping[tuple[str, float], Relation] = {
    ("a100-pcie-80gb", 2.0): _A100_PCIE_16,
    ("a100-pcie-40gb", 2.0): _A100_PCIE_16,
    ("rtx-4070-ti-super", 2.0): replace(_ADA_CUTLASS_16, other=_ADA_CUSPARSELT_16),
}
"""Boards whose own library counts, by name and bytes of a value."""

BY_PART: Mapping[tuple[str, float, DType], Relation] = {
    ("8.0", 2048.0, DType.BF16): _A100_16,
    ("8.0", 4096.0, DType.INT8): _A100_8,
    ("8.9", 512.0, DType.BF16): _ADA_16,
    ("8.9", 1024.0, DType.FP8): _ADA_FP8,
    ("8.9", 2048.0, DType.INT8): _ADA_INT8,
    ("10.0", 8192.0, DType.BF16): _B200_16,
    ("10.0", 16384.0, DType.FP8): _B200_8,
    ("10.0", 16384.0, DType.INT8): _B200_INT8,
}
"""Measured architectures: compute capability, FLOP per clock and SM, and data type (bf16 for fp16 too).

The tensor rate is part of the key because graphics cards of a capability multiply at a part of its rate.
"""

BY_GENERATION: Mapping[tuple[str, float], Relation] = {
    (MMA, 2.0): _A100_16,
    (MMA, 1.0): _A100_8,
    (GRAPHICS, 2.0): _GRAPHICS_CARDS,
    (GRAPHICS, 1.0): _GRAPHICS_CARDS,
    (HOPPER, 2.0): replace(_HOPPER_16, other=_HOPPER_AMPERES_16, other_below=PREFILL_MIN_M),
    (HOPPER, 1.0): replace(
        _B200_8, rate=1.24, l2_bytes_per_clock_per_sm=74.0, fitted_on=_H100, library=CUSPARSELT_OR_CUTLASS
    ),
    (BULK, 2.0): _B200_16,
    (BULK, 1.0): _B200_8,
}
"""For all other parts, by kernel generation and bytes of a value.

Graphics cards share one relation, fitted on bf16, fp8 and int8 of the RTX 4090 together: their L2 is as fast
whatever they multiply, so that those which multiply faster gain less. A Hopper SM multiplies half as fast as
one of a B200, and its relation is that of B200 with half of its L2 and a rate that meets the published gains.
"""


def kernel_generation(profile: HardwareProfile) -> str:
    """Whose kernels the GPU runs, by its compute capability; GPUs of other vendors count as MMA."""
    major, _, minor = profile.compute_capability.partition(".")
    if major in ("9", "10"):
        return HOPPER if major == "9" else BULK
    return GRAPHICS if major == "12" or (major == "8" and minor != "0") else MMA


def sparse_relation(profile: HardwareProfile, dtype: DType) -> Relation:
    """What a GPU without 2:4 measurements of its own is given: its board's, its part's, its generation's."""
    width = min(max(dtype.bytes, 1.0), 2.0)
    board = BY_BOARD.get((profile.name, width))
    return board or _part(profile, dtype) or BY_GENERATION[kernel_generation(profile), width]


def sparse_library(profile: HardwareProfile, dtype: DType) -> str:
    """Whose 2:4 kernels stand behind the GPU's relation, in which version and on which GPU."""
    relation = sparse_relation(profile, dtype)
    return f"{relation.library} on {relation.fitted_on}"


def is_measured(profile: HardwareProfile, dtype: DType) -> bool:
    """Whether 2:4 kernels of this very architecture and data type stand behind the GPU's relation."""
    return _part(profile, dtype) is not None


def _part(profile: HardwareProfile, dtype: DType) -> Relation | None:
    measured_as = DType.BF16 if dtype is DType.FP16 else dtype
    rate = profile.matrix_rate(dtype).flop_per_clock_per_sm
    return BY_PART.get((profile.compute_capability, rate, measured_as))
