"""Power and energy: what a board draws while a kernel runs, and what it draws in the gaps.

While a kernel runs the board takes what it takes idle, what its busy SMs take, and the energy of each FLOP
and of each byte of the kernel times their rates, and never more than its power limit. In gaps (launch, a
host that is late) it idles, with clocks up. The parameters are those of a B200 whose kernels were metered;
on other GPUs they follow the datasheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from infersim.cost.parameters import OwnParameters, kind_parameters
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Gemm, Shape

POWER = OwnParameters(
    name="power",
    defaults={
        "idle_share": 0.25,
        "busy_share": 0.30,
        "picojoule_per_flop": 0.61,
        "picojoule_per_byte": 42.0,
    },
    uncalibrated=IntervalFit(by_regime={}, pair=0.2, outside=0.4),
)
"""Shares of the power limit: idle, and all SMs busy. Energy of a dense 16-bit FLOP and of a byte that a
kernel reads or writes, caches and wires counted. Found on a B200 (bf16 GEMMs under vLLM, NVIDIA
aiconfigurator @095f58a); the interval without a fit is a stated guess."""

CAP_NORM = 8.0
"""Near the limit the clock gives way little by little: the norm in which demand and limit meet."""

TILE_EDGE = 128.0
"""An SM that owns no output tile of about this edge has nothing to do: narrow matrices leave SMs dark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silicon:
    """What a chip is made of: energy of a FLOP over that on TSMC's 4 nm, and of a byte of its memory."""

    process: float
    picojoule_per_byte: float


HBM, HBM2, GDDR, LPDDR, DDR = 42.0, 46.0, 70.0, 48.0, 120.0
"""Picojoules a byte between memory and SM. HBM3e as metered (4.4 pJ a bit would be 35 for the memory alone);
HBM2 from 3.9 pJ a bit (O'Connor et al., MICRO 2017), GDDR6 and 6X from 7.3 to 7.5 pJ a bit (their maker's
figures), each with some 10 for the way through the chip. LPDDR and DDR are stated guesses."""

_SILICON: Mapping[str, Silicon] = {
    "7.0": Silicon(process=2.4, picojoule_per_byte=HBM2),
    "7.5": Silicon(process=2.4, picojoule_per_byte=GDDR),
    "8.0": Silicon(process=1.4, picojoule_per_byte=HBM2),
    "8.6": Silicon(process=1.8, picojoule_per_byte=GDDR),
    "8.7": Silicon(process=1.8, picojoule_per_byte=LPDDR),
    "8.9": Silicon(process=1.0, picojoule_per_byte=GDDR),
    "9.0": Silicon(process=1.0, picojoule_per_byte=HBM),
    "10.0": Silicon(process=1.0, picojoule_per_byte=HBM),
    "10.3": Silicon(process=1.0, picojoule_per_byte=HBM),
    "12.0": Silicon(process=1.0, picojoule_per_byte=GDDR),
    "gfx90a": Silicon(process=1.2, picojoule_per_byte=HBM2),
    "gfx942": Silicon(process=1.0, picojoule_per_byte=HBM),
}
"""By compute capability. TSMC states 30 % less power for its 5 nm than for 7 nm, which gives 1.4; Samsung's
8 nm lies between 7 and 10 nm, and 12 nm is a generation before: rounded, and guesses beyond 7 nm."""

UNKNOWN_SILICON = Silicon(process=1.4, picojoule_per_byte=GDDR)
CPU_SILICON = Silicon(process=1.4, picojoule_per_byte=DDR)

WIDTH_EXPONENT = 1 / 3
"""Wider tensor cores need less energy each FLOP, by this power of the FLOP per clock and SM."""

METERED_FLOP_PER_CLOCK_PER_SM = 8192.0
"""16-bit rate of an SM of the GPU that the parameters were found on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """What a board draws, in watts and joules; `joule_per_flop` is of the type whose peak is `flop_per_s`.

    `calibration` is `fitted` where kernels of the GPU itself were metered, else `transferred`;
    `log_half_width` of the 80 % interval of a mean power.
    """

    idle_w: float
    busy_w: float
    joule_per_flop: float
    flop_per_s: float
    joule_per_byte: float
    limit_w: float
    log_half_width: float
    calibration: Calibration


def power_law(profile: HardwareProfile) -> PowerLaw | None:
    """The law of a board; None where nobody states its power limit."""
    limit_w = profile.chip.tdp_w
    if limit_w is None:
        return None
    found = kind_parameters(profile, POWER)
    fitted = found.fit is not None and profile.calibration is Calibration.FITTED
    dtype = _sixteen_bit(profile)
    process, per_byte = 1.0, found.values["picojoule_per_byte"]
    if found.fit is None:
        silicon = (
            CPU_SILICON
            if profile.kind == "cpu"
            else _SILICON.get(profile.compute_capability, UNKNOWN_SILICON)
        )
        width = profile.matrix[dtype].flop_per_clock_per_sm / METERED_FLOP_PER_CLOCK_PER_SM
        process, per_byte = silicon.process * width**-WIDTH_EXPONENT, silicon.picojoule_per_byte
    interval = found.interval
    return PowerLaw(
        idle_w=found.values["idle_share"] * limit_w,
        busy_w=found.values["busy_share"] * limit_w,
        joule_per_flop=found.values["picojoule_per_flop"] * process * 1e-12,
        flop_per_s=profile.bound_flop_per_s(dtype),
        joule_per_byte=per_byte * 1e-12,
        limit_w=limit_w,
        log_half_width=interval.by_regime.get("all", interval.outside) * found.widening,
        calibration=Calibration.FITTED if fitted else Calibration.TRANSFERRED,
    )


def _sixteen_bit(profile: HardwareProfile) -> DType:
    """The type that energies of a FLOP are stated in; the fastest where a GPU has none of 16 bit."""
    dtype = next((d for d in (DType.BF16, DType.FP16) if d in profile.matrix), None)
    return dtype or max(profile.matrix, key=profile.bound_flop_per_s)


def busy_share(shape: Shape, profile: HardwareProfile) -> Array:
    """Share of the SMs that have work: those that own an output tile of a GEMM; all of them otherwise."""
    if not isinstance(shape, Gemm):
        return np.ones(())
    tiles = np.ceil(as_array(shape.m) / TILE_EDGE) * np.ceil(as_array(shape.n) / TILE_EDGE)
    share: Array = np.minimum(tiles / profile.chip.sm_count, 1.0)
    return share


def energy_j(
    law: PowerLaw,
    *,
    flop: Array,
    peak_s: Array,
    moved_bytes: Array,
    busy: Array,
    kernel_s: Array,
    launch_s: Array,
) -> Array:
    """Joules of kernels that take `kernel_s` and are launched in `launch_s`.

    `peak_s` is the time of their FLOPs at the dense peak of their type: a type of a quarter of the bits and
    four times the rate is taken for half of the energy a FLOP, between what metered formats show.
    """
    # flop x joule_per_flop x sqrt(flop_per_s / peak), the peak being flop / peak_s
    dynamic_j = law.joule_per_flop * np.sqrt(flop * peak_s * law.flop_per_s)
    dynamic_j = dynamic_j + law.joule_per_byte * moved_bytes
    rate_w = np.divide(dynamic_j, kernel_s, out=np.zeros(np.shape(dynamic_j + kernel_s)), where=kernel_s > 0)
    demand_w = law.idle_w + law.busy_w * busy + rate_w
    return within_limit(demand_w, law.limit_w) * kernel_s + law.idle_w * launch_s


def within_limit(demand_w: Array, limit_w: float) -> Array:
    """What a board draws of a demand: all of it far below its limit, and the limit at most."""
    over = np.minimum(demand_w / limit_w, 1e3)
    drawn: Array = limit_w * over / (1.0 + over**CAP_NORM) ** (1 / CAP_NORM)
    return drawn


def kernel_energy_j(shape: Shape, profile: HardwareProfile, cost: KernelCost, law: PowerLaw) -> Array:
    """Joules of one execution of each kernel."""
    return energy_j(
        law,
        flop=cost.flop,
        peak_s=cost.flop / cost.peak_flop_per_s,
        moved_bytes=cost.kernel_bytes,
        busy=busy_share(shape, profile),
        kernel_s=cost.kernel_s,
        launch_s=cost.launch_s,
    )
