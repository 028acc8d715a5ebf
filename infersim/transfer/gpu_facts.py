"""From a datasheet to the few facts that transferred parameters depend on, and the laws they follow."""

from __future__ import annotations

import math

from infersim.domain.dtypes import DType
from infersim.domain.interconnect import Interconnect, LinkKind
from infersim.domain.profile import GIGA, TERA, HardwareProfile
from infersim.transfer.pool import GpuFacts, Law

PICOJOULE_PER_FLOP = 1.26
"""Energy of a dense 16-bit multiply-add's half on an SM of 1024 FLOP per clock, the whole board counted.

From public runs: an L4 reached 57 TFLOP/s at its limit of 72 W.
"""

ENERGY_EXPONENT = 1 / 3
"""Wider tensor cores need less energy each FLOP, by this power of the FLOP per clock and SM.

Public runs bound it: H100 794 TFLOP/s at 700 W (4096 FLOP per clock), B200 1745 at 1000 W (8192).
"""

HALVED_OVER_BASE = 1.85
"""Times the base clock that a card holds in long GEMMs whose tensor rate is sold halved.

What an idle half of a tensor core saves is not in the energy of a FLOP; how far a board's limit carries its
die, its vendor says by the clock that it warrants there. Between what prefills of an L40 ask for (1.8; 735
MHz; arXiv 2601.14910, github.com/zksainx/pipeweave @55e0317) and what large GEMMs of an L20 do (2 or more;
1440 MHz, 114 of 119.5 TFLOP/s). By it an RTX 4090 (2235 MHz) is not held back: public runs reach 160 to 173
TFLOP/s of 165 (zzc0721/torch-performence-test-data, which has the L20's, too).
"""

CORRECTED_SHARE = 15 / 16
"""Of capacity, and so of bandwidth, that check bits leave which are stored among the data: a card of 48 GB
reports 46,068 of 49,152 MiB. Stacked memory has room of its own for them."""

CORRECTED_BELOW = 0.96
"""Of the GiB sold, as many as a device reports at most that keeps check bits among the data."""

LEAST_SLOWDOWN = 0.03
"""Every part loses a little clock under sustained load."""

TYPICAL_CLOCK_MHZ = 1900.0
TYPICAL_FLOP = 2300.0
TYPICAL_MEMORY_BYTES = 9.0
"""Middle of the calibrated GPUs, each per clock and SM but the clock: where laws and covariates are 0."""

RATE_OCTAVES = 1.3
MEMORY_OCTAVES = 1.5
"""Standard deviations of log2 FLOP and log2 memory bytes, per clock and SM, over the calibrated GPUs."""


def facts_of(profile: HardwareProfile) -> GpuFacts:
    """The facts of a datasheet; a GPU without 16-bit tensor rates counts with its fastest type.

    Without a power limit none is taken to bind.
    """
    chip = profile.chip
    dtype = next((d for d in (DType.BF16, DType.FP16) if d in profile.matrix), None)
    if dtype is None:
        dtype = max(profile.matrix, key=profile.datasheet_flop_per_s)
    flop = unlocked_flop_per_clock_per_sm(profile, dtype)
    return GpuFacts(
        vendor=profile.vendor,
        generation=DIES.get(profile.compute_capability, profile.generation),
        clock_max_mhz=chip.clock_max_mhz,
        flop_per_clock_per_sm=flop,
        memory_bytes_per_clock_per_sm=profile.memory.bandwidth_bytes_per_s / chip.clocks_per_s,
        power_ratio=_power_ratio(profile, dtype, flop),
        memory_share=memory_share(profile),
        links=_links(profile.interconnect),
    )


def _links(interconnect: Interconnect | None) -> str:
    """The generation of a GPU's links; of PCIe, that of its slot."""
    if interconnect is None or interconnect.kind is LinkKind.NONE:
        return ""
    slot = interconnect.kind is LinkKind.PCIE
    generation = interconnect.pcie_generation if slot else interconnect.generation
    return f"{interconnect.kind.value} {generation or ''}".strip()


def memory_share(profile: HardwareProfile) -> float:
    """What error correction leaves of the memory's bandwidth: GDDR6 keeps the check bits among the data."""
    memory = profile.memory
    sold_bytes = memory.capacity_bytes / GIGA * 2**30
    if memory.reported_bytes is None or memory.reported_bytes > CORRECTED_BELOW * sold_bytes:
        return 1.0
    return CORRECTED_SHARE


def _power_ratio(profile: HardwareProfile, dtype: DType, design_flop: float) -> float:
    """Power of multiplying at the datasheet's rate over the limit: from energy, or from the base clock of a
    card that is sold with half of the rate of its SM's design.
    """
    chip = profile.chip
    if chip.clock_base_mhz is not None and design_flop > profile.matrix[dtype].flop_per_clock_per_sm:
        return chip.tensor_clock_mhz / (HALVED_OVER_BASE * chip.clock_base_mhz)
    if chip.tdp_w is None:
        return 0.0
    picojoule: float = PICOJOULE_PER_FLOP * (design_flop / 1024) ** -ENERGY_EXPONENT
    return picojoule * profile.datasheet_flop_per_s(dtype) / TERA / chip.tdp_w


def unlocked_flop_per_clock_per_sm(profile: HardwareProfile, dtype: DType) -> float:
    """The rate of the SM's design, which consumer cards are sold with half of where sums are in FP32.

    8-bit rates with sums in INT32 are not halved (RTX 4090: 2048, as on the L40S of the same die), and are
    twice the 16-bit ones by design. Registers, shared memory, L2 and latencies are the design's: what is
    held back is the multiplying alone.
    """
    rates = {math: rate.flop_per_clock_per_sm for math, rate in profile.matrix.items()}
    eight_bit = [rates[math] / 2 for math in (DType.INT8, DType.FP8) if math in rates and dtype.bytes == 2]
    return max([rates[dtype], *eight_bit, SM_DESIGNS.get(profile.generation, 0.0)])


DIES = {"8.6": "ampere-geforce"}
"""Compute capabilities whose dies are of another design than their generation's name says: GA102 to GA106,
with GDDR and 1024 FLOP a clock, are to GA100 what consumer Blackwells are to B200."""

SM_DESIGNS = {"ada": 1024.0}
"""16-bit FLOP per clock of an SM, for generations with cards whose every rate is halved: L40 and L20."""


EXPERT_KERNELS = {"blackwell": "trtllm", "blackwell-ultra": "trtllm", "blackwell-geforce": "cutlass"}
"""Whose grouped kernels vLLM runs expert layers in 16 bit with, by generation: Triton's elsewhere.

Its order of preference, as the kernels' names in tables of vLLM 0.24 show it on A100, H100, L40S, B200 and
RTX PRO 6000; on Hopper it prefers Triton by default since vLLM pull request 44220."""


def expert_kernels(facts: GpuFacts) -> str:
    """The design of the 16-bit grouped kernels of a GPU; empty where no table tells (other vendors)."""
    return EXPERT_KERNELS.get(facts.generation, "triton") if facts.vendor == "nvidia" else ""


def covariates(facts: GpuFacts) -> tuple[float, float]:
    """Standardised log2 of the rates of multiplying and of memory, per clock and SM."""
    rate = math.log2(facts.flop_per_clock_per_sm / TYPICAL_FLOP) / RATE_OCTAVES
    memory = math.log2(facts.memory_bytes_per_clock_per_sm / TYPICAL_MEMORY_BYTES) / MEMORY_OCTAVES
    return rate, memory


def sustained_slowdown(facts: GpuFacts) -> float:
    """How much longer sustained multiplying takes than at the datasheet's clock, less 1.

    Under load the clock settles where energy per FLOP times the rate is the power limit; the 8-norm of 1
    and the power ratio, as parts near their limit lose some clock already.
    """
    slowdown = math.sqrt(math.sqrt(math.hypot(1.0, facts.power_ratio**4)))
    return max(slowdown - 1.0, LEAST_SLOWDOWN)


def law_offset(law: Law, facts: GpuFacts) -> float:
    """Natural log of the factor that a law puts on a parameter's typical value.

    A slowdown is typical at 0.1, so that `POWER` gives the factor on that.
    """
    match law:
        case Law.CYCLES:
            return -math.log(facts.clock_max_mhz / TYPICAL_CLOCK_MHZ)
        case Law.MEMORY:
            return math.log(facts.memory_bytes_per_clock_per_sm / TYPICAL_MEMORY_BYTES)
        case Law.POWER:
            return math.log(sustained_slowdown(facts) / TYPICAL_SLOWDOWN)
        case Law.SHARE:
            return math.log(facts.memory_share)
        case Law.CONSTANT:
            return 0.0


TYPICAL_SLOWDOWN = 0.1
