"""Telemetry against a fake of the official bindings: units, what is unknown, and the wrong package."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

import pytest

from infersim.domain.errors import InfersimError
from infersim.fitting.samples.schema import COLUMN_NAMES
from infersim.measuring.devices.telemetry import NoTelemetry, NvmlTelemetry, Reading, open_nvml, reason_names
from tests.measuring.fake_nvml import FakeNvml


def installed(*packages: str) -> Callable[[str], str]:
    def version_of(package: str) -> str:
        if package not in packages:
            raise metadata.PackageNotFoundError(package)
        return "13.0"

    return version_of


def opened(nvml: FakeNvml) -> NvmlTelemetry:
    telemetry = open_nvml("GPU-1234", version_of=installed("nvidia-ml-py"), bindings=lambda: nvml)
    assert isinstance(telemetry, NvmlTelemetry)
    return telemetry


def test_a_reading_is_in_the_units_of_the_samples_format() -> None:
    reading = opened(FakeNvml()).read()

    assert reading.columns() == {
        "sm_clock_mhz": 1755.0,
        "memory_clock_mhz": 2619.0,
        "power_w": pytest.approx(612.345),
        "temperature_c": 58.0,
        "throttled": False,
        "clock_reasons": "power cap",
    }
    assert set(reading.columns()) - {"clock_reasons"} <= set(COLUMN_NAMES)


@pytest.mark.parametrize(
    ("reasons", "throttled"),
    [(0x0, False), (0x1, False), (0x4, False), (0x8, True), (0x20, True), (0x44, True), (0x80, True)],
)
def test_heat_and_protection_throttle_but_the_power_cap_does_not(reasons: int, throttled: bool) -> None:
    assert opened(FakeNvml(reasons=reasons)).read().throttled is throttled


def test_reasons_have_names_and_new_ones_numbers() -> None:
    assert reason_names(0x0) == ()
    assert reason_names(0x44) == ("power cap", "hardware thermal slowdown")
    assert reason_names(0x1004) == ("power cap", "0x1000")


def test_what_a_gpu_does_not_support_is_unknown_and_not_zero() -> None:
    unsupported = ("PowerUsage", "EventReasons", "ThrottleReasons", "EnforcedPowerLimit")
    telemetry = opened(FakeNvml(unsupported=unsupported))

    reading = telemetry.read()

    assert (reading.power_w, reading.throttled, reading.clock_reasons) == (None, None, None)
    assert {"power_w", "throttled", "clock_reasons"}.isdisjoint(reading.columns())
    assert "power_cap_w" not in telemetry.environment()


def test_older_drivers_are_asked_by_the_older_name() -> None:
    assert opened(FakeNvml(reasons=0x8, unsupported=("EventReasons",))).read().throttled is True


def test_the_environment_tells_driver_power_cap_and_highest_clocks() -> None:
    assert opened(FakeNvml()).environment() == {
        "driver": "570.124.06",
        "power_cap_w": 700.0,
        "sm_clock_max_mhz": 1980.0,
        "gpu_busy_percent": 3.0,
        "memory_clock_max_mhz": 2619.0,
    }


def test_the_official_bindings_have_what_is_asked_of_them() -> None:
    """The fake above answers under the names of the installed package."""
    pynvml = pytest.importorskip("pynvml")
    asked = [name for name in vars(FakeNvml) if name.startswith(("nvml", "NVML"))]

    assert len(asked) > 10
    assert [name for name in asked if not hasattr(pynvml, name)] == []
    constants = [name for name in asked if name.isupper()]
    assert {name: getattr(pynvml, name) for name in constants} == {
        name: getattr(FakeNvml, name) for name in constants
    }
    for bit, name in {0x004: "SwPowerCap", 0x008: "HwSlowdown", 0x040: "HwThermalSlowdown"}.items():
        assert getattr(pynvml, f"nvmlClocksEventReason{name}") == bit
    assert pynvml.nvmlClocksEventReasonSwThermalSlowdown == 0x20
    assert pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown == 0x80


def test_without_bindings_or_driver_or_device_nothing_is_known() -> None:
    official = installed("nvidia-ml-py")
    for telemetry in (
        open_nvml("GPU-1234", version_of=installed()),
        open_nvml("GPU-1234", version_of=official, bindings=lambda: FakeNvml(library=False)),
        open_nvml("GPU-other", version_of=official, bindings=FakeNvml),
    ):
        assert isinstance(telemetry, NoTelemetry)
        assert telemetry.read() == Reading()
        assert telemetry.read().columns() == {}
        assert telemetry.environment() == {}


def test_the_unofficial_package_is_named_with_the_one_to_install() -> None:
    with pytest.raises(InfersimError, match="pip uninstall -y pynvml && pip install nvidia-ml-py"):
        open_nvml("GPU-1234", version_of=installed("pynvml"), bindings=FakeNvml)


def test_the_newer_unofficial_package_may_stand_beside_the_official_one() -> None:
    """From version 12 on it is a mere wrapper that depends on nvidia-ml-py."""
    both = installed("pynvml", "nvidia-ml-py")

    assert isinstance(open_nvml("GPU-1234", version_of=both, bindings=FakeNvml), NvmlTelemetry)
