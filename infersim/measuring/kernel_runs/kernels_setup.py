"""What a measuring process is told first; checked before one is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infersim.domain.errors import InvalidValueError
from infersim.measuring.devices.device import check_torch
from infersim.measuring.devices.timing import Clock
from infersim.measuring.kernels.rotation import CacheState

BUSY_PERCENT = 10.0
"""Of a GPU's time before anything is measured on it."""

BUSY_LOAD = 0.7
"""Processes that run on average before measuring begins; a quiet machine is near 0."""


def check_setup(*, device: str, threads: int | None, clock: str, l2: str) -> dict[str, Any]:
    """The first line of a worker (`worker`); raises InfersimError for what cannot be without trying it.

    The device itself is opened by the worker, whose errors come back as they are.
    """
    check_torch()
    if clock not in tuple(Clock):
        raise InvalidValueError("clock", clock, f"one of {', '.join(Clock)}")
    if l2 not in tuple(CacheState):
        raise InvalidValueError("l2", l2, f"one of {', '.join(CacheState)}")
    return {"device": device, "threads": threads, "clock": clock, "cache": l2}


def busy_warning(environment: Mapping[str, Any]) -> str | None:
    """What to tell where other programs stretch the times that are about to be measured, else None."""
    if environment.get("gpu_busy_percent", 0.0) > BUSY_PERCENT:
        percent = f"{environment['gpu_busy_percent']:.0f} %"
        return (
            f"Other programs keep this GPU busy for {percent} of the time: what is measured beside them is "
            "slower than the GPU is."
        )
    if environment.get("clock") == Clock.WALL and environment.get("load_average", 0.0) > BUSY_LOAD:
        return (
            "Other programs keep this machine busy, which makes wall-clock times long: --threads 1 "
            "--clock cpu counts only the time that the thread has its core."
        )
    return None
