"""What the device reports of its state beside a sample: clocks, power, temperature, reasons of slowing down.

NVIDIA GPUs report it through NVML, by the official bindings: package nvidia-ml-py, module pynvml.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any, Protocol, TypeVar

from infersim.domain.errors import InfersimError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a device; None is unknown, never zero.

    `throttled`: heat or the board's protection holds the clock down, so that the sample is none of a healthy
    device. `clock_reasons` are all the reasons for the present clock; the power cap is among those that a
    busy GPU is expected to have.
    """

    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    clock_reasons: tuple[str, ...] | None = None

    def columns(self) -> dict[str, Any]:
        """The reading as columns of the samples format, unknown ones left out."""
        values = {
            "sm_clock_mhz": self.sm_clock_mhz,
            "memory_clock_mhz": self.memory_clock_mhz,
            "power_w": self.power_w,
            "temperature_c": self.temperature_c,
            "throttled": self.throttled,
            "clock_reasons": None if self.clock_reasons is None else ", ".join(self.clock_reasons),
        }
        return {name: value for name, value in values.items() if value is not None}


class Telemetry(Protocol):
    """A source of readings, and of what does not change during a run."""

    def read(self) -> Reading: ...

    def environment(self) -> Mapping[str, Any]:
        """Driver, power cap and highest clocks, unknown ones left out."""


class NoTelemetry:
    """A device that says nothing: a CPU, or a GPU without the official bindings of NVML."""

    def read(self) -> Reading:
        return Reading()

    def environment(self) -> Mapping[str, Any]:
        return {}


OFFICIAL, UNOFFICIAL = "nvidia-ml-py", "pynvml"
"""Two packages that both bring a module `pynvml`; NVIDIA maintains the first."""

REASONS: Mapping[int, str] = {
    0x001: "idle",
    0x002: "application clocks",
    0x004: "power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}
"""NVML's bits of the reasons for the present clock (nvml.h, nvmlClocksEventReason...)."""

THROTTLES = 0x008 | 0x020 | 0x040 | 0x080
"""The reasons that a healthy, cooled device does not have. The power cap is not one of them: under it large
GEMMs run on every GPU, and predictions are about such GEMMs."""

T = TypeVar("T")


def open_nvml(
    uuid: str,
    *,
    version_of: Callable[[str], str] = metadata.version,
    bindings: Callable[[], Any] = lambda: importlib.import_module("pynvml"),
) -> Telemetry:
    """Telemetry of the GPU with this UUID; that of nothing where NVML or its bindings are missing.

    Raises InfersimError where the unofficial package stands in the place of the official one.
    """
    if not _installed(OFFICIAL, version_of):
        if _installed(UNOFFICIAL, version_of):
            raise InfersimError(
                f"the installed package {UNOFFICIAL} is not NVIDIA's; telemetry needs {OFFICIAL}: "
                f"pip uninstall -y {UNOFFICIAL} && pip install {OFFICIAL}"
            )
        return NoTelemetry()
    nvml = bindings()
    try:
        nvml.nvmlInit()
        return NvmlTelemetry(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid))
    except nvml.NVMLError:
        # No driver, or a device that NVML does not list (WSL, some virtual machines).
        return NoTelemetry()


class NvmlTelemetry:
    """Readings of one GPU. What it does not support stays unknown."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    def read(self) -> Reading:
        nvml = self._nvml
        reasons = self._queried(self._clock_reasons)
        return Reading(
            sm_clock_mhz=self._number(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._number(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
            power_w=self._number(nvml.nvmlDeviceGetPowerUsage, per=1e-3),
            temperature_c=self._number(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
            throttled=None if reasons is None else bool(reasons & THROTTLES),
            clock_reasons=None if reasons is None else reason_names(reasons),
        )

    def environment(self) -> Mapping[str, Any]:
        nvml = self._nvml
        driver = self._queried(nvml.nvmlSystemGetDriverVersion)
        facts = {
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "power_cap_w": self._number(nvml.nvmlDeviceGetEnforcedPowerLimit, per=1e-3),
            "sm_clock_max_mhz": self._number(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_SM),
            "gpu_busy_percent": self._busy_percent(),
            "memory_clock_max_mhz": self._number(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_MEM),
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _busy_percent(self) -> float | None:
        """Of the last second, in which nothing is measured yet: what other programs take."""
        value = self._queried(partial(self._nvml.nvmlDeviceGetUtilizationRates, self._handle))
        return None if value is None else float(value.gpu)

    def _clock_reasons(self) -> int:
        """NVML renamed the question; older drivers and bindings know the older name only."""
        for name in ("EventReasons", "ThrottleReasons"):
            ask = getattr(self._nvml, f"nvmlDeviceGetCurrentClocks{name}", None)
            value = None if ask is None else self._queried(partial(ask, self._handle))
            if value is not None:
                return int(value)
        raise self._nvml.NVMLError(self._nvml.NVML_ERROR_NOT_SUPPORTED)

    def _number(self, question: Callable[..., Any], *about: Any, per: float = 1.0) -> float | None:
        value = self._queried(lambda: question(self._handle, *about))
        return None if value is None else float(value) * per

    def _queried(self, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def reason_names(reasons: int) -> tuple[str, ...]:
    """The set bits of `reasons` by name; those that are new to us by number."""
    known = [name for bit, name in REASONS.items() if reasons & bit]
    rest = reasons & ~sum(REASONS)
    return (*known, *([f"{rest:#x}"] if rest else []))


def _installed(package: str, version_of: Callable[[str], str]) -> bool:
    try:
        version_of(package)
    except metadata.PackageNotFoundError:
        return False
    return True
