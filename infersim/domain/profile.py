"""A GPU as infersim knows it: the vendor's datasheet and, where there is one, the calibrated fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from infersim.domain.dtypes import DType
from infersim.domain.errors import UnknownNameError, UnsupportedError
from infersim.domain.fit import KERNEL_SETS, PAST_KERNEL_SETS, Fit
from infersim.domain.interconnect import Interconnect, Link

MEGA, GIGA, TERA = 1e6, 1e9, 1e12


class Calibration(StrEnum):
    """Where a profile's cost parameters come from, best last."""

    NONE = "none"
    TRANSFERRED = "transferred"
    BORROWED = "borrowed"
    FITTED = "fitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Matrix (tensor-core) rate of one data type, dense with FP32 accumulation.

    `sparse_factor` is the nominal 2:4 rate over the dense one (1.0: no 2:4 support). `rate_cap` scales
    parts that are sold with a throttled tensor rate (H20). `quoted_clock_mhz` is the clock behind
    `datasheet_tflops` where it is not the chip's tensor clock (FP32 on Hopper: the maximum clock).
    """

    datasheet_tflops: float
    flop_per_clock_per_sm: float
    sparse_factor: float = 1.0
    rate_cap: float = 1.0
    quoted_clock_mhz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """The die: SMs, clocks, cache and power.

    `clock_max_mhz` is the highest clock the device can report, which only a floor may assume;
    `tensor_clock_mhz` is the clock of the datasheet's tensor peaks. `l2_bytes` counts every on-chip cache
    that can keep data away from device memory (on MI300X the memory-side cache too). `clock_base_mhz` is what
    the vendor warrants at the power limit. It and `tdp_w` are None where nobody says.
    """

    sm_count: int
    clock_max_mhz: float
    tensor_clock_mhz: float
    l2_bytes: float
    tdp_w: float | None = None
    clock_base_mhz: float | None = None

    @property
    def clocks_per_s(self) -> float:
        """Clocks of all SMs in a second, at the tensor clock: makes rates per clock and SM the GPU's."""
        return self.tensor_clock_mhz * MEGA * self.sm_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Device memory: capacity in bytes (decimal GB x 1e9) and datasheet bandwidth in bytes/s.

    `reported_bytes` is what the device itself says it has; None where that is not known.
    """

    capacity_bytes: float
    bandwidth_bytes_per_s: float
    reported_bytes: float | None = None

    @property
    def total_bytes(self) -> float:
        """What programs can ask for: as the device reports it, else as the vendor sells it."""
        return self.capacity_bytes if self.reported_bytes is None else self.reported_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareProfile:
    """Datasheet + fit of one GPU (or CPU: `kind`). `matrix` holds the data types it has; others are an error.
    `interconnect` is None where nobody says how several are connected.

    `sources` says where each number comes from and `unverified` which ones no table confirmed, both by
    the dotted key of the profile file (`memory.bandwidth_gb_s`). `exceptions` gives the reason for each
    number that contradicts the rest of the profile and is right nevertheless.
    """

    name: str
    title: str
    vendor: str
    generation: str
    compute_capability: str
    chip: Chip
    memory: Memory
    matrix: Mapping[DType, Matrix]
    interconnect: Interconnect | None = None
    aliases: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    kind: str = "gpu"
    sources: Mapping[str, str] = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)
    fit: Fit | None = None
    calibration: Calibration = Calibration.NONE
    fit_source: str | None = None

    @property
    def kernels(self) -> str | None:
        """The kernel set in force; None where no fit says whose kernels were measured."""
        return None if self.fit is None else self.fit.kernels

    @property
    def kernel_sets(self) -> tuple[str, ...]:
        """Kernel sets that were measured on the GPU, the default first."""
        if self.fit is None:
            return ()
        default = self.fit.default_kernels
        measured = [
            name
            for name, kinds in self.fit.kernel_sets.items()
            if any(not kind.transferred for kind in kinds.values())
        ]
        return tuple(sorted(measured, key=lambda name: (name != default, name)))

    def with_kernels(self, kernels: str | None) -> HardwareProfile:
        """The profile with the kernels of an engine in force; as it is for None.

        Kinds that were not measured with them stay those of the default set. Raises UnknownNameError for a
        name that is neither an engine's nor a set of the profile.
        """
        if kernels is None:
            return self
        known = dict.fromkeys((*KERNEL_SETS, *PAST_KERNEL_SETS, *self.kernel_sets))
        if kernels not in known:
            raise UnknownNameError("kernel set", kernels, known)
        return self if self.fit is None else replace(self, fit=self.fit.of_engine(kernels))

    def link_between(self, gpus: int) -> Link:
        """What connects `gpus` GPUs of a node.

        Raises InvalidValueError for a number that a node does not have, UnsupportedError where nobody says.
        """
        if self.interconnect is None:
            raise UnsupportedError(
                f"{self.name}: nobody states how several of it are connected ([interconnect] of its file)"
            )
        return self.interconnect.between(gpus, self.name)

    def matrix_rate(self, dtype: DType) -> Matrix:
        """The matrix rate of `dtype`; raises UnsupportedError naming what the GPU has."""
        try:
            return self.matrix[dtype]
        except KeyError:
            known = ", ".join(sorted(self.matrix))
            raise UnsupportedError(
                f"{self.name} has no {dtype} tensor rate: choose a data type (--dtype) of {known}"
            ) from None

    def datasheet_flop_per_s(self, dtype: DType) -> float:
        """Dense FLOP/s at the clock of the datasheet's peaks: what predictions are fractions of."""
        rate = self.matrix_rate(dtype)
        clock_hz = self.chip.tensor_clock_mhz * MEGA
        return rate.flop_per_clock_per_sm * self.chip.sm_count * clock_hz * rate.rate_cap

    def bound_flop_per_s(self, dtype: DType) -> float:
        """Dense FLOP/s that no kernel can exceed: FLOP/clock/SM x SMs x the highest clock."""
        rate = self.matrix_rate(dtype)
        clock_hz = max(self.chip.clock_max_mhz, self.chip.tensor_clock_mhz) * MEGA
        return rate.flop_per_clock_per_sm * self.chip.sm_count * clock_hz * rate.rate_cap
