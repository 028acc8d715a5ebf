"""The official bindings of NVML as one GPU answered them: names, units and types as nvidia-ml-py has them.

Recorded shape: clocks in MHz as int, power in milliwatts, temperature in degrees Celsius, reasons as a bit
field, the driver's version as text.
"""

from __future__ import annotations

from types import SimpleNamespace


class NVMLError(Exception):
    """The bindings' error; its value is NVML's code."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class FakeNvml:
    """A module `pynvml` in small; questions in `unsupported` raise as NVML does."""

    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_ERROR_LIBRARY_NOT_FOUND = 12
    NVMLError = NVMLError

    def __init__(
        self, *, reasons: int = 0x4, unsupported: tuple[str, ...] = (), library: bool = True
    ) -> None:
        self.reasons, self._unsupported, self._library = reasons, unsupported, library

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name, as all below
        if not self._library:
            raise NVMLError(self.NVML_ERROR_LIBRARY_NOT_FOUND)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid != "GPU-1234":
            raise NVMLError(6)
        return uuid

    def nvmlDeviceGetClockInfo(self, handle: str, kind: int) -> int:  # noqa: N802
        return self._answer("ClockInfo", handle, {self.NVML_CLOCK_SM: 1755, self.NVML_CLOCK_MEM: 2619}[kind])

    def nvmlDeviceGetMaxClockInfo(self, handle: str, kind: int) -> int:  # noqa: N802
        return self._answer(
            "MaxClockInfo", handle, {self.NVML_CLOCK_SM: 1980, self.NVML_CLOCK_MEM: 2619}[kind]
        )

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # noqa: N802
        return self._answer("PowerUsage", handle, 612_345)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=self._answer("UtilizationRates", handle, 3), memory=0)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: str) -> int:  # noqa: N802
        return self._answer("EnforcedPowerLimit", handle, 700_000)

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:  # noqa: N802
        assert sensor == self.NVML_TEMPERATURE_GPU
        return self._answer("Temperature", handle, 58)

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:  # noqa: N802
        return self._answer("EventReasons", handle, self.reasons)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: str) -> int:  # noqa: N802
        return self._answer("ThrottleReasons", handle, self.reasons)

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "570.124.06"

    def _answer(self, question: str, handle: str, value: int) -> int:
        assert handle == "GPU-1234"
        if question in self._unsupported:
            raise NVMLError(self.NVML_ERROR_NOT_SUPPORTED)
        return value
