"""How large each number of a profile file can be, and which slip of the unit explains one that cannot.

Outside `possible` a number is an error; outside `plausible` it is used, with a warning: hardware that does
not exist yet must be describable.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from infersim.domain.errors import FileContentError

MIB_PER_GB = 1e9 / 2**20


class ImplausibleValueWarning(UserWarning):
    """A number of a profile that no GPU of today has; `key` is its dotted key in the file."""

    def __init__(self, message: str, key: str = "") -> None:
        self.key = key
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Limits of a number in `unit`. `slips` maps a wrong unit to how many of it make one `unit`."""

    unit: str
    possible: tuple[float, float]
    plausible: tuple[float, float]
    slips: tuple[tuple[str, float], ...] = ()

    def hint(self, value: float) -> str:
        """What `value` looks like, as words to append, or nothing."""
        low, high = self.plausible
        for unit, per_one in self.slips:
            if low <= value / per_one <= high:
                return f"; it looks like {unit}: write {value / per_one:.6g}"
        return ""


_CLOCK = Range(
    unit="MHz", possible=(50, 10_000), plausible=(500, 4000), slips=(("GHz", 1e-3), ("kHz", 1e3), ("Hz", 1e6))
)
RANGES: dict[str, Range] = {
    "sm_count": Range(unit="SMs", possible=(1, 20_000), plausible=(8, 2000)),
    "clock_max_mhz": _CLOCK,
    "tensor_clock_mhz": _CLOCK,
    "clock_base_mhz": _CLOCK,
    "quoted_clock_mhz": _CLOCK,
    "l2_mib": Range(
        unit="MiB",
        possible=(0.25, 8192),
        plausible=(1, 2048),
        slips=(("KiB", 1024), ("bytes", 2**20), ("GiB", 1 / 1024)),
    ),
    "tdp_w": Range(unit="W", possible=(2, 20_000), plausible=(20, 5000), slips=(("kW", 1e-3), ("mW", 1e3))),
    "capacity_gb": Range(
        unit="GB",
        possible=(0.5, 10_000),
        plausible=(4, 4000),
        slips=(("MiB", MIB_PER_GB), ("bytes", 1e9), ("TB", 1e-3)),
    ),
    "reported_mib": Range(
        unit="MiB",
        possible=(500, 10_000_000),
        plausible=(4000, 4_000_000),
        slips=(("GiB", 1 / 1024), ("bytes", 2**20), ("KiB", 1024)),
    ),
    "bandwidth_gb_s": Range(
        unit="GB/s",
        possible=(20, 200_000),
        plausible=(100, 40_000),
        slips=(("TB/s", 1e-3), ("MB/s", 1e3), ("bytes/s", 1e9)),
    ),
    "bus_bits": Range(unit="bits", possible=(32, 2**17), plausible=(64, 2**15)),
    "pin_gbit_s": Range(
        unit="Gbit/s", possible=(0.5, 200), plausible=(1, 64), slips=(("Mbit/s", 1e3), ("bit/s", 1e9))
    ),
    "datasheet_tflops": Range(
        unit="TFLOP/s",
        possible=(0.1, 1e6),
        plausible=(1, 2e5),
        slips=(("GFLOP/s", 1e3), ("FLOP/s", 1e12), ("PFLOP/s", 1e-3)),
    ),
    "flop_per_clock_per_sm": Range(unit="FLOP", possible=(8, 2**22), plausible=(64, 2**18)),
    "sparse_factor": Range(unit="times the dense rate", possible=(1, 2), plausible=(1, 2)),
    "gpus_per_node": Range(unit="GPUs", possible=(1, 4096), plausible=(1, 576)),
    "generation": Range(unit="(a generation of links)", possible=(1, 20), plausible=(1, 8)),
    "link_gb_s": Range(
        unit="GB/s in one direction",
        possible=(1, 100_000),
        plausible=(20, 4000),
        slips=(("TB/s", 1e-3), ("MB/s", 1e3), ("bytes/s", 1e9)),
    ),
    "pcie_generation": Range(unit="(a generation of PCIe)", possible=(1, 10), plausible=(2, 7)),
    "pcie_lanes": Range(unit="lanes", possible=(1, 32), plausible=(4, 16)),
    "pcie_gb_s": Range(
        unit="GB/s in one direction",
        possible=(0.2, 2000),
        plausible=(3, 300),
        slips=(("MB/s", 1e3), ("bytes/s", 1e9)),
    ),
    "rate_cap": Range(unit="times the full rate", possible=(0.001, 1), plausible=(0.01, 1)),
}
"""Ranges of a GPU's numbers, by the last part of their key."""

CPU_RANGES: dict[str, Range] = RANGES | {
    "sm_count": Range(unit="cores", possible=(1, 20_000), plausible=(1, 2000)),
    "capacity_gb": Range(
        unit="GB",
        possible=(0.1, 100_000),
        plausible=(0.5, 20_000),
        slips=(("MiB", MIB_PER_GB), ("bytes", 1e9), ("TB", 1e-3)),
    ),
    "bandwidth_gb_s": Range(
        unit="GB/s",
        possible=(0.5, 20_000),
        plausible=(2, 4000),
        slips=(("TB/s", 1e-3), ("MB/s", 1e3), ("bytes/s", 1e9)),
    ),
    "datasheet_tflops": Range(
        unit="TFLOP/s",
        possible=(1e-4, 1e4),
        plausible=(0.002, 500),
        slips=(("GFLOP/s", 1e3), ("FLOP/s", 1e12), ("PFLOP/s", 1e-3)),
    ),
    "flop_per_clock_per_sm": Range(unit="FLOP", possible=(0.1, 2**18), plausible=(1, 2**15)),
}
"""The same of a CPU's, whose cores take the place of SMs."""


def check_range(file: object, key: str, value: float, kind: str = "gpu") -> bool:
    """Whether the value of a `gpu` or `cpu` is plausible; warns of one that is not.

    Raises FileContentError for an impossible value.
    """
    known = (CPU_RANGES if kind == "cpu" else RANGES)[key.rpartition(".")[2]]
    low, high = known.possible
    if not low <= value <= high:
        expected = f"{low:g} to {high:g} {known.unit}{known.hint(value)}"
        raise FileContentError(file, key, value, expected)
    low, high = known.plausible
    plausible = low <= value <= high
    if not plausible:
        said = (
            f"{file}: {key} = {value:g} is outside {low:g} to {high:g} {known.unit}, where "
            f"{kind.upper()}s lie{known.hint(value)}"
        )
        warnings.warn(ImplausibleValueWarning(said, key), stacklevel=2)
    return plausible
