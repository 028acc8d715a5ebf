"""A machine measured for a profile file of its own: its CPU, with measured ceilings in the place of peaks."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from infersim.domain.errors import UnsupportedError
from infersim.measuring.ceilings import Ceilings, measure_ceilings
from infersim.measuring.devices.cpu_device import cache_is_known, highest_clock_mhz, total_bytes
from infersim.measuring.devices.device import Device

GIGA, TERA, MIB = 1e9, 1e12, 2.0**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a profile says of a CPU besides its rates.

    `cores` are those that were measured with; `clock` is the setting of the stopwatch; `cache_is_known` and
    `clock_is_known` tell facts of the system from stand-ins.
    """

    name: str
    title: str
    cores: int
    clock_mhz: float
    clock_is_known: bool
    cache_bytes: float
    cache_is_known: bool
    memory_bytes: float
    measured_with: str


def profile_toml(machine: Machine, ceilings: Ceilings) -> str:
    """The text of a profile file in the layout of `hw_profiles/`.

    FLOP per clock and core follow from the ceiling, so that both agree; numbers that the system does not say
    are listed as unverified.
    """
    unverified = [
        *([] if machine.clock_is_known else ["chip.clock_max_mhz", "chip.tensor_clock_mhz"]),
        *([] if machine.cache_is_known else ["chip.l2_mib"]),
    ]
    clock_hz = machine.clock_mhz * 1e6
    matrix = "\n".join(
        f"{dtype} = {{ datasheet_tflops = {rate / TERA:.6g}, "
        f"flop_per_clock_per_sm = {rate / clock_hz / machine.cores:.6g}, sparse_factor = 1 }}"
        for dtype, rate in ceilings.flop_per_s.items()
    )
    measured = f"measured ceiling, no datasheet: {machine.measured_with}"
    return f"""\
# {machine.title}, {machine.cores} cores; written by `infersim measure machine`. Peaks are measured ceilings,
# the best of several large shapes. Cores stand for SMs, the last-level cache for L2.

name = {_text(machine.name)}
title = {_text(machine.title)}
kind = "cpu"
vendor = "cpu"
generation = "cpu"
compute_capability = "none"
unverified = {json.dumps(unverified)}

[chip]
sm_count = {machine.cores}
clock_max_mhz = {machine.clock_mhz:.6g}
tensor_clock_mhz = {machine.clock_mhz:.6g}
l2_mib = {machine.cache_bytes / MIB:.6g}

[memory]
capacity_gb = {machine.memory_bytes / GIGA:.6g}
bandwidth_gb_s = {ceilings.bandwidth_bytes_per_s / GIGA:.6g}

[matrix]
{matrix}

[sources]
"chip.*" = "what the system says of its CPU; the cores are those that were measured with"
"memory.capacity_gb" = "what the system says of its memory"
"memory.bandwidth_gb_s" = {_text(measured)}
"matrix.*" = {_text(measured)}
"matrix.*.sparse_factor" = "no 2:4 instructions"
"""


def _text(value: str) -> str:
    """`value` as a TOML string: JSON's are a subset of TOML's basic strings."""
    return json.dumps(value, ensure_ascii=False)


UNKNOWN_CLOCK_MHZ = 2000.0
"""Where the system says nothing of clocks. Rates do not depend on it: FLOP per clock are computed from it."""


def measured_profile(device: Device, dtypes: Sequence[str], name: str | None = None) -> str:
    """The text of a profile file for the CPU `device`, with ceilings of GEMMs in `dtypes`.

    Raises UnsupportedError for a GPU, whose datasheet is what a profile must be made of.
    """
    if device.threads is None:
        raise UnsupportedError(
            f"{device.title} has a datasheet: infersim gpus lists the known ones, and CONTRIBUTING.md tells "
            "how to add one. Ceilings are measured with --device cpu"
        )
    clock_mhz = highest_clock_mhz()
    with device:
        ceilings = measure_ceilings(device, dtypes)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = Machine(
        name=name or device.gpu,
        title=device.title,
        cores=device.threads,
        clock_mhz=clock_mhz or UNKNOWN_CLOCK_MHZ,
        clock_is_known=clock_mhz is not None,
        cache_bytes=device.cache_bytes,
        cache_is_known=cache_is_known(),
        memory_bytes=total_bytes(),
        measured_with=f"PyTorch {torch.__version__}, {device.threads} threads, {device.clock} time, {today}",
    )
    return profile_toml(machine, ceilings)
