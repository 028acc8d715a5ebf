"""What the device says of its state beside a sample: clocks, power, temperature, reasons of slowing down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


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
