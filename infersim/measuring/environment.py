"""The machine and its libraries as a log's environment record; told once, and compared before going on."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from infersim.measuring.devices.device import Device
from infersim.measuring.devices.telemetry import NoTelemetry, Telemetry, open_nvml


def telemetry_of(device: Device) -> Telemetry:
    """Readings of a GPU; a CPU says nothing."""
    if device.torch_device.type != "cuda":
        return NoTelemetry()
    uuid = getattr(torch.cuda.get_device_properties(device.torch_device), "uuid", None)
    return NoTelemetry() if uuid is None else open_nvml(f"GPU-{uuid}")


def environment(device: Device, telemetry: Telemetry) -> dict[str, Any]:
    """Everything that is known of the machine; unknown things are left out."""
    facts = {
        "gpu": device.gpu,
        "device": device.title,
        "threads": device.threads,
        "clock": device.clock,
        "cache_bytes": device.cache_bytes,
        "compute_capability": _capability(device.torch_device),
        "load_average": None if device.threads is None else round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "system": platform.platform(),
        **telemetry.environment(),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _capability(device: torch.device) -> str | None:
    """`9.0`; of a CPU nothing."""
    if device.type != "cuda":
        return None
    major, minor = torch.cuda.get_device_capability(device)
    return f"{major}.{minor}"
