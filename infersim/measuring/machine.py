"""A machine measured for a profile of its own."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import torch

from infersim.domain.errors import UnsupportedError
from infersim.measuring.ceilings import measure_ceilings
from infersim.measuring.cpu_facts import cache_is_known, highest_clock_mhz, total_bytes
from infersim.measuring.device import Device
from infersim.measuring.machine_profile import Machine, profile_toml

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
