"""The process that measures: rows in on standard input, results out, one JSON object a line.

    {"device": "cpu", "threads": 1, "clock": "wall", "cache": "cold"}  ->  {"environment": {...}}
    {"kind": "gemm", "m": 16, ...}                                     ->  {"sample": {...}}

It is a process of its own because a kernel can take its process with it: a segmentation fault, a CUDA error
after which every call fails, the system's out-of-memory killer. The caller (`supervision`) then starts
another one and knows which row it was. Started with `python -m infersim.measuring.kernel_runs.worker`.
The environment record names the machine and its libraries; it is compared before a log goes on.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import IO, Any

import torch

from infersim.domain.errors import InfersimError
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
        **_libraries(device.torch_device),
        "python": platform.python_version(),
        "system": platform.platform(),
        **telemetry.environment(),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _libraries(device: torch.device) -> dict[str, str]:
    """Versions of the libraries whose kernels GEMMs are: cuSPARSELt (0.8.1 is 801) and the cuBLAS package."""
    if device.type != "cuda":
        return {}
    found = {}
    if torch.backends.cusparselt.is_available():
        found["cusparselt"] = str(torch.backends.cusparselt.version())
    for package in metadata.distributions():
        name = str(package.metadata["Name"])
        if name.startswith("nvidia-cublas"):
            found["cublas"] = package.version
    return found


def _capability(device: torch.device) -> str | None:
    """`9.0`; of a CPU nothing."""
    if device.type != "cuda":
        return None
    major, minor = torch.cuda.get_device_capability(device)
    return f"{major}.{minor}"


def main() -> int:
    """Answer until the asker closes standard input; the exit status is 0 but after a lost device."""
    # Libraries print to standard output: it becomes standard error, and the answers keep the pipe.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    setup = sys.stdin.readline()
    if not setup:
        return 0
    try:
        return _measure_all(json.loads(setup), sys.stdin, answers)
    except InfersimError as error:
        _answer(answers, {"error": str(error)})
        return 2


def _measure_all(setup: Mapping[str, Any], rows: IO[str], answers: IO[str]) -> int:
    from infersim.measuring.devices.device import DeviceLostError
    from infersim.measuring.devices.opening import open_device

    device = open_device(setup["device"], setup["threads"], setup["clock"])

    from infersim.measuring.kernel_runs.one_kernel import measure_kernel
    from infersim.measuring.kernel_runs.worker import environment, telemetry_of
    from infersim.measuring.kernels.bench import Bench
    from infersim.measuring.kernels.random_data import RandomData
    from infersim.measuring.kernels.rotation import CacheState

    telemetry = telemetry_of(device)
    with device:
        _answer(answers, {"environment": environment(device, telemetry)})
        bench = Bench(device=device, data=RandomData(device), cache=CacheState(setup["cache"]))
        for line in rows:
            try:
                sample = measure_kernel(json.loads(line), bench, telemetry)
            except DeviceLostError as error:
                _answer(answers, {"lost": str(error)})
                return 1
            _answer(answers, {"sample": sample})
    return 0


def _answer(answers: IO[str], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
